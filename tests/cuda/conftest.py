"""These tests run on a GPU, or on the simulator that the build makes of the same kernels (tests/cuda/simulator): on neither they are skipped."""
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
SIMULATED = ROOT / "build" / "libtapegrad_cuda_simulated.so"
sys.path.insert(0, str(ROOT / "tests" / "python"))

import tapegrad  # noqa: E402

if "TAPEGRAD_CUDA_LIB" not in os.environ and not os.path.exists("/dev/nvidiactl") and SIMULATED.exists():
    os.environ["TAPEGRAD_CUDA_LIB"] = str(SIMULATED)  # read when CUDA is first asked for


def pytest_collection_modifyitems(items):
    if tapegrad.cuda.is_available():
        return
    skip = pytest.mark.skip(reason=f"no CUDA: {tapegrad.cuda.why_not()}")
    for item in items:
        item.add_marker(skip)
