"""The examples of README and docs run: each block after a `<!-- test: … -->` line. C++ blocks are compiled against the package."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tapegrad

ROOT = Path(__file__).resolve().parents[2]
PREFIX = Path(tapegrad.__file__).resolve().parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"<!-- test: (python|c\+\+) -->\n```\w+\n(.*?)```", re.S)


def blocks(language):
    for page in PAGES:
        for number, (kind, code) in enumerate(BLOCK.findall(page.read_text())):
            if kind == language:
                yield pytest.param(code, id=f"{page.stem}-{number}")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("docs")


@pytest.mark.parametrize("code", list(blocks("python")))
def test_python_example_runs(code, folder):
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


@pytest.mark.skipif(not shutil.which("g++"), reason="no g++")
@pytest.mark.skipif(not (PREFIX / "lib" / "libtapegrad.so").exists(), reason="not an installed package")
@pytest.mark.parametrize("code", list(blocks("c++")))
def test_cpp_example_runs(code, folder):
    if "sine.safetensors" in code and not (folder / "sine.safetensors").exists():
        python = next(iter(blocks("python"))).values[0]
        subprocess.run([sys.executable, "-c", python], cwd=folder, check=True)
    source, binary = folder / "example.cpp", folder / "example"
    source.write_text(code)
    subprocess.run(["g++", "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{PREFIX}/include", str(source), "-o", str(binary), f"-L{PREFIX}/lib",
                    "-ltapegrad", f"-Wl,-rpath,{PREFIX}/lib"], check=True)
    subprocess.run([str(binary)], cwd=folder, check=True)
