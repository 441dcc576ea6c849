"""What bad calls of every op say is what tests/golden/errors.txt says, so that a changed message is a diff in review."""
import difflib
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
import make_errors  # noqa: E402


@pytest.mark.filterwarnings("ignore")
def test_error_texts():
    expected = make_errors.FILE.read_text().split("\n")
    diff = list(difflib.unified_diff(expected, make_errors.texts(), "tests/golden/errors.txt", "now", n=3, lineterm=""))
    assert not diff, "messages changed; if for the better, run tests/golden/make_errors.py\n" + "\n".join(diff[:200])
