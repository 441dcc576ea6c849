"""`python -m tapegrad --cmake-prefix` prints where `find_package(tapegrad)` looks."""

import argparse
import sys
from pathlib import Path

import tapegrad


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tapegrad", description=tapegrad.__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--cmake-prefix", action="store_true", help="the folder to give CMake as CMAKE_PREFIX_PATH")
    what.add_argument("--version", action="store_true")
    args = parser.parse_args()
    prefix = Path(tapegrad.__file__).resolve().parent
    if args.cmake_prefix:
        print(prefix)
    else:
        print(tapegrad.__version__)
    return 0


if __name__ == "__main__":
    sys.exit(main())
