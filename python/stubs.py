"""Writes the type stubs tapegrad/_C.pyi, __init__.pyi and linalg.pyi from the op table and the built package.

    python python/stubs.py            # writes python/tapegrad/*.pyi
    python python/stubs.py --check    # fails when they are not what it would write

Signatures come from the op rows; what a row returns is learnt by running its first sample. Attributes of the hand-written
types that have no row are listed below; whatever else the package exports is found by looking.
"""
import argparse
import inspect
import keyword
import pathlib
import re
import sys
import types

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent / "tests" / "python"))

TYPES = {
    "Tensor": "Tensor", "Tensor?": "Tensor | None", "Tensor|Number": "Tensor | Number", "Tensor[]": "Sequence[Tensor]",
    "Scalar": "Number", "Scalar?": "Number | None", "float": "float", "float?": "float | None", "int": "int",
    "int?": "int | None", "bool": "bool", "bool?": "bool | None", "int[]": "Sequence[int] | int",
    "int[]?": "Sequence[int] | int | None", "float[]": "Sequence[float]", "float[]?": "Sequence[float] | float | None", "str": "str", "str?": "str | None",
    "dtype": "dtype", "dtype?": "dtype | None", "device": "device | str", "device?": "device | str | int | None",
    "Generator?": "Generator | None", "memory_format?": "memory_format | None", "memory_format": "memory_format",
}

HEAD = '''# Written by python/stubs.py from the op table; `python python/stubs.py --check` tells when it is stale.
from builtins import bool as _bool, float as _float, int as _int
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, ClassVar, overload

Number = _bool | _int | _float
'''

# The Tensor type's own attributes: name -> stub lines. Everything else on it comes from the table or is found by looking.
TENSOR = '''
    shape: Size
    ndim: int
    dtype: dtype
    device: device
    layout: Any
    requires_grad: bool
    grad: Tensor | None
    grad_fn: Any
    data: Tensor
    is_leaf: bool
    is_cuda: bool
    itemsize: int
    nbytes: int
    output_nr: int
    names: Any
    T: Tensor
    mT: Tensor
    H: Tensor
    mH: Tensor
    real: Tensor
    retains_grad: bool
    is_sparse: bool
    is_quantized: bool
    is_meta: bool
    _version: int
    _base: Tensor | None
    __array_priority__: ClassVar[int]
    def __init__(self, data: Any = ...) -> None: ...
    def backward(self, gradient: Tensor | None = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Sequence[Tensor] | Tensor | None = None, *, explain: bool = False) -> None: ...
    def size(self, dim: int | None = None) -> Any: ...
    def stride(self, dim: int | None = None) -> Any: ...
    def dim(self) -> int: ...
    def numel(self) -> int: ...
    def nelement(self) -> int: ...
    def element_size(self) -> int: ...
    def storage_offset(self) -> int: ...
    def data_ptr(self) -> int: ...
    def item(self) -> Any: ...
    def tolist(self) -> Any: ...
    def numpy(self, *, force: bool = False) -> Any: ...
    def detach(self) -> Tensor: ...
    def detach_(self) -> Tensor: ...
    def requires_grad_(self, requires_grad: bool = True) -> Tensor: ...
    def retain_grad(self) -> None: ...
    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Any: ...
    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> Any: ...
    def to(self, *args: Any, **kwargs: Any) -> Tensor: ...
    def cpu(self) -> Tensor: ...
    def cuda(self, device: Any = None, non_blocking: bool = False) -> Tensor: ...
    def is_contiguous(self, memory_format: memory_format = ...) -> bool: ...
    def is_floating_point(self) -> bool: ...
    def is_complex(self) -> bool: ...
    def is_signed(self) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __getitem__(self, index: Any) -> Tensor: ...
    def __setitem__(self, index: Any, value: Tensor | Number) -> None: ...
    def __contains__(self, value: Any) -> bool: ...
    def __bool__(self) -> bool: ...
    def __int__(self) -> int: ...
    def __float__(self) -> float: ...
    def __index__(self) -> int: ...
    def __hash__(self) -> int: ...
    def __format__(self, spec: str) -> str: ...
'''
# What nn.Module and autograd.Function are made of.
CALLABLE = '''class ModuleBase:
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
class FunctionCtx:
    needs_input_grad: tuple[bool, ...]
    saved_tensors: tuple[Tensor, ...]
    def save_for_backward(self, *tensors: Tensor | None) -> None: ...
    def mark_dirty(self, *tensors: Tensor) -> None: ...
    def mark_non_differentiable(self, *tensors: Tensor) -> None: ...
    def set_materialize_grads(self, value: bool) -> None: ...
    def name(self) -> str: ...
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any) -> None: ...
class FunctionBase:
    @classmethod
    def apply(cls, *args: Any) -> Any: ...
    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any: ...
    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any: ...
    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None: ...
'''
OPERATORS = ("add sub mul truediv floordiv mod pow and or xor lshift rshift".split(), "neg pos abs invert".split())


def parse(signature):
    """[(type, name, default or None, keyword only)] of "name(Type name=default, *, …)"."""
    inside = signature[signature.index("(") + 1:signature.rindex(")")]
    parts, depth, word = [], 0, ""
    for c in inside + ",":
        depth += c in "([{"
        depth -= c in ")]}"
        if c == "," and depth == 0:
            parts.append(word.strip())
            word = ""
        else:
            word += c
    found, keyword_only = [], False
    for part in filter(None, parts):
        if part == "*":
            keyword_only = True
            continue
        kind, rest = part.split(None, 1)
        name, _, default = rest.partition("=")
        found.append((kind, name.strip(), default.strip() or None, keyword_only))
    return found


def annotation(kind):
    if re.fullmatch(r"int\[\d\]\??", kind):
        return TYPES["int[]?" if kind.endswith("?") else "int[]"]
    return TYPES[kind]


def tidy(text, inside_tensor):
    """Inside class Tensor, `dtype` and `device` name its attributes: there the types go by another name."""
    if inside_tensor:
        text = re.sub(r"(?<=[:|\]] )(dtype|device)(?=[ ,)\n]|$)", r"_\1", text)
    return re.sub(r"(?<=: )(float|int|bool)\b", r"_\1", re.sub(r"(?<=\| )(float|int|bool)\b", r"_\1", re.sub(r"(?<=\[)(float|int|bool)\b", r"_\1", text)))


def parameter(p, varargs):
    kind, name, default, _ = p
    if varargs:
        return f"*{name}: int"
    text = annotation(kind) + ("" if default is None else f" = {default if plain(default) else '...'}")
    return f"{name}_: {text}, /" if keyword.iskeyword(name) else f"{name}: {text}"


def plain(default):
    return bool(re.fullmatch(r"-?[\d.e-]+|True|False|None|\"[^\"]*\"|'[^']*'", default))


def forms(row, returns, name=None, method=False, out=None):
    """The `def` lines of one row: plain, and with the last int[] spread out."""
    parameters = parse(row["signature"])
    name = name or row["name"]
    if method:
        parameters = parameters[1:]
    positional = [p for p in parameters if not p[3]]
    keywords = [p for p in parameters if p[3]]
    lines = []
    for varargs in ((False, True) if positional and positional[-1][0] == "int[]" else (False,)):
        words = ["self"] if method else []
        words += [parameter(p, varargs and p is positional[-1]) for p in positional]
        if keywords or out:
            words += [] if varargs else ["*"]
            words += [parameter(p, False) for p in keywords] + ([f"out: {out} | None = None"] if out else [])
        lines.append(f"def {name}({', '.join(words)}) -> {returns}: ...")
    return lines


def returned(lib, samples, row):
    """The annotation of what the row gives, seen by running a sample."""
    from op_samples import Call, Sample, function_of, run
    if row["name"].endswith("_"):
        return "Tensor"
    if not row["samples"]:
        return "Any" if row["name"].startswith("_") else "Tensor"
    sample = Sample(row, 0)
    result = run(function_of(lib, row), sample, Call(lib, sample.tree()))
    if isinstance(result, tuple) and row["fields"]:
        has_fields = all(hasattr(result, f) for f in row["fields"].split())
        return named(row) if has_fields else "tuple[" + ", ".join(["Tensor"] * len(result)) + "]"
    if isinstance(result, (tuple, list)):
        return f"{type(result).__name__}[Tensor, ...]" if isinstance(result, tuple) else "list[Tensor]"
    return "Tensor" if isinstance(result, lib.Tensor) else type(result).__name__


def named(row):
    return f"{row['name'].replace('.', '_')}_result"


def overloaded(groups, indent):
    """Stub text of {name: [def lines]}."""
    text = []
    for name, lines in sorted(groups.items()):
        lines = list(dict.fromkeys(lines))
        if keyword.iskeyword(name):
            continue
        for line in lines:
            if len(lines) > 1:
                text.append(f"{indent}@overload")
            text.append(indent + line)
    return "\n".join(text)


def stub_c(lib):
    from op_samples import load_rows
    rows = load_rows(lib._C.op_table())
    functions, methods, tuples = {}, {}, {}
    for row in rows:
        returns = returned(lib, None, row)
        out = None if not row["out"] else "Tensor" if returns == "Tensor" else "Sequence[Tensor]"
        for name in [row["name"], *row["aliases"]]:
            if "." in name:  # its module has a stub of its own
                continue
            if row["function"] or row["functional"]:
                functions.setdefault(name, []).extend(forms(row, returns, name, out=out))
            if row["method"]:
                methods.setdefault(name, []).extend(forms(row, returns, name, method=True))
                if row["inplace"]:
                    methods.setdefault(name + "_", []).extend(forms(row, "Tensor", name + "_", method=True))
            if row["inplace"] and (row["function"] or row["functional"]):
                functions.setdefault(name + "_", []).extend(forms(row, "Tensor", name + "_"))
        if returns.endswith("_result"):
            tuples[returns] = row["fields"].split()
    text = [HEAD]
    for name, fields in sorted(tuples.items()):
        text.append(f"class {name}(tuple[{', '.join(['Tensor'] * len(fields))}]):")
        text += [f"    @property\n    def {f}(self) -> Tensor: ..." for f in fields] + [""]
    text += classes(lib)
    own = set(re.findall(r"^    (?:def )?(\w+)", TENSOR, re.M))
    text.append("class Tensor:" + TENSOR.rstrip())
    binary, unary = OPERATORS
    for op in binary:
        text.append(f"    def __{op}__(self, other: Tensor | Number) -> Tensor: ...")
        text.append(f"    def __r{op}__(self, other: Tensor | Number) -> Tensor: ...")
        text.append(f"    def __i{op}__(self, other: Tensor | Number) -> Tensor: ...")
    text.append("    def __matmul__(self, other: Tensor) -> Tensor: ...")
    text.append("    def __rmatmul__(self, other: Tensor) -> Tensor: ...")
    text += [f"    def __{op}__(self) -> Tensor: ..." for op in unary]
    for op in ("lt", "le", "gt", "ge"):
        text.append(f"    def __{op}__(self, other: Tensor | Number) -> Tensor: ...")
    for op in ("eq", "ne"):
        text.append(f"    def __{op}__(self, other: object) -> Tensor: ...  # type: ignore[override]")
    methods = {k: v for k, v in methods.items() if k not in own}
    text.append(overloaded(methods, "    "))
    rest = sorted(n for n in vars(lib._C.Tensor) if n not in own and n not in methods and not n.startswith("__"))
    for n in rest:
        callable_ = callable(getattr(lib._C.Tensor, n))
        text.append(f"    def {n}(self, *args: Any, **kwargs: Any) -> Any: ..." if callable_ else f"    {n}: Any")
    text = ["\n".join(text), overloaded(functions, "")]
    listed = set(functions) | set(re.findall(r"^class (\w+)", "\n".join(text), re.M))
    for name in sorted(set(getattr(lib._C, "functions", {})) | set(dir(lib._C))):
        value = getattr(lib._C, "functions", {}).get(name, getattr(lib._C, name, None))
        if name in listed or name.startswith("__") or "." in name or keyword.iskeyword(name):
            continue
        if isinstance(value, lib.dtype):
            text.append(f"{name}: dtype")
        elif isinstance(value, type):
            text.append(f"class {name}:\n    def __init__(self, *args: Any, **kwargs: Any) -> None: ...\n    def __getattr__(self, name: str) -> Any: ...")
        elif callable(value):
            text.append(f"def {name}(*args: Any, **kwargs: Any) -> {known_result(name)}: ...")
        else:
            text.append(f"{name}: Any")
    body = "\n".join(text) + "\n"
    return clean(body)


def stub_linalg(lib):
    """The rows "linalg.…" as the functions of the module linalg."""
    from op_samples import load_rows
    functions, results = {}, set()
    for row in load_rows(lib._C.op_table()):
        if not row["name"].startswith("linalg."):
            continue
        returns = returned(lib, None, row)
        results |= {returns} if returns.endswith("_result") else set()
        out = None if not row["out"] else "Tensor" if returns == "Tensor" else "Sequence[Tensor]"
        name = row["name"].partition(".")[2]
        functions.setdefault(name, []).extend(forms(row, returns, name, out=out))
    head = HEAD.replace("from types import TracebackType\n", "") + (
        f"from tapegrad._C import LinAlgError as LinAlgError, Tensor, dtype, {', '.join(sorted(results))}\n_dtype = dtype\n")
    return clean(head + overloaded(functions, "") + "\n")


def known_result(name):
    if name == "grad":
        return "tuple[Tensor, ...]"
    return "Tensor" if name in {"tensor", "as_tensor", "asarray", "from_numpy", "from_dlpack", "frombuffer", "empty", "empty_like",
                                "empty_strided"} else "Any"


def clean(body):
    """bool, int, float and dtype, device are attributes of the module or of Tensor too: types use the underscored names."""
    lines = []
    for line in body.splitlines():
        if re.match(r"\s*(def|[a-zA-Z_]\w*: )", line):
            line = re.sub(r"(?<![\w\"'.])(bool|int|float)(?![\w(\"'])(?!: )", r"_\1", line)
            line = re.sub(r"-> (bool|int|float):", r"-> _\1:", line)
            line = re.sub(r"(?<=[:|>] )(dtype|device|memory_format)(?=[ ,)]|:|$)", r"_\1", line)
            line = re.sub(r"^(\s*def )_(bool|int|float)\b", r"\1\2", line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def classes(lib):
    """Size, dtype, device, Generator, errors and modes."""
    text = ["class dtype:\n    is_floating_point: bool\n    is_signed: bool\n    is_complex: bool\n    itemsize: int\n"
            "_dtype = dtype\n",
            "class device:\n    type: str\n    index: int | None\n    def __init__(self, type: Any = ..., index: int | None = None) -> None: ...\n"
            "    def __enter__(self) -> device: ...\n    def __exit__(self, *raised: Any) -> None: ...\n"
            "_device = device\n",
            "class memory_format: ...\n_memory_format = memory_format\n",
            "class Size(tuple[_int, ...]):\n    def numel(self) -> int: ...\n",
            "class Generator:\n    def __init__(self, device: Any = ...) -> None: ...\n    def manual_seed(self, seed: int) -> Generator: ...\n"
            "    def initial_seed(self) -> int: ...\n    def seed(self) -> int: ...\n    def get_state(self) -> Tensor: ...\n"
            "    def set_state(self, new_state: Tensor) -> Generator: ...\n"]
    text += [CALLABLE]
    errors = [v for n, v in sorted(vars(lib._C).items()) if isinstance(v, type) and issubclass(v, BaseException)]
    for e in sorted(errors, key=lambda e: len(e.__mro__)):
        bases = ", ".join(b.__name__ for b in e.__bases__)
        text.append(f"class {e.__name__}({bases}): ...")
    for mode in ("no_grad", "enable_grad", "inference_mode", "set_grad_enabled"):
        if isinstance(getattr(lib._C, mode, None), type):
            text.append(f"class {mode}:\n    def __init__(self, mode: Any = ...) -> None: ...\n    def __enter__(self) -> Any: ...\n"
                        "    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None: ...\n"
                        "    def __call__(self, function: Any) -> Any: ...")
    return text


def stub_init(lib, c_names):
    """Everything `tapegrad.` offers, re-exported from where it lives."""
    lines = ["# Written by python/stubs.py; `python python/stubs.py --check` tells when it is stale.",
             "from builtins import float as _float, int as _int, str as _str", "from typing import Any", ""]
    modules, imports, rest = [], [], []
    for name, value in sorted(vars(lib).items()):
        if name.startswith("__") and name != "__version__" or name.startswith("_") and name not in ("_C", "__version__"):
            continue
        if isinstance(value, types.ModuleType):
            if value.__name__.startswith("tapegrad."):
                modules.append((value.__name__.rpartition(".")[0] or "tapegrad", value.__name__.rpartition(".")[2], name))
        elif name in c_names:
            imports.append(("tapegrad._C", name, name))
        elif inspect.isclass(value) or inspect.isfunction(value):
            home = value.__module__ or ""
            if home.startswith("tapegrad.") and home != "tapegrad._C":
                imports.append((home, value.__name__, name))
            elif home == "tapegrad" and inspect.isfunction(value):
                rest.append(f"def {name}(*args: Any, **kwargs: Any) -> Any: ...")
            elif isinstance(value, type):
                rest.append(f"{name} = {value.__name__}" if home == "builtins" else f"{name}: Any")
            else:
                rest.append(f"{name}: Any")
        elif isinstance(value, lib.dtype):
            rest.append(f"{name}: dtype")
        else:
            rest.append(f"{name}: {'_' + type(value).__name__ if type(value) in (str, float, int) else 'Any'}")
    for home, name, alias in sorted(modules) + sorted(imports):
        lines.append(f"from {home} import {name} as {alias}")
    return "\n".join(lines + [""] + rest) + "\n"


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--check", action="store_true", help="only compare with the committed files")
    check = options.parse_args().check
    import tapegrad
    c = stub_c(tapegrad)
    names = set(re.findall(r"^(?:def|class) (\w+)", c, re.M)) | set(re.findall(r"^(\w+):", c, re.M))
    stale = []
    for name, text in {"_C.pyi": c, "__init__.pyi": stub_init(tapegrad, names), "linalg.pyi": stub_linalg(tapegrad)}.items():
        path = here / "tapegrad" / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                path.write_text(text)
    if check and stale:
        sys.exit(f"stale stubs: {', '.join(stale)}; run python python/stubs.py")
    print("stubs are up to date" if not stale else f"wrote {', '.join(stale)}")


if __name__ == "__main__":
    main()
