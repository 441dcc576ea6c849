"""Every op sample against PyTorch 2.13.0, live: value, dtype, shape, strides of views, first and second gradient; all dtypes;
the in-place and out= forms; and calls that PyTorch refuses. `make parity` runs it.

Where PyTorch accepts a dtype we must, with the same result dtype and values; where it refuses, we must refuse, unless it
only lacks a kernel.
"""
import numpy as np
import pytest
import tapegrad
import torch

from op_samples import (COMPLEX, DTYPES, RANDOM, Call, all_samples, comparable, dtype_name, flat, function_of, gradients, leaves,
                        load_rows, run, tensors_of, to_numpy)
from oracle import KNOWN_DIFFERENCES, torch_function

pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch warns about things of its own: deprecations, degrees of freedom
ROWS = [r for r in load_rows(tapegrad._C.op_table()) if r["name"][0] != "_" and torch_function(r)]
SAMPLES = all_samples(ROWS)
EXACT = [s for s in SAMPLES if s.name not in RANDOM]
# relative, absolute. 16-bit results are rounded once from float32, but PyTorch's own kernels round in between.
TOLERANCE = {"float64": (1e-9, 1e-9), "float32": (2e-5, 1e-5), "float16": (5e-3, 5e-3), "bfloat16": (4e-2, 4e-2),
             "complex128": (1e-9, 1e-9), "complex64": (5e-5, 1e-5)}
VIEWS = {"view", "reshape", "flatten", "unflatten", "transpose", "t", "mT", "permute", "movedim", "squeeze", "unsqueeze",
         "expand", "broadcast_to", "narrow", "select", "slice", "diagonal", "unfold", "as_strided", "split", "chunk",
         "unbind", "linalg.diagonal", "swapaxes", "swapdims", "expand_as", "view_as", "tensor_split"}


def known(sample, kind):
    reason = KNOWN_DIFFERENCES.get((sample.name, kind)) or KNOWN_DIFFERENCES.get((sample.repro, kind))
    if reason:
        pytest.skip(f"known difference: {reason}")


def compare(mine, theirs, what, tolerance=None):
    assert dtype_name(mine) == dtype_name(theirs), f"{what}: dtype {dtype_name(mine)}, PyTorch {dtype_name(theirs)}"
    assert tuple(mine.shape) == tuple(theirs.shape), f"{what}: shape {tuple(mine.shape)}, PyTorch {tuple(theirs.shape)}"
    rtol, atol = tolerance or TOLERANCE.get(dtype_name(mine), (0, 0))
    np.testing.assert_allclose(to_numpy(mine), to_numpy(theirs), rtol=rtol, atol=atol, err_msg=what)


# Their second result says where the first came from; among equal values any place is right.
PLACES = {"topk", "kthvalue", "median", "sort", "nanmedian", "mode"}


# Recorded by PyTorch too, whose backward then says that there is no derivative.
UNDERIVED = {"floor_divide", "linalg.ldl_factor", "linalg.ldl_factor_ex"}


def compare_results(mine, theirs, tolerance=None, ties=False):
    """ties: the values may be equal to each other, so places are not compared."""
    mine, theirs = flat(mine), flat(theirs)
    if ties:
        mine, theirs = mine[:1], theirs[:1]
    assert len(mine) == len(theirs), f"{len(mine)} results, PyTorch gives {len(theirs)}"
    for k, (a, b) in enumerate(zip(mine, theirs)):
        if isinstance(b, torch.Tensor):
            compare(a, b, f"output {k}", tolerance)
        else:
            assert a == b, f"output {k}: {a!r}, PyTorch {b!r}"


def compare_gradients(mine, theirs, what, tolerance=None):
    for k, (a, b) in enumerate(zip(mine, theirs)):
        if a is None or b is None:  # no gradient at all and a gradient of zeros are the same answer
            assert a is None or not to_numpy(a).any(), f"{what} {k}: PyTorch has none"
            assert b is None or not to_numpy(b).any(), f"{what} {k} is missing"
        else:
            compare(a, b, f"{what} {k}", tolerance)


def attempt(f):
    """(result, None) or (None, exception)"""
    try:
        return f(), None
    except Exception as e:  # any refusal is what is being compared
        return None, e


@pytest.mark.parametrize("sample", EXACT, ids=lambda s: s.id)
def test_op_value_and_gradients(sample):
    known(sample, "value")
    tree = sample.tree()
    ours, theirs = Call(tapegrad, tree), Call(torch, tree)
    a = run(function_of(tapegrad, sample.row), sample, ours)
    b = run(torch_function(sample.row), sample, theirs)
    compare_results(a, b)
    a, b = tensors_of(tapegrad, a), tensors_of(torch, b)
    assert [x.requires_grad for x in a] == [x.requires_grad for x in b], "requires_grad"
    if not sample.row["differentiable"]:
        assert sample.name in UNDERIVED or not any(x.requires_grad for x in b), "PyTorch has a gradient"
        return
    if not any(x.requires_grad for x in b):
        return
    ga = gradients(tapegrad, sample, a, ours.inputs, create_graph=True)
    gb, refused = attempt(lambda: gradients(torch, sample, b, theirs.inputs, create_graph=True))
    if refused:  # PyTorch has no derivative here: ours is checked by differences alone
        return
    compare_gradients(ga, gb, "gradient", (1e-7, 1e-8))  # some of PyTorch's formulas hold constants in float32
    pairs = [(x, y) for x, y in zip(ga, gb) if x is not None and y is not None and y.requires_grad]
    recorded = [(x, y) for x, y in pairs if x.requires_grad]
    for _, y in (p for p in pairs if not p[0].requires_grad):  # no graph is right where the second derivative is zero
        seconds, refused = attempt(lambda: gradients(torch, sample, [y], theirs.inputs, salt="second"))
        assert refused or not any(g is not None and to_numpy(g).any() for g in seconds), "no second gradient"
    theirs2, refused = attempt(lambda: gradients(torch, sample, [y for _, y in recorded], theirs.inputs, salt="second"))
    if not refused:
        ours2 = gradients(tapegrad, sample, [x for x, _ in recorded], ours.inputs, salt="second")
        compare_gradients(ours2, theirs2, "second gradient", (1e-7, 1e-8))


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.name in RANDOM], ids=lambda s: s.id)
def test_random_op_dtype_and_shape(sample):
    known(sample, "value")
    tree = sample.tree()
    a = run(function_of(tapegrad, sample.row), sample, Call(tapegrad, tree))
    b = run(torch_function(sample.row), sample, Call(torch, tree))
    assert [(dtype_name(x), tuple(x.shape), x.requires_grad) for x in tensors_of(tapegrad, a)] == \
           [(dtype_name(x), tuple(x.shape), x.requires_grad) for x in tensors_of(torch, b)]


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "sliced"])
@pytest.mark.parametrize("sample", [s for s in EXACT if s.name in VIEWS and not s.row["functional"]], ids=lambda s: s.id)
def test_view_strides(sample, layout):
    known(sample, "strides")
    tree = sample.tree()
    ours, theirs = Call(tapegrad, tree, layout=layout), Call(torch, tree, layout=layout)
    b, refused = attempt(lambda: tensors_of(torch, run(torch_function(sample.row), sample, theirs)))
    if refused:
        with pytest.raises(tapegrad.Error):
            run(function_of(tapegrad, sample.row), sample, ours)
        return
    a = tensors_of(tapegrad, run(function_of(tapegrad, sample.row), sample, ours))
    for x, y in zip(a, b, strict=True):
        assert x.storage_offset() == y.storage_offset() or y.numel() == 0
        strides = [(s, t) for n, s, t in zip(y.shape, x.stride(), y.stride()) if n > 1]  # size 1: any stride will do
        assert y.numel() == 0 or all(s == t for s, t in strides), f"strides {x.stride()}, PyTorch {y.stride()}"
        assert (x._base is None) == (y._base is None), "is it a view?"


@pytest.mark.parametrize("dtype", DTYPES + COMPLEX)
@pytest.mark.parametrize("sample", [s for s in EXACT if any(v.dtype is None for v in leaves(s.tree()))], ids=lambda s: s.id)
def test_op_dtype(sample, dtype):
    known(sample, "dtype")
    known(sample, dtype)
    tree = sample.tree()
    theirs = Call(torch, tree, dtype=dtype)
    b, refused = attempt(lambda: run(torch_function(sample.row), sample, theirs))
    ours = Call(tapegrad, tree, dtype=dtype)
    a, error = attempt(lambda: run(function_of(tapegrad, sample.row), sample, ours))
    if refused:
        lacks_a_kernel = "not implemented for" in str(refused) or "does not support automatic diff" in str(refused) or (sample.name, "more dtypes") in KNOWN_DIFFERENCES
        assert error is not None or lacks_a_kernel, f"PyTorch refuses {dtype}: {str(refused)[:150]}"
        assert error is None or isinstance(error, (RuntimeError, TypeError, ValueError)), repr(error)
        return
    if error is not None:
        if all(t.numel() == 0 for t in tensors_of(torch, b)):  # nothing computed, nothing refused
            return
        if dtype in COMPLEX and not sample.row["complex"] and isinstance(error, tapegrad.DtypeError):
            return  # refused, not wrong
        raise AssertionError(f"PyTorch accepts {dtype}") from error
    compare_results(a, b, ties=sample.name in PLACES and dtype != "float64")
    if dtype in ("float32", "float16", "bfloat16", *COMPLEX):
        a, b = tensors_of(tapegrad, a), tensors_of(torch, b)
        gb, refused = attempt(lambda: gradients(torch, sample, b, theirs.inputs))
        if not refused:
            rtol, atol = TOLERANCE[dtype]
            compare_gradients(gradients(tapegrad, sample, a, ours.inputs), gb, "gradient", (4 * rtol, 4 * atol))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool", "complex128"])
@pytest.mark.parametrize("sample", [s for s in EXACT if s.row["inplace"]], ids=lambda s: s.id)
def test_op_inplace(sample, dtype):
    known(sample, "inplace")
    known(sample, dtype)
    tree = sample.tree()

    def change(lib, call):
        target = call.args[0].clone()
        result = getattr(target, sample.name + "_")(*call.args[1:], **call.kwargs)
        assert result is target
        return target

    theirs, ours = Call(torch, tree, dtype=dtype), Call(tapegrad, tree, dtype=dtype)
    b, refused = attempt(lambda: change(torch, theirs))
    a, error = attempt(lambda: change(tapegrad, ours))
    if refused:
        assert error is not None or "not implemented for" in str(refused), f"PyTorch refuses: {str(refused)[:150]}"
        return
    if error is not None:
        raise AssertionError("PyTorch accepts it") from error
    compare_results(a, b)
    if dtype == "float64":
        gb, refused = attempt(lambda: gradients(torch, sample, [b], theirs.inputs))
        if not refused:
            compare_gradients(gradients(tapegrad, sample, [a], ours.inputs), gb, "gradient")


def out_tensors(lib, call, wanted, dtype):
    return [lib.empty((0,), dtype=getattr(lib, dtype or dtype_name(w))) for w in wanted]


@pytest.mark.parametrize("dtype", [None, "float64", "int64"])
@pytest.mark.parametrize("sample", [s for s in EXACT if s.row["out"]], ids=lambda s: s.id)
def test_op_out(sample, dtype):
    """out= of the result's dtype and of others: cast where PyTorch casts; a float result never goes into integers."""
    known(sample, "out")
    tree = sample.tree()
    if dtype and not leaves(tree):
        return  # a factory follows the dtype of out in PyTorch and refuses others here

    def into(lib, f, call):
        wanted = tensors_of(lib, run(f, sample, call))
        outs = out_tensors(lib, call, wanted, dtype)
        f(*call.args, **call.kwargs, out=outs[0] if len(outs) == 1 else tuple(outs))
        return flat(comparable(sample, outs))

    theirs, ours = (Call(lib, tree, dtype="float32", requires_grad=False) for lib in (torch, tapegrad))
    b, refused = attempt(lambda: into(torch, torch_function(sample.row), theirs))
    if isinstance(refused, TypeError):  # their spelling has no out=
        return
    a, error = attempt(lambda: into(tapegrad, function_of(tapegrad, sample.row), ours))
    if refused:
        if dtype == "int64" and any(t.is_floating_point() for t in tensors_of(torch, run(torch_function(sample.row), sample, theirs))):
            assert error is not None, f"PyTorch refuses: {str(refused)[:150]}"
        return  # a float64 out that PyTorch refuses for its kernels' sake is filled here
    if error is not None:
        raise AssertionError("PyTorch accepts it") from error
    compare_results(a, b, TOLERANCE["float32"])
