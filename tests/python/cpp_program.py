"""The programs of the C++ tests that make what Python is compared with, and write it into a safetensors file."""
import json
import subprocess
from pathlib import Path

import pytest
import tapegrad as tg

ROOT = Path(__file__).resolve().parents[2]


def _newest(name):
    built = [p for folder in ("build", "build/wheel") if (p := ROOT / folder / "tests" / name).exists()]
    return max(built, key=lambda p: p.stat().st_mtime, default=None)


def needs(name):
    return pytest.mark.skipif(_newest(name) is None, reason="the C++ tests are not built")


def written_by(name, folder):
    """The tensors and the texts that the program writes, by name."""
    path = folder / f"{name}.safetensors"
    subprocess.run([str(_newest(name)), str(path)], check=True)
    data = path.read_bytes()
    header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    return tg.load(path), header["__metadata__"]
