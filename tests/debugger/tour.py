"""tour.py BUILD PYTHON: holds the sessions of docs/step-through.md to what gdb and pdb say. BUILD has the debug build's library.

A line of the page must come, in order, among the lines that its command prints; addresses and the library's line numbers may
differ. With TAPEGRAD_UPDATE the page gets all that the commands print, to be trimmed by hand.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "step-through.md"
BUILD, PYTHON = Path(sys.argv[1]).resolve(), sys.argv[2]
SETTINGS = ("pagination off", "debuginfod enabled off", "breakpoint pending on", "confirm off", "width 0")


def sessions(kind):
    """(text, [(command, its lines), …]) of each block."""
    for m in re.finditer(rf"<!-- session: {kind} -->\n```text\n(.*?)```", PAGE.read_text(), re.S):
        parts = re.split(rf"^\({kind}\) (.*)\n", m[1], flags=re.M)
        yield m[1], [(command, [line for line in lines.splitlines() if line not in ("", "…")]) for command, lines in zip(parts[1::2], parts[2::2])]


def plain(line):
    line = re.sub(r"0x[0-9a-f]+", "0x…", line).replace(" 0x… in ", " ")
    line = re.sub(r"(?<!tour)(\.(?:h|cpp)):\d+", r"\1", line)
    return re.sub(r"\s+", " ", re.sub(r"^\d+\t", "", line)).strip()


def check(kind, said):
    """`said`: what each command of the kind's blocks printed."""
    page, failures, said = PAGE.read_text(), [], iter(said)
    for text, block in sessions(kind):
        new = ""
        for command, wanted in block:
            printed = next(said, "").replace(str(ROOT) + "/", "").replace("../", "").replace(f"{BUILD.relative_to(ROOT)}/", "")
            new += "\n".join([f"({kind}) {command}", *map(str.rstrip, printed.splitlines())]) + "\n"
            lines = map(plain, printed.splitlines())
            gap = next((line for line in wanted if plain(line) not in lines), None)
            if gap is not None:
                failures.append(f"({kind}) {command}: no line {gap!r} in\n{printed}")
        page = page.replace(text, new)
    if os.environ.get("TAPEGRAD_UPDATE"):
        PAGE.write_text(page)
    print("\n".join(failures) or f"debugger: ok, the tour in {kind}")
    return not failures


def in_gdb():
    commands = [command for _, block in sessions("gdb") for command, _ in block]
    script = [f"set {s}" for s in SETTINGS] + ["source " + os.environ["TAPEGRAD_GDB"]]
    script += [line for command in commands for line in ("echo @@@\\n", command)] + ["echo @@@\\n", "kill"]
    (BUILD / "tour.gdb").write_text("\n".join(script) + "\n")
    gdb = subprocess.run(["gdb", "-q", "-nx", "-batch", "-x", "tour.gdb", "tour"], cwd=BUILD, capture_output=True, text=True)
    if gdb.stderr:
        print(gdb.stderr)
    return check("gdb", [part.lstrip("\n") for part in gdb.stdout.split("@@@")[1:-1]])


def in_pdb():
    commands = [command for _, block in sessions("Pdb") for command, _ in block]
    pdb = subprocess.run([PYTHON, "-m", "pdb", "tour.py"], cwd=BUILD, input="\n".join([*commands, "q", ""]), capture_output=True, text=True)
    if pdb.stderr:
        print(pdb.stderr)
    return check("Pdb", re.split(r"^\(Pdb\) ", pdb.stdout, flags=re.M)[1:])


def main():
    page = PAGE.read_text()
    for name, code in re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", page, re.S):
        (BUILD / name).write_text(code)
    for block in re.findall(r"```json\n(.*?)```", page, re.S):
        json.loads(block)
    compiler = [os.environ.get("CXX", "g++"), "-g", "-O0", "-std=c++20", f"-I{ROOT}/include", f"-L{BUILD}", f"-Wl,-rpath,{BUILD}"]
    subprocess.run([*compiler, "tour.cpp", "-o", "tour", "-ltapegrad"], cwd=BUILD, check=True)
    return not (in_gdb() & in_pdb())


if __name__ == "__main__":
    sys.exit(main())
