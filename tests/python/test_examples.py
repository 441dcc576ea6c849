"""The examples run and reach what they promise."""
import pathlib
import re
import subprocess
import sys

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "python"


def run(folder, *args):
    out = subprocess.run([sys.executable, EXAMPLES / "digits.py", *args], cwd=folder, capture_output=True, text=True, timeout=300)
    assert out.returncode == 0, out.stderr
    return float(re.search(r"test accuracy ([0-9.]+) %\n$", out.stdout).group(1))


def test_digits(tmp_path):
    accuracy = run(tmp_path)
    assert accuracy >= 97
    assert run(tmp_path, "--load", "digits.safetensors") == accuracy
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return
    assert (tmp_path / "digits.png").stat().st_size > 10000
