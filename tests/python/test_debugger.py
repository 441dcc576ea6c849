"""What gdb and lldb show, without a debugger: the reader that both share, on this process's own memory."""

import ctypes
import importlib.util
import inspect
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
import tapegrad as tg

FOLDER = Path(tg.__file__).resolve().parent / "share" / "tapegrad" / "debugger"
SYMBOLS = {"tapegrad::debug_layout": "_ZN8tapegrad12debug_layoutE", "tapegrad::debug_layout_elementwise": "_ZN8tapegrad24debug_layout_elementwiseE",
           "tapegrad::py::debug_layout_python": "_ZN8tapegrad2py19debug_layout_pythonE"}
LIBRARY = ctypes.CDLL(tg._C.__file__)  # looks in what it is linked with too

spec = importlib.util.spec_from_file_location("tapegrad_reader", FOLDER / "tapegrad_reader.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


class OwnMemory:
    def read(self, address, n):
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(n)

    def symbol(self, name):
        return ctypes.addressof(ctypes.c_char.in_dll(LIBRARY, SYMBOLS[name])) if name in SYMBOLS else None

    def line(self, pc):
        return None


@pytest.fixture(scope="module")
def reader():
    return module.Reader(OwnMemory())


def impl(t):
    """PyTensor is a PyObject's head and the TensorImpl."""
    return ctypes.c_void_p.from_address(id(t) + object.__basicsize__).value


@pytest.mark.parametrize("dtype, shown", [
    ("bool", "false, true, true"), ("uint8", "0, 1, 2"), ("int8", "0, 1, 2"), ("int16", "0, 1, 2"), ("int32", "0, 1, 2"), ("int64", "0, 1, 2"),
    ("float16", "0, 1, 2"), ("bfloat16", "0, 1, 2"), ("float32", "0, 1, 2"), ("float64", "0, 1, 2"), ("complex64", "0+0i, 1+0i, 2+0i"),
    ("complex128", "0+0i, 1+0i, 2+0i"), ("uint16", "0, 1, 2"), ("uint32", "0, 1, 2"), ("uint64", "0, 1, 2")])
def test_every_dtype_shows_its_values(reader, dtype, shown):
    t = tg.arange(3).to(getattr(tg, dtype))
    assert reader.tensor(impl(t)) == f"{dtype}[3] cpu {{{shown}}}"


def test_layouts_and_flags(reader):
    t = tg.arange(12.0).view(3, 4)
    assert reader.tensor(impl(t.t())) == "float32[4, 3] cpu {0, 4, 8, 1, 5, 9, 2, 6, …}"
    assert reader.tensor(impl(t[1:, ::2])) == "float32[2, 2] cpu {4, 6, 8, 10}"
    assert reader.tensor(impl(t[0].expand(2, 4))) == "float32[2, 4] cpu {0, 1, 2, 3, 0, 1, 2, 3}"
    assert reader.tensor(impl(tg.tensor(2.5))) == "float32[] cpu {2.5}"
    assert reader.tensor(impl(tg.zeros(2, 0))) == "float32[2, 0] cpu {}"
    assert reader.tensor(impl(tg.tensor([float("nan"), -float("inf")]))) == "float32[2] cpu {nan, -inf}"
    assert reader.tensor(impl(tg.zeros(1, requires_grad=True))) == "float32[1] cpu {0} requires_grad"
    assert reader.tensor(impl(tg.zeros(*[1] * 16))).startswith("float32[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1] cpu")
    assert reader.tensor(0) == "undefined tensor"


def test_statistics(reader):
    t = tg.tensor([[1.0, 2.0], [3.0, float("inf")]]).t()
    text = reader.stats(impl(t))
    assert "strides [1, 2]" in text and "min 1, max 3, mean 2, std 1\n0 nan, 1 infinite, 0 zero of 4" in text
    w = tg.ones(2, requires_grad=True)
    (w * 3).sum().backward()
    assert reader.stats(impl(w)).endswith("grad float32[2] cpu {3, 3}")


def test_the_tape_names_the_lines_of_python(reader):
    x = tg.ones(2, 3, requires_grad=True)
    here = inspect.currentframe().f_lineno
    y = x * 2

    def inner(h):
        return (h @
                h.T)

    z = inner(y).sum()
    place = f"test_debugger.py:{here + 1}"
    assert reader.tensor(impl(y)) == f"float32[2, 3] cpu {{2, 2, 2, 2, 2, 2}} requires_grad grad_fn=<MulBackward0 from {place}>"
    graph = reader.graph(impl(z)).splitlines()
    assert graph[0] == f"SumBackward from test_debugger.py:{here + 7}"
    assert graph[1].strip().startswith(f"0: ProductBackward from test_debugger.py:{here + 4}")
    assert f"0: MulBackward0 from {place}" in graph[2] and "leaf float32[2, 3]" in graph[3] and graph[-1].strip() == "0: MulBackward0, as above"
    tape = reader.tape(impl(z)).splitlines()
    assert tape[0] == "4 nodes, in the order of backward()" and "SumBackward" in tape[1] and "MulBackward0" in tape[-1]
    assert reader.graph(impl(x)).startswith("no graph: float32[2, 3]")


def test_a_line_survives_its_function(reader):
    scope = {}
    exec(compile("def f(x):\n\n    return x.exp()\n", "gone.py", "exec"), scope)
    y = scope.pop("f")(tg.ones(1, requires_grad=True))
    assert reader.node(reader.field(impl(y), "TensorImpl.grad_fn")) == "ExpBackward0 from gone.py:3"


def test_long_graphs_are_cut(reader):
    x = tg.ones(1, requires_grad=True)
    for _ in range(1000):
        x = x + 1
    assert len(reader.graph(impl(x)).splitlines()) == module.LINES + 1
    assert reader.tape(impl(x)).startswith("1000 nodes")


def test_garbage_is_told(reader):
    block = ctypes.create_string_buffer(bytes(range(256)) * 4, 1024)
    for address in [8, 1 << 40, (1 << 64) - 8, ctypes.addressof(block), ctypes.addressof(block) + 3]:
        for read in (reader.tensor, reader.stats, reader.graph, reader.tape, reader.shape, reader.int_list, reader.state_dict, reader.module):
            try:
                read(address)
            except module.Garbage:
                pass
    with pytest.raises(module.Garbage):
        reader.tensor(ctypes.addressof(block))


def test_line_tables_are_read_as_python_reads_them():
    modern = sys.version_info >= (3, 11)
    for f in (subprocess.run, re.compile, inspect.getmembers, subprocess.Popen.communicate, test_the_tape_names_the_lines_of_python):
        code = f.__code__
        table = code.co_linetable
        for start, end, line in code.co_lines():
            if line is not None and start < end:
                assert module.python_line(table, code.co_firstlineno, start, modern) == line


def test_the_printed_paths_are_there():
    for option in ([], ["--lldb"], ["--natvis"]):
        path = subprocess.run([sys.executable, "-m", "tapegrad.gdb", *option], check=True, capture_output=True, text=True).stdout.strip()
        assert Path(path).is_file()


def test_natvis_speaks_of_fields_that_are():
    root = xml.parse(FOLDER / "tapegrad.natvis").getroot()
    headers = Path(tg.__file__).resolve().parent / "include" / "tapegrad"
    if not headers.is_dir():
        headers = Path(__file__).resolve().parents[2] / "include" / "tapegrad"
    text = "".join((headers / name).read_text() for name in ("tensor.h", "types.h", "memory.h"))
    words = " ".join(e.text or "" for e in root.iter()) + " ".join(e.get("Condition", "") for e in root.iter())
    expressions = " ".join(re.findall(r"\{([^}]*)\}", words)) + " ".join(e.text for e in root.iter() if e.tag.endswith(("Item", "Size", "ValuePointer")))
    fields = set(re.findall(r"[a-z_]+", expressions)) - {"int", "float", "double", "long", "char"}
    assert fields and all(re.search(rf"\b{f}\b", text) for f in fields)
