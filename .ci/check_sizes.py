"""No source file over 600 lines, and a count of lines per folder."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 600
KINDS = {".h", ".cpp", ".cu", ".cuh", ".py", ".cmake", ".sh"}


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines, long = Counter(), []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.suffix not in KINDS or not path.exists():
            continue
        n = path.read_text().count("\n")
        lines["/".join(name.split("/")[: 2 if name.startswith(("src/", "python/", "include/")) else 1])] += n
        if n > LIMIT:
            long.append(f"{name}: {n} lines, more than {LIMIT}: split it")
    print("lines: " + ", ".join(f"{d} {n}" for d, n in sorted(lines.items())))
    print("\n".join(long))
    return bool(long)


if __name__ == "__main__":
    sys.exit(main())
