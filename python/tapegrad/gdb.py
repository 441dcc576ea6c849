"""`python -m tapegrad.gdb` prints the script that teaches gdb about tensors; with --lldb and --natvis, lldb's and Visual Studio's."""

import argparse
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "share" / "tapegrad" / "debugger"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tapegrad.gdb", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--lldb", action="store_true", help="lldb -o 'command script import PATH'")
    what.add_argument("--natvis", action="store_true", help="for Visual Studio and VS Code")
    args = parser.parse_args()
    print(FOLDER / ("tapegrad_lldb.py" if args.lldb else "tapegrad.natvis" if args.natvis else "tapegrad_gdb.py"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
