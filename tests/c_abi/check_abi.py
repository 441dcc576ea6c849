"""check_abi.py LIBRARY HEADER [--update]: the C ABI against tests/c_abi/baseline.txt.

Compared are the declarations of tapegrad/c.h as the compiler reads them, the values of its constants, size and offsets of its
structs, and the tg_ symbols that the library exports. What went away or changed fails: raise TG_ABI_VERSION, which allows it. What
was added fails too until --update writes it down.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BASELINE = Path(__file__).with_name("baseline.txt")
ROOT = Path(__file__).resolve().parents[2]


def preprocessed(header):
    """The header's own text without comments, macros and what it includes; and its constants' macros."""
    cc = os.environ.get("CC", "cc")
    text = subprocess.run([cc, "-E", str(header)], check=True, capture_output=True, text=True).stdout
    own, inside = [], False
    for line in text.splitlines():
        if m := re.match(r'# \d+ "([^"]*)"', line):
            inside = os.path.samefile(m[1], header) if os.path.exists(m[1]) else False
        elif inside:
            own.append(line)
    return re.sub(r"__attribute__\(\(.*?\)\)\)?", "", " ".join(own))


def layout(header, structs, constants):
    """What the compiler makes of the structs and the constants."""
    lines = ["#include <stddef.h>", "#include <stdio.h>", f'#include "{Path(header).resolve()}"', "int main(void) {"]
    for name, fields in structs.items():
        lines.append(f'  printf("struct {name}: %d bytes\\n", (int)sizeof({name}));')
        lines += [f'  printf("struct {name}.{f}: at %d\\n", (int)offsetof({name}, {f}));' for f in fields]
    lines += [f'  printf("constant {c} = %d\\n", (int){c});' for c in constants]
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "layout.c"), Path(folder, "layout")
        source.write_text("\n".join([*lines, "  return 0;", "}", ""]))
        subprocess.run([os.environ.get("CC", "cc"), "-std=c89", str(source), "-o", str(program)], check=True)
        return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()


def described(library, header):
    text = preprocessed(header)
    structs = {m[2]: re.findall(r"(\w+)\s*;", m[1]) for m in re.finditer(r"typedef struct \w+ \{(.*?)\} (\w+);", text)}
    constants = [c for body in re.findall(r"enum \{(.*?)\}", text) for c in re.findall(r"(TG_\w+)\s*=", body)] + ["TG_ABI_VERSION"]
    without = re.sub(r"(typedef struct \w+ |enum )\{.*?\}[^;]*;", "", text)
    declarations = [re.sub(r"\s+", " ", d).strip() for d in without.split(";")]
    declarations = [re.sub(r" ?([(),*]) ?", r"\1", d) for d in declarations if "tg_" in d]
    fields = [f"struct {name}: {re.sub(r'[ ]+', ' ', m).strip()}" for m, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", text)]
    exported = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    symbols = sorted({line.split()[-1] for line in exported.splitlines() if line.split()[-1].startswith("tg_")})
    declared = {m[1] for d in declarations if (m := re.search(r"(tg_\w+)\(", d))}
    if declared != set(symbols):
        sys.exit(f"C ABI: declared and exported differ in {sorted(declared ^ set(symbols))}")
    return sorted(declarations) + fields + layout(header, structs, constants) + ["symbol " + s for s in symbols]


def main():
    library, header = [a for a in sys.argv[1:] if not a.startswith("--")]
    now = described(library, header)
    release = re.search(r"project\(tapegrad VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    if f'#define TG_VERSION "{release}"' not in Path(header).read_text():
        sys.exit(f"C ABI: TG_VERSION of {header} is not {release}")
    then = BASELINE.read_text().splitlines() if BASELINE.exists() else []
    gone, added = [x for x in then if x not in now], [x for x in now if x not in then]
    version = [[x for x in lines if x.startswith("constant TG_ABI_VERSION")] for lines in (then, now)]
    broken = gone and version[0] == version[1]
    if broken:
        print("C ABI: gone or changed; users' programs break. Raise TG_ABI_VERSION in tapegrad/c.h if it must be:")
    elif (gone or added) and "--update" not in sys.argv:
        print("C ABI: not in tests/c_abi/baseline.txt yet; look at them, then run this with --update:")
    elif gone or added:
        BASELINE.write_text("\n".join(now) + "\n")
        print(f"C ABI: {BASELINE.name} written, {len(now)} lines")
        return 0
    else:
        print(f"C ABI: {len(now)} lines as in the baseline")
        return 0
    print("\n".join([f"- {x}" for x in gone] + [f"+ {x}" for x in added]))
    return 1


if __name__ == "__main__":
    sys.exit(main())
