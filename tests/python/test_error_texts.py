"""What bad calls of every op say is what tests/golden/errors.txt says, so that a changed message is a diff in review."""
import difflib
import sys
from pathlib import Path

import pytest
import tapegrad

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
import make_errors  # noqa: E402


def callables(row, name):
    """(name, callable) of all that Python has under a name of the row."""
    found = [(name, tapegrad._C.functions.get(name)), (name, tapegrad._C.functional.get(name))]
    found += [(n, getattr(tapegrad.Tensor, n, None)) for n in (name, name + "_")]
    return [(n, f) for n, f in found if type(f).__name__ in ("OpFunction", "OpMethod")]


@pytest.mark.filterwarnings("ignore")
def test_messages_begin_with_the_name_that_was_called():
    wrong, seen = [], 0
    for row in make_errors.load_rows(tapegrad._C.op_table()):
        for name, f in [c for alias in (row["name"], *row["aliases"]) for c in callables(row, alias)]:
            for sample in make_errors.all_samples([row])[:4]:
                for call, _, text in make_errors.errors_of(sample, f):
                    seen += 1
                    if not text.split(": ", 1)[1].startswith((f"{name}: ", f"{name}(): ")):
                        wrong.append(f"{name}, as {call}: {text.splitlines()[0]}")
    assert not wrong and seen > 10_000, "\n".join(wrong)


@pytest.mark.filterwarnings("ignore")
def test_error_texts():
    expected = make_errors.FILE.read_text().split("\n")
    diff = list(difflib.unified_diff(expected, make_errors.texts(), "tests/golden/errors.txt", "now", n=3, lineterm=""))
    assert not diff, "messages changed; if for the better, run tests/golden/make_errors.py\n" + "\n".join(diff[:200])
