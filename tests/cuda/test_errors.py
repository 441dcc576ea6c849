"""What calls say whose tensors are on two devices is what tests/golden/errors_devices.txt says: the op, the tensors by name, their devices."""
import difflib
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
import make_errors  # noqa: E402


@pytest.mark.filterwarnings("ignore")
def test_device_texts():
    texts = make_errors.device_texts()
    diff = list(difflib.unified_diff(make_errors.DEVICES.read_text().split("\n"), texts, "tests/golden/errors_devices.txt", "now", n=3, lineterm=""))
    assert not diff, "messages changed; if for the better, run tests/golden/make_errors.py\n" + "\n".join(diff[:200])
    for block in "\n".join(texts).strip().split("\n\n"):
        call, said, *rest = block.split("\n")
        if said == "is taken":
            continue
        op = call.removeprefix(">>> ").split("(")[0]
        assert said.startswith(f"DeviceError: {op}: ") and "cuda:0" in said and "cpu" in said, (call, said)
        assert any(line.endswith(" cpu") for line in rest) and any(line.endswith(" cuda:0") for line in rest), (call, rest)
