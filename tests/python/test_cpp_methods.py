"""Every method of the op table is a method of C++'s Tensor too."""
import re
from pathlib import Path

from tapegrad import _C

HEADER = Path(__file__).resolve().parents[2] / "include" / "tapegrad" / "tensor.h"
# Spelled by operators in C++, or taking what C++ writes differently.
OTHERWISE = {"__getitem__", "__setitem__"}


def test_every_method_row_has_a_cpp_method():
    text = HEADER.read_text()
    body = text[text.index("class TG_API Tensor {"):]
    body = body[:body.index("\n};")]
    declared = set(re.findall(r"(\w+)\([^;{]*\) const", body))
    wanted = {r["name"] for r in _C.op_table() if r["method"]} | {r["name"] + "_" for r in _C.op_table() if r["method"] and r["inplace"]}
    missing = sorted(n for n in wanted - declared - OTHERWISE if not n.startswith("_"))
    assert not missing, f"{len(missing)} missing in tensor.h: {' '.join(missing)}"
