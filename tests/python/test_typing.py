"""The stubs as a type checker sees them: a typed program passes mypy and runs, a wrong one is found out."""
import os
import pathlib
import re
import subprocess
import sys

import pytest
import tapegrad as tg

FOLDER = pathlib.Path(__file__).parents[1] / "typing"


def test_sample_runs():
    run = subprocess.run([sys.executable, str(FOLDER / "sample.py")], capture_output=True, text=True)
    assert run.returncode == 0 and float(run.stdout) > 0, run.stderr


def test_mypy():
    """--strict, but for the package's Python parts: their functions have no annotations and their modules re-export by import."""
    pytest.importorskip("mypy")
    home = pathlib.Path(tg.__file__).parents[1]
    env = {**os.environ, **({} if home.name == "site-packages" else {"MYPYPATH": str(home)})}
    command = [sys.executable, "-m", "mypy", "--strict", "--allow-untyped-calls", "--implicit-reexport", "--follow-imports=silent", "--cache-dir", os.devnull,
               "--show-error-codes", "--no-error-summary", str(FOLDER / "sample.py"), str(FOLDER / "wrong.py")]
    run = subprocess.run(command, capture_output=True, text=True, env=env)
    found = {(pathlib.Path(f).name, int(n), code) for f, n, code in re.findall(r"^(.*?):(\d+): error: .*\[([\w-]+)\]$", run.stdout, re.M)}
    wanted = {("wrong.py", n, line.split("# wrong: ")[1]) for n, line in enumerate((FOLDER / "wrong.py").read_text().splitlines(), 1) if "# wrong: " in line}
    assert found == wanted, run.stdout + run.stderr
