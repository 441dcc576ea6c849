"""A process is killed at every point where Python's writers write, and every such call fails once: the file is the old one or the new
one, whole. tests/io/crash.cpp does the same with C++'s writers."""
import ctypes
import errno
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import tapegrad as tg
from tapegrad import checkpoint

ROOT = Path(__file__).resolve().parents[2]
KILL_BEFORE, KILL_AFTER, FAIL, SHORT = 1, 2, 3, 4


def state(value):
    return {f"w{k}": tg.full((40 * k + 1, 30), value) for k in range(4)}


WRITERS = {
    "safetensors": lambda v, path: tg.save(state(v), path + ".safetensors"),
    "pt": lambda v, path: tg.save({"model": state(v), "epoch": 3}, path + ".pt"),
    "checkpoint": lambda v, path: checkpoint.save(path, state(v), scheduler={"rate": v}, epoch=v),
}


def run(write, path, n, what, detail, faults):
    """The signal that ended a process that writes, or 0; -1 where it got an OSError."""
    child = os.fork()
    if child == 0:
        try:
            faults.fault_arm(n, what, detail)
            write(2.0, path)
            os._exit(0)
        except OSError:
            os._exit(1)
        finally:
            os._exit(2)
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else {0: 0, 1: -1}[os.WEXITSTATUS(status)]


def main(folder):
    faults, kills, failures = ctypes.CDLL(None), 0, 0
    faults.fault_trace.restype = ctypes.c_char_p
    rng = random.Random(0)
    for name, write in WRITERS.items():
        place = Path(folder, name)

        def begin_anew():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            write(1.0, str(place / "file"))
        begin_anew()
        path, = place.iterdir()
        old = path.read_bytes()
        child = os.fork()  # because os.fsync is counted from here on
        if child == 0:
            faults.fault_arm(-1, 0, 0)
            write(2.0, str(place / "file"))
            trace = faults.fault_trace()
            Path(folder, name + ".trace").write_bytes(trace)
            os._exit(0)
        os.waitpid(child, 0)
        whole, trace = path.read_bytes(), Path(folder, name + ".trace").read_text()
        assert trace.startswith("CW") and trace.rstrip("L").endswith("D") and trace.rindex("W") < trace.index("S") < trace.index("R") < trace.index("D"), trace
        assert old != whole
        begin_anew()
        cases = itertools.chain(
            ((k, *case) for k in range(len(trace)) for case in ((KILL_BEFORE, 0), (KILL_AFTER, 256), (FAIL, errno.EIO), (FAIL, errno.ENOSPC), (SHORT, 128))),
            ((rng.randrange(len(trace)), KILL_AFTER, rng.randrange(256)) for _ in range(320)))
        for case in cases:
            ended, now = run(write, str(place / "file"), *case, faults), path.read_bytes()
            killed = case[1] in (KILL_BEFORE, KILL_AFTER)
            assert now in (old, whole), (name, case)
            assert ended == (signal.SIGKILL if killed else 0 if now == whole else -1), (name, case, ended)
            assert now == whole or case[1] != SHORT, (name, case)
            assert killed or list(place.iterdir()) == [path], (name, case, list(place.iterdir()))
            kills, failures = kills + killed, failures + (not killed)
            if killed or now != old:
                begin_anew()
    print(f"{kills} kills, {failures} failures: the file was the old one or the new one each time")
    assert kills > 1000


@pytest.mark.skipif(not shutil.which("g++"), reason="no g++")
def test_the_old_file_or_the_new_one(tmp_path):
    library = tmp_path / "faults.so"
    subprocess.run(["g++", "-std=c++20", "-O1", "-shared", "-fPIC", str(ROOT / "tests/io/faults.cpp"), "-o", str(library)], check=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else tmp_path) as folder:  # where a flush takes no time
        ran = subprocess.run([sys.executable, __file__, folder], env={**os.environ, "LD_PRELOAD": str(library), "PYTHONDONTWRITEBYTECODE": "1"},
                             capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "kills" in ran.stdout


if __name__ == "__main__":
    main(sys.argv[1])
