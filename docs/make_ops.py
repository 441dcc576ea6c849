"""Writes docs/ops.md from the op table: `make docs`. With --check it only says whether the file is up to date."""
import sys
from pathlib import Path

from tapegrad import _C

TARGET = Path(__file__).parent / "ops.md"


def page() -> str:
    rows = sorted((r for r in _C.op_table() if not r["name"].startswith("_")), key=lambda r: r["name"])
    names = {r["name"] for r in rows}
    parts = [
        "# Ops",
        f"{len(names)} ops, made from the table by `make docs`. All take part in autograd, to any order, unless marked ∅. *m*: also a\n"
        "method of `Tensor`; *f*: in `nn.functional`; *o*: takes `out=`; *i*: has an in-place form with `_`. C++ has the same names.",
    ]
    letter = ""
    for row in rows:
        if row["name"][0].upper() != letter:
            letter = row["name"][0].upper()
            parts.append(f"## {letter}")
        marks = [m for m, key in [("m", "method"), ("f", "functional"), ("o", "out"), ("i", "inplace")] if row[key]]
        tail = f" *{' '.join(marks)}*" if marks else ""
        tail += "" if row["differentiable"] else " ∅"
        also = f" Also `{'`, `'.join(row['aliases'])}`." if row["aliases"] else ""
        parts.append(f"- `{row['signature']}`{tail}\\\n  {' '.join(row['doc'].split())}{also}")
    return "\n\n".join(parts) + "\n"


def main() -> int:
    text = page()
    if "--check" in sys.argv:
        if TARGET.exists() and TARGET.read_text() == text:
            return 0
        print("docs/ops.md is not what the table says: run make docs and commit it")
        return 1
    TARGET.write_text(text)
    print(f"wrote docs/{TARGET.name}, {text.count(chr(10) + '- ')} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
