"""The programs of tests/programs under both libraries: their losses agree for 20 steps."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "programs"))
import harness


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("program", harness.programs())
def test_losses_agree(program):
    if missing := harness.missing_data(program):
        pytest.skip(f"needs pip install --no-deps {' '.join(missing)}")
    module, ours = harness.run(program, "tapegrad")
    theirs = harness.run(program, "torch")[1]
    assert harness.difference(ours, theirs) < getattr(module, "TOLERANCE", harness.TOLERANCE), (ours, theirs)
