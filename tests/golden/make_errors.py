"""Writes tests/golden/errors.txt: what bad calls of every op say. tests/python/test_error_texts.py compares. And, where there is a CUDA
device or TAPEGRAD_CUDA_LIB names the simulator, errors_devices.txt: what calls say whose tensors are on two. tests/cuda/test_errors.py
compares.

python tests/golden/make_errors.py    with tapegrad on PYTHONPATH; then read the diff as a user would read the errors.
"""
import itertools
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))

import numpy as np  # noqa: E402
import tapegrad  # noqa: E402
from op_samples import Call, Leaf, all_samples, function_of, leaves, load_rows, map_tree, moved, run_raw  # noqa: E402

FILE, DEVICES = HERE / "errors.txt", HERE / "errors_devices.txt"
SHAPES = {0: (7,), 1: (7, 11), 2: (5, 7, 11), 3: (7, 11), 4: (5, 7, 11)}  # instead of a tensor with so many dimensions
MOST = 2  # texts of one kind that are kept for an overload …
ONE = ("missing", "keyword", "type")  # … of these, whose texts are the matcher's, one


def leaf(old, shape=None, dtype=None):
    shape = old.array.shape if shape is None else shape
    kind = {"f": "float", "i": "int", "b": "bool"}[dtype[0]] if dtype else old.kind
    values = np.arange(int(np.prod(shape))).reshape(shape) % 3
    return Leaf(values > 0 if kind == "bool" else values + (0.25 if kind == "float" else 0), kind, dtype or old.dtype)


def replaced(tree, number, new):
    count = itertools.count()
    return map_tree(lambda v: (new if next(count) == number else v) if isinstance(v, Leaf) else v, tree)


def bad_calls(tree):
    """(kind, tree): good calls with one thing wrong."""
    args, kwargs = tree
    for number, old in enumerate(leaves(tree)):
        shape = old.array.shape
        if shape:
            yield "size", replaced(tree, number, leaf(old, (*shape[:-1], shape[-1] + 4)))
            yield "size", replaced(tree, number, leaf(old, (shape[0] + 4, *shape[1:])))
        yield "dims", replaced(tree, number, leaf(old, SHAPES.get(len(shape), (7, 11))))
        yield "dtype", replaced(tree, number, leaf(old, dtype="int64" if old.kind != "int" else "float32"))
        yield "dtype", replaced(tree, number, leaf(old, dtype="bool" if old.kind != "bool" else "float32"))
    for i, v in enumerate(args):
        if type(v) is int:
            yield "number", (args[:i] + [99] + args[i + 1:], kwargs)
            yield "number", (args[:i] + [-99] + args[i + 1:], kwargs)
        if isinstance(v, list) and v and type(v[0]) is int:
            yield "number", (args[:i] + [[99] + v[1:]] + args[i + 1:], kwargs)
            yield "number", (args[:i] + [[-99] + v[1:]] + args[i + 1:], kwargs)
    for k, v in kwargs.items():
        if type(v) is int:
            yield "number", (args, {**kwargs, k: 99})
            yield "number", (args, {**kwargs, k: -99})
        if isinstance(v, str):
            yield "word", (args, {**kwargs, k: "no such"})
    if args:
        yield "missing", (args[:-1], kwargs)
        yield "type", (["text", *args[1:]], kwargs)
    yield "keyword", (args, {**kwargs, "no_such": 1})


def shown(v):
    if isinstance(v, tapegrad.Tensor):
        return f"{str(v.dtype).rpartition('.')[2]}{list(v.shape)}{' cuda' * v.is_cuda}"
    if isinstance(v, (list, tuple)):
        return "[" + ", ".join(map(shown, v)) + "]"
    return repr(v) if not isinstance(v, tapegrad.Generator) else "Generator"


def errors_of(sample, f):
    """(call, kind, text) of what is refused."""
    for kind, tree in bad_calls(sample.tree()):
        try:
            call = Call(tapegrad, tree, dtype="float32", requires_grad=False)
            args, kwargs = call.args, call.kwargs
        except Exception:  # a sample's own view does not survive the damage
            continue
        try:
            run_raw(f, sample, call)
        except Exception as e:
            yield written(sample, args, kwargs), kind, f"{type(e).__name__}: {e}"


def written(sample, args, kwargs):
    return f"{sample.name}({', '.join([shown(a) for a in args] + [f'{k}={shown(v)}' for k, v in kwargs.items()])})"


def tensors(tree):
    found = []
    map_tree(lambda v: found.append(v) if isinstance(v, tapegrad.Tensor) else None, tree)
    return found


def on_two_devices(sample):
    """Calls of the sample with one of its tensors on a CUDA device and the others on the CPU. Those without numbers are left out, and
    those where only 0-d tensors are left on the CPU: they may stand beside others."""
    count = len(tensors(Call(tapegrad, sample.tree(), dtype="float32", requires_grad=False).made))
    for number in range(count if count > 1 else 0):
        call, place = Call(tapegrad, sample.tree(), dtype="float32", requires_grad=False), itertools.count()
        call.made = map_tree(lambda v: moved(tapegrad, v, "cuda") if isinstance(v, tapegrad.Tensor) and next(place) == number else v, call.made)
        if all(t.numel() for t in tensors(call.made)) and any(t.dim() for t in tensors(call.made) if not t.is_cuda):
            yield call


def device_texts():
    """The lines of errors_devices.txt: for each op what is said where one tensor is on another device, or that it is taken."""
    lines = []
    for row in load_rows(tapegrad._C.op_table()):
        said = set()
        for sample in all_samples([row]) if row["name"][0] != "_" else ():
            for call in on_two_devices(sample):
                args, kwargs = call.args, call.kwargs
                call_text = written(sample, args, kwargs)
                try:
                    run_raw(function_of(tapegrad, row), sample, call)
                    text = "is taken"
                except Exception as e:
                    text = f"{type(e).__name__}: {e}"
                kind = "".join(c for c in text.split("\n")[0] if not c.isdigit() and c not in "-[], ")
                if kind not in said:
                    said.add(kind)
                    lines += [f">>> {call_text}", *text.split("\n"), ""]
    return lines


def texts():
    """The lines of the file."""
    lines, said = [], set()
    rows = [r for r in load_rows(tapegrad._C.op_table()) if not r["name"].startswith("_")]
    for row in rows:
        kept = {}
        for sample in all_samples([row]):
            for call, kind, text in errors_of(sample, function_of(tapegrad, row)):
                shape_of_text = "".join(c for c in text if not c.isdigit() and c not in "-[], ")  # one of those that differ in numbers only
                if shape_of_text in said or kept.get(kind, 0) >= (1 if kind in ONE else MOST):
                    continue
                said.add(shape_of_text)
                kept[kind] = kept.get(kind, 0) + 1
                if kind in ONE:
                    text = text.split("\n")[0]  # signatures follow, which docs/ops.md has
                lines += [f">>> {call}", *text.split("\n"), ""]
    return lines


if __name__ == "__main__":
    for file, made in (FILE, texts), (DEVICES, device_texts):
        if made is texts or tapegrad.cuda.is_available():
            file.write_text("\n".join(made()))
            print(f"wrote {file}")
