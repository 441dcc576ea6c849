"""The examples of README, docs and headers run: each block after a `<!-- test: … -->` line, and in headers what follows `/// Example:`.
C++ blocks are compiled against the package."""
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


needs_package = pytest.mark.skipif(not shutil.which("g++") or not (PREFIX / "lib" / "libtapegrad.so").exists(), reason="no g++, or not an installed package")


def compile_and_run(code, folder, *flags):
    source, binary = folder / "example.cpp", folder / "example"
    source.write_text(code)
    subprocess.run(["g++", "-std=c++20", *flags, "-Wall", "-Wextra", "-Werror", f"-I{PREFIX}/include", str(source), "-o", str(binary), f"-L{PREFIX}/lib",
                    "-ltapegrad", f"-Wl,-rpath,{PREFIX}/lib"], check=True)
    subprocess.run([str(binary)], cwd=folder, check=True)


@needs_package
@pytest.mark.parametrize("code", list(blocks("c++")))
def test_cpp_example_runs(code, folder):
    if "sine.safetensors" in code and not (folder / "sine.safetensors").exists():
        python = next(iter(blocks("python"))).values[0]
        subprocess.run([sys.executable, "-c", python], cwd=folder, check=True)
    compile_and_run(code, folder, "-O1")


def header_examples(header):
    """`/// Example: code`, with what follows it in lines that have two blanks more: statements in a scope of their own."""
    for m in re.finditer(r"^ *//+ Example: (.*\n(?: *//+   .*\n)*)", header.read_text(), re.M):
        yield re.sub(r"^ *//+   ", "", m[1], flags=re.M)


@needs_package
@pytest.mark.parametrize("header", [h for h in sorted((ROOT / "include/tapegrad").glob("*.h")) if any(header_examples(h))], ids=lambda h: h.stem)
def test_header_examples_run(header, folder):
    body = "".join(f"  {{\n{code}  }}\n" for code in header_examples(header))
    compile_and_run(f"#include <tapegrad/optim.h>\n#include <tapegrad/{header.name}>\n#include <cassert>\n#include <string>\nusing namespace tapegrad;\nint main() {{\n{body}}}\n",
                    folder, "-O0")
