"""One op, several spellings: the method, the function, nn.functional, the in-place form and out= all agree."""
import numpy as np
import pytest
import tapegrad

from op_samples import RANDOM, Call, all_samples, flat, function_of, gradients, load_rows, named, run, run_raw, tensors_of, to_numpy

ROWS = load_rows(tapegrad._C.op_table())
SAMPLES = [s for s in all_samples(ROWS) if s.name not in RANDOM and s.name[0] != "_"]


RESHAPES = {"transpose", "swapaxes", "swapdims", "t", "squeeze", "unsqueeze"}  # x.t_() shows x otherwise


def same(a, b):
    a, b = flat(a), flat(b)
    assert len(a) == len(b)
    for x, y in zip(a, b):
        if isinstance(x, tapegrad.Tensor):
            assert x.dtype == y.dtype and tuple(x.shape) == tuple(y.shape)
            np.testing.assert_array_equal(to_numpy(x), to_numpy(y))
        else:
            assert x == y or x is y


def spellings(row):
    if row["method"] and row["function"]:
        yield lambda *a, **k: getattr(a[0], row["name"])(*a[1:], **k)
    if row["functional"] and row["function"]:
        yield getattr(tapegrad.nn.functional, row["name"])
    for alias in row["aliases"]:
        if row["function"]:
            yield named(tapegrad, alias)
        if row["method"]:
            yield lambda *a, alias=alias, **k: getattr(a[0], alias)(*a[1:], **k)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.id)
def test_op_spellings(sample):
    expected = run(function_of(tapegrad, sample.row), sample, Call(tapegrad, sample.tree()))
    for f in spellings(sample.row):
        call = Call(tapegrad, sample.tree())
        if call.args and isinstance(call.args[0], tapegrad.Tensor):
            same(run(f, sample, call), expected)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.row["inplace"]], ids=lambda s: s.id)
def test_op_inplace(sample):
    plain = Call(tapegrad, sample.tree())
    x = plain.args[0]
    expected = run(function_of(tapegrad, sample.row), sample, plain)
    call = Call(tapegrad, sample.tree())
    target = call.args[0] * 1 if call.args[0].is_floating_point() else call.args[0].clone()
    change = getattr(target, sample.name + "_")
    if sample.name in RESHAPES:
        assert change(*call.args[1:], **call.kwargs) is target
        np.testing.assert_array_equal(to_numpy(target), to_numpy(expected))
        return
    if tuple(expected.shape) != tuple(x.shape):
        with pytest.raises(RuntimeError, match=sample.name):
            change(*call.args[1:], **call.kwargs)
        return
    if expected.dtype != x.dtype and not (expected.dtype == tapegrad.bool or x.is_floating_point()):
        return  # an integer tensor cannot hold a float result: test_ops_errors has it
    version = target._version
    result = change(*call.args[1:], **call.kwargs)
    assert result is target and target._version > version
    np.testing.assert_array_equal(to_numpy(target), to_numpy(expected.to(x.dtype)))
    if expected.dtype == x.dtype and sample.row["differentiable"]:
        for a, b in zip(gradients(tapegrad, sample, [target], call.inputs), gradients(tapegrad, sample, [expected], plain.inputs)):
            same(a if a is not None else 0, b if b is not None else 0)
    elif not target.requires_grad and plain.inputs and sample.row["differentiable"] and expected.requires_grad:
        raise AssertionError("the in-place form lost the gradient")


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.row["out"]], ids=lambda s: s.id)
def test_op_out(sample):
    f = function_of(tapegrad, sample.row)
    call = Call(tapegrad, sample.tree(), requires_grad=False)
    expected = run_raw(f, sample, call)
    wanted = tensors_of(tapegrad, expected)

    def into(outs):
        out = outs[0] if isinstance(expected, tapegrad.Tensor) else tuple(outs)
        result = f(*call.args, **call.kwargs, out=out)
        for got, o, w in zip(flat(result), outs, wanted):
            assert got is o
            np.testing.assert_array_equal(to_numpy(o), to_numpy(w))
            assert tuple(o.shape) == tuple(w.shape)

    into([tapegrad.empty(tuple(w.shape), dtype=w.dtype) for w in wanted])
    into([tapegrad.empty((0,), dtype=w.dtype) for w in wanted])  # resized
    if all(w.dim() > 1 for w in wanted):
        into([tapegrad.empty(tuple(reversed(w.shape)), dtype=w.dtype).permute(*reversed(range(w.dim()))) for w in wanted])


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.row["out"] and s.row["differentiable"]], ids=lambda s: s.id)
def test_op_out_refuses_gradients(sample):
    call = Call(tapegrad, sample.tree())
    f = function_of(tapegrad, sample.row)
    wanted = tensors_of(tapegrad, run_raw(f, sample, call))
    if not any(w.requires_grad for w in wanted):
        return
    outs = [tapegrad.empty(tuple(w.shape), dtype=w.dtype) for w in wanted]
    with pytest.raises(RuntimeError, match="out"):
        f(*call.args, **call.kwargs, out=outs[0] if len(outs) == 1 else tuple(outs))
