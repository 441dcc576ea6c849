"""Calls that PyTorch refuses, made by damaging good ones: each is refused here too, with a compatible exception type and a
text that names the op. What both accept after the damage gives the same result, and nothing crashes.

Empty and 0-d tensors in a wrong place, and mixed dtypes, are refused here and there by different rules (PyTorch often skips
its checks when there is nothing to compute): only the text and the results are compared then.
"""
import itertools

import numpy as np
import pytest
import tapegrad
import torch

from op_samples import Call, Leaf, RANDOM, all_samples, flat, function_of, load_rows, map_tree, run
from oracle import KNOWN_DIFFERENCES, torch_function
from test_ops_parity import PLACES, attempt, compare_results

pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch warns about things of its own: deprecations, degrees of freedom
ROWS = [r for r in load_rows(tapegrad._C.op_table()) if r["name"][0] != "_" and torch_function(r)]
SAMPLES = [s for s in all_samples(ROWS) if s.name not in RANDOM]
SHAPES = [(7, 11), (3, 7, 11), (0,), (2, 0, 3), ()]


# Factorizations that are defined for regular matrices only, which damaged ones are not: of these only shapes are compared.
REGULAR = {"linalg.cholesky_ex", "linalg.cond", "linalg.qr", "qr", "geqrf", "linalg.svd", "svd", "linalg.eigh", "linalg.eig", "linalg.lstsq", "linalg.inv_ex",
           "linalg.solve_ex"}


def replaced(tree, number, leaf):
    """The tree with its leaf of that number replaced."""
    count = itertools.count()
    return map_tree(lambda v: (leaf if next(count) == number else v) if isinstance(v, Leaf) else v, tree)


def damaged_shapes(tree):
    found = []
    map_tree(lambda v: found.append(v) if isinstance(v, Leaf) else None, tree)
    for number, old in enumerate(found):
        for shape in SHAPES:
            values = np.arange(int(np.prod(shape))).reshape(shape) % 3
            new = Leaf((values > 0) if old.kind == "bool" else values + (0.25 if old.kind == "float" else 0), old.kind, old.dtype)
            yield f"tensor {number} has shape {shape}", replaced(tree, number, new)


def damaged_numbers(tree):
    """Positional and keyword integers out of range: dims, indices, sizes."""
    args, kwargs = tree
    for i, v in enumerate(args):
        for bad in (99, -99):
            if type(v) is int:
                yield f"argument {i} is {bad}", (args[:i] + [bad] + args[i + 1:], kwargs)
            if isinstance(v, list) and v and type(v[0]) is int:
                yield f"argument {i} is {[bad] + v[1:]}", (args[:i] + [[bad] + v[1:]] + args[i + 1:], kwargs)
    for k, v in kwargs.items():
        for bad in (99, -99):
            if type(v) is int:
                yield f"{k}={bad}", (args, {**kwargs, k: bad})
        if isinstance(v, str):
            yield f"{k}='no such'", (args, {**kwargs, k: "no such"})


def damaged_dtypes(tree):
    found = []
    map_tree(lambda v: found.append(v) if isinstance(v, Leaf) else None, tree)
    for number, old in enumerate(found):
        for dtype in ("float64", "int64", "int32", "bool"):
            kind = {"f": "float", "i": "int", "b": "bool"}[dtype[0]]
            if old.kind != kind:
                yield f"tensor {number} is {dtype}", replaced(tree, number, Leaf(np.abs(old.array).astype(dtype), kind, dtype))


def same_words(mine, theirs):
    """Checks that nn.functional makes in Python raise what PyTorch raises, word for word."""
    return isinstance(mine, type(theirs)) and str(mine).replace("tapegrad", "torch")[:40] == str(theirs)[:40]


def degenerate(what):
    return what.endswith(("shape (0,)", "shape (2, 0, 3)", "shape ()"))


def compatible(mine, theirs, damage):
    if same_words(mine, theirs):
        return True
    if isinstance(theirs, IndexError) and damage is damaged_numbers:
        return isinstance(mine, IndexError)
    if isinstance(theirs, (TypeError, ValueError)):
        return isinstance(mine, (TypeError, ValueError, RuntimeError))
    return isinstance(mine, (RuntimeError, IndexError))


def names_an_op(text, name):
    """The op itself, or for an alias or a composition the op that it is made of."""
    return name.rstrip("_") in text or text.split(":")[0].rstrip("_()") in NAMES


NAMES = {r["name"] for r in load_rows(tapegrad._C.op_table())} | {"multi_dot"}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.id)
def test_damaged_call(sample):
    ours, theirs = function_of(tapegrad, sample.row), torch_function(sample.row)
    failures = []
    for damage in (damaged_shapes, damaged_numbers, damaged_dtypes):
        for what, tree in damage(sample.tree()):
            if (sample.name, what) in KNOWN_DIFFERENCES or (sample.name, "errors") in KNOWN_DIFFERENCES:
                continue
            call, unmade = attempt(lambda: Call(torch, tree))
            if unmade is not None:  # a sample's own view, T(2, 3).t(), does not survive the damage
                continue
            b, refused = attempt(lambda: run(theirs, sample, call))
            a, error = attempt(lambda: run(ours, sample, Call(tapegrad, tree)))
            problem = None
            if (refused is None) != (error is None) and (damage is damaged_dtypes or degenerate(what)):
                continue
            if refused is not None and error is None:
                problem = f"accepted; PyTorch: {type(refused).__name__}: {str(refused)[:100]}"
            elif refused is None and error is not None:
                problem = f"refused ({type(error).__name__}: {str(error)[:160]}); PyTorch accepts it"
            elif refused is not None:
                if not compatible(error, refused, damage):
                    problem = f"{type(error).__name__}, PyTorch raises {type(refused).__name__}: {str(refused)[:100]}"
                elif not names_an_op(str(error), sample.name) and not same_words(error, refused) and not degenerate(what):
                    problem = f"the text does not name the op: {str(error)[:160]}"
            elif sample.name in REGULAR:
                problem = None if [t.shape for t in flat(a)] == [t.shape for t in flat(b)] else "other shapes"
            else:
                _, different = attempt(lambda: compare_results(a, b, ties=sample.name in PLACES))
                if different is not None:
                    problem = "differs: " + " ".join(str(different).split())[:160]
            if problem:
                failures.append(f"{sample.repro} where {what}: {problem}")
    assert not failures, "\n".join(failures)
