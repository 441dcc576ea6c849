"""C++ programs: errors name file, line and text of the forward, read from the program's own debug info; without it, the function."""
import random
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from test_cpp_files import loaded_library

SOURCE = Path(__file__).with_name("cpp_errors.cpp")
pytestmark = pytest.mark.skipif(not shutil.which("g++"), reason="no g++")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    library, include = loaded_library()
    folder = tmp_path_factory.mktemp("errors")

    def build(name, *flags):
        binary = folder / name
        subprocess.run(["g++", "-std=c++20", "-O0", *flags, f"-I{include}", str(SOURCE), "-o", str(binary), str(library), f"-Wl,-rpath,{library.parent}"], check=True)
        return binary
    return build


def run(binary):
    r = subprocess.run([str(binary)], capture_output=True, timeout=60)
    assert r.returncode == 0, r.stderr
    return r.stdout.decode(errors="replace")


def line(mark):
    return next((k, text.strip()) for k, text in enumerate(SOURCE.read_text().splitlines(), 1) if text.endswith("// " + mark))


@pytest.mark.parametrize("flags", [("-g", "-O2"), ("-g", "-gdwarf-4"), ("-g", "-gdwarf-5"), ("-g", "-no-pie", "-fno-pie"), ("-g", "-gdwarf-5", "-gdwarf64")], ids=" ".join)
def test_lines_from_debug_info(program, flags):
    text = run(program("lines" + "".join(flags), *flags))
    said = dict(re.findall(r"^([a-z ]+): (.*(?:\n .*)*)", text, re.M))
    for title, marks in {"in place": ["saves h", "changes h"], "twice": ["forward", "first"], "custom": ["applied"], "custom forward": ["applied, too"], "shape": ["shape"],
                         "detached": ["detached"], "recording off": ["off"]}.items():
        for mark in marks:
            number, source = line(mark)
            assert f"cpp_errors.cpp:{number} in " in said[title], (title, said[title])
            assert source in said[title], (title, said[title])
    assert "in the backward of CppFunctionBackward, called at" in said["custom"]
    assert "saved at" in said["in place"] and "changed by add_ at" in said["in place"]
    assert "freed by backward at" in said["twice"]


def test_functions_without_debug_info(program):
    text = run(program("plain"))
    assert re.search(r"saved at \S*plain\+0x[0-9a-f]+ in main", text), text
    text = run(program("stripped", "-s"))
    assert re.search(r"saved at \S*stripped\+0x[0-9a-f]+", text), text


def sections(data):
    """name -> (offset, size) of an ELF file."""
    table, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, table + size * k) for k in range(count)]
    texts = headers[names][4]
    return {data[texts + h[0]:data.index(b"\0", texts + h[0])].decode(): (h[4], h[5]) for h in headers}, table


def test_malformed_debug_info(program, tmp_path):
    rng = random.Random(0)
    for version in ("-gdwarf-4", "-gdwarf-5"):
        good = program("good" + version, "-g", version).read_bytes()
        where, table = sections(good)
        for k in range(25):
            bad = bytearray(good)
            for name in (".debug_line", ".debug_line_str", ".symtab", ".strtab"):
                if name in where and rng.random() < 0.7:
                    offset, size = where[name]
                    early = size if rng.random() < 0.5 else min(size, 400)  # the first program's header, or anywhere
                    for _ in range(rng.choice([1, 5, 100])):
                        bad[offset + rng.randrange(early)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
            if k % 3 == 0:  # the section headers: sizes and offsets far outside of the file
                for _ in range(3):
                    bad[table + rng.randrange(64 * len(where))] = rng.choice([0xFF, 0x7F, 0])
            path = tmp_path / f"bad{version}{k}"
            path.write_bytes(bad)
            path.chmod(0o755)
            assert "modified by an inplace operation" in run(path)
            path.unlink()
