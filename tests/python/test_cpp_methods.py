"""Every method of the op table that C++ has as a function is a method of C++'s Tensor too."""
import re
from pathlib import Path

from tapegrad import _C

INCLUDE = Path(__file__).resolve().parents[2] / "include" / "tapegrad"


def test_every_method_row_has_a_cpp_method():
    text = (INCLUDE / "tensor.h").read_text()
    body = text[text.index("class TG_API Tensor {"):]
    body = body[:body.index("\n};")]
    methods = set(re.findall(r"^  .*?(\w+)\(.*\) const;", body, re.M))
    headers = "".join((INCLUDE / name).read_text() for name in ("ops_elementwise.h", "ops.h", "linalg.h"))
    functions = set(re.findall(r"^TG_API .*?(\w+)\(const Tensor& ", headers, re.M))
    table = _C.op_table()
    wanted = {r["name"] for r in table if r["method"]} | {r["name"] + "_" for r in table if r["method"] and r["inplace"]}
    assert len(wanted & functions) > 150
    missing = sorted((wanted & functions) - methods - {"rsub"})
    assert not missing, f"missing in tensor.h: {' '.join(missing)}"


def test_no_bool_of_a_factory_takes_a_pointer():
    """A generator or a device's name where a bool belongs would be `true`; OnlyBool does not compile with them."""
    headers = "".join((INCLUDE / name).read_text() for name in ("ops.h", "ops_more.h", "fft.h", "data.h", "tensor.h"))
    factories = re.findall(r"^ *(?:TG_API )?(?:Tensor|Sampler) (\w+\(.*(?:requires_grad =|Generator).*)", headers, re.M)
    assert len(factories) > 30
    wrong = [f for f in factories if re.search(r"\bbool ", f)]
    assert not wrong, "\n".join(wrong)
