"""Reductions and scans on a device against the CPU: sizes around the borders of the plans (src/ops/cuda/fold_plan.h), strides, dtypes, NaN, ties."""
import itertools
import math

import numpy as np
import pytest
import tapegrad as tg

FLOATS = (tg.float32, tg.float64, tg.float16, tg.bfloat16)
INTEGERS = (tg.bool, tg.uint8, tg.int8, tg.int16, tg.int32, tg.int64)
TOLERANCE = {tg.float32: 2e-5, tg.float64: 1e-12, tg.float16: 2e-3, tg.bfloat16: 1.6e-2}


def drawn(shape, dtype=tg.float32, seed=0):
    tg.manual_seed(seed)
    if dtype in FLOATS:
        return tg.randn(shape).to(dtype)
    return tg.randint(0, 2, shape).to(dtype) if dtype == tg.bool else tg.randint(0 if dtype == tg.uint8 else -9, 10, shape).to(dtype)


def check(f, x, tolerance=None):
    """f of x on the device, as on the CPU."""
    expected, got = f(x), f(x.to("cuda"))
    for a, b in zip(got if isinstance(got, (tuple, list)) else [got], expected if isinstance(expected, (tuple, list)) else [expected]):
        assert a.is_cuda and a.dtype == b.dtype and a.shape == b.shape
        t = TOLERANCE.get(b.dtype, 0) if tolerance is None else tolerance
        np.testing.assert_allclose(a.cpu().to(tg.float64).numpy(), b.to(tg.float64).numpy(), rtol=t, atol=t)


SHAPES = [((1,), 0), ((31,), 0), ((1025,), 0), ((70001,), 0), ((3, 32), 1), ((5, 33), 1), ((2, 1024), 1), ((2, 1027), 1), ((3, 20000), 1), ((33, 3), 0),
          ((2, 40), 0), ((9, 257), 0), ((20000, 3), 0), ((4, 5, 6), 1), ((3, 65, 7), (0, 2)), ((2, 3, 4, 5), (1, 3)), ((3, 2, 3, 2, 3), (0, 2, 4))]


@pytest.mark.parametrize("shape, dim", SHAPES)
def test_folds_of_many_shapes(shape, dim):
    x = drawn(shape)
    scale = math.sqrt(x.numel())
    check(lambda t: t.sum(dim), x, 2e-6 * scale)
    check(lambda t: t.amax(dim), x, 0)
    check(lambda t: tg.count_nonzero(t > 0.5, dim), x)
    check(lambda t: t.var(dim, correction=0), x)
    check(lambda t: t.logsumexp(dim), x)
    check(lambda t: tg.linalg.vector_norm(t, dim=dim), x)


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
@pytest.mark.parametrize("layout", ["dense", "transposed", "stepped", "shifted"])
def test_dtypes_and_strides(dtype, layout):
    x = drawn((24, 70), dtype)
    x = {"dense": x, "transposed": x.t(), "stepped": x[:, ::2], "shifted": x[:, 1:]}[layout]
    for dim, keepdim in itertools.product((0, 1, (0, 1)), (False, True)):
        check(lambda t: t.sum(dim, keepdim=keepdim), x, 2e-2 if dtype == tg.bfloat16 else None)
        check(lambda t: t.amin(dim, keepdim=keepdim), x, 0)
        check(lambda t: t.all(dim, keepdim=keepdim), x)
        check(lambda t: t.any(dim, keepdim=keepdim), x)
    for dim in (0, 1):
        check(lambda t: t.max(dim), x, 0)
        check(lambda t: t.min(dim), x, 0)
        check(lambda t: t.prod(dim), (x * 0.1 + 1).to(dtype) if dtype in FLOATS else x)
        check(lambda t: t.cumsum(dim), x, 3e-2 if dtype == tg.bfloat16 else None)
        check(lambda t: t.cummax(dim), x, 0)


@pytest.mark.parametrize("shape, dim", [((70001,), 0), ((3, 1500), 1), ((3, 12000), 1), ((1500, 5), 0), ((12000, 2), 0), ((300, 40), 1)])
def test_places_ties_and_nan(shape, dim):
    x = (drawn(shape) * 3).round()  # many equal numbers
    for f in (tg.max, tg.min, tg.cummax, tg.cummin):
        check(lambda t: f(t, dim), x, 0)
    for at in (0, x.numel() // 2, x.numel() - 1):
        x.view(-1)[at] = math.nan
    for f in (tg.max, tg.min, tg.cummax, tg.cummin):
        check(lambda t: f(t, dim), x, 0)
    check(lambda t: t.amax(dim), x, 0)
    check(lambda t: t.sum(dim), x, 1e-2)


def test_places_of_infinities_and_borders_of_integers():
    check(lambda t: t.max(0), tg.full((2000,), -math.inf))
    check(lambda t: t.min(0), tg.full((40,), math.inf))
    check(lambda t: t.max(0), tg.full((5,), -(2**63), dtype=tg.int64))
    check(lambda t: t.amin(0), tg.tensor([2**63 - 1, 5], dtype=tg.int64))
    check(lambda t: t.argmax(), drawn((3, 4, 5)))


@pytest.mark.parametrize("n, dtype", [(31, tg.float32), (513, tg.float64), (9000, tg.float32), (20000, tg.int64), (33, tg.bfloat16)])
def test_scans_of_long_lines(n, dtype):
    x = drawn((3, n), dtype)
    for t in (x, x.t()):
        dim = 1 if t is x else 0
        check(lambda v: v.cumsum(dim), t, 1e-4 if dtype == tg.float32 else None)
        check(lambda v: v.cumprod(dim), (t * 0.01 + 1).to(dtype) if dtype in FLOATS else t.clamp(1, 2))
        check(lambda v: v.cummin(dim), t, 0)
        if dtype in FLOATS:
            check(lambda v: v.logcumsumexp(dim), t)


@pytest.mark.parametrize("f", [lambda t: t.cumsum(0), lambda t: t.cumprod(0), lambda t: t.logcumsumexp(0), lambda t: t.cummax(0)[0], lambda t: t.prod(0),
                               lambda t: t.max(0)[0], lambda t: t.amax(), lambda t: t.var(0), lambda t: t.std(), lambda t: t.logsumexp(0),
                               lambda t: t.mean((0, 1)), lambda t: t.norm(3, 1), lambda t: t.sum_to_size(1, 70)])
@pytest.mark.parametrize("dtype", [tg.float32, tg.bfloat16], ids=str)
def test_gradients(f, dtype):
    x = (drawn((20, 70)) * 0.3 + 1).to(dtype)
    grads = []
    for device in ("cpu", "cuda"):
        leaf = x.to(device).detach().requires_grad_()
        out = f(leaf)
        out.backward((tg.arange(out.numel(), dtype=tg.float32).reshape(out.shape) % 7 - 3).to(dtype).to(device))
        assert leaf.grad.dtype == dtype
        grads.append(leaf.grad.cpu().to(tg.float64).numpy())
    tolerance = 3 * TOLERANCE[dtype]
    np.testing.assert_allclose(grads[1], grads[0], rtol=tolerance, atol=tolerance * np.abs(grads[0]).max())


def test_empty_reductions():
    for shape, dim in (((0,), 0), ((3, 0), 1), ((0, 3), 1), ((0, 3), 0)):
        for f in (tg.sum, tg.mean, tg.prod, tg.any, tg.all, tg.var, tg.cumsum):
            check(lambda t: f(t, dim), tg.zeros(shape))
    for f in (tg.max, tg.argmin, tg.amax):
        with pytest.raises(IndexError, match="at least one element"):
            f(tg.zeros((3, 0), device="cuda"), 1)


def test_the_same_bits_again_and_from_any_address():
    x = drawn((3, 30001)).to("cuda")
    shifted = tg.empty(3 * 30001 + 1, device="cuda")[1:].reshape(3, 30001).copy_(x)
    for f in (lambda t: t.sum(), lambda t: t.sum(1), lambda t: t.sum(0), lambda t: t.var(1), lambda t: t.cumsum(1)):
        first = f(x).cpu().numpy().tobytes()
        assert f(x).cpu().numpy().tobytes() == first and f(shifted).cpu().numpy().tobytes() == first


def test_long_sums_are_accurate():
    x = drawn((200000,)).abs()
    exact = math.fsum(x.to(tg.float64).tolist())
    assert abs(x.to("cuda").sum().item() - exact) / exact < 2e-7
    assert tg.full((70000,), 0.1, dtype=tg.float16, device="cuda").sum().item() == tg.full((70000,), 0.1, dtype=tg.float16).sum().item()
    assert tg.ones(70000, dtype=tg.bool, device="cuda").sum().item() == 70000
