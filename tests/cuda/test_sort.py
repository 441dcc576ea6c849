"""Sorting, searching and selection on a device against the CPU: stable, NaN last, short rows (a block's network) and long ones (radix sort)."""
import math

import numpy as np
import pytest
import tapegrad as tg

DTYPES = (tg.bool, tg.uint8, tg.int8, tg.int16, tg.int32, tg.int64, tg.float16, tg.bfloat16, tg.float32, tg.float64)


def drawn(shape, dtype=tg.float32, levels=20):
    """Numbers with many equals among them."""
    tg.manual_seed(1)
    x = tg.randint(0 if dtype in (tg.bool, tg.uint8) else -levels, levels, shape)
    return (x % 2 if dtype == tg.bool else x).to(dtype)


def check(f, *tensors):
    expected, got = f(*tensors), f(*(t.to("cuda") for t in tensors))
    for a, b in zip(got if isinstance(got, (tuple, list)) else [got], expected if isinstance(expected, (tuple, list)) else [expected]):
        assert a.is_cuda and a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a.cpu().to(tg.float64).numpy(), b.to(tg.float64).numpy())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape, dim", [((37,), 0), ((3, 2100), 1), ((5, 9), 0)])
def test_every_dtype(dtype, shape, dim):
    x = drawn(shape, dtype)
    for descending in (False, True):
        check(lambda t: t.sort(dim, descending), x)
    check(lambda t: t.topk(3, dim), x)
    if dtype != tg.bool:
        check(lambda t: t.median(dim), x)
        check(lambda t: t.kthvalue(2, dim), x)
    check(lambda t: t.mode(dim), x)
    check(lambda t: tg.unique(t, return_inverse=True, return_counts=True), x)


@pytest.mark.parametrize("n", [1, 2, 3, 31, 64, 65, 1000, 2047, 2048, 2049])
def test_lengths_around_the_borders(n):
    for rows in (1, 3):
        check(lambda t: t.sort(-1), drawn((rows, n), levels=n))
        check(lambda t: t.argsort(-1, descending=True), drawn((rows, n), tg.float64, levels=n))
        check(lambda t: t.topk(n // 2 + 1, largest=False), drawn((rows, n)))
    check(lambda t: t.sort(0), drawn((n, 2)))


def test_nan_infinities_and_zeros():
    x = tg.tensor([math.nan, 1.0, -0.0, 0.0, -math.inf, math.nan, math.inf, -1.0, 0.0, -0.0])
    for t in (x, x.to(tg.float64), x.to(tg.float16), x.repeat(300)):
        check(lambda v: v.sort(), t)
        check(lambda v: v.sort(descending=True), t)
        check(lambda v: v.topk(4), t)
        check(lambda v: v.median(0), t)
        check(lambda v: v.nanmedian(0), t)
        check(lambda v: v.mode(), t)
        check(lambda v: tg.unique(v[:8]), t)


def test_gradients_go_where_values_came_from():
    for f in (lambda t: t.sort(1)[0], lambda t: t.topk(2, 0)[0], lambda t: t.median(1)[0], lambda t: t.kthvalue(3)[0], lambda t: t.median()):
        grads = []
        for device in ("cpu", "cuda"):
            x = drawn((6, 9)).to(device).requires_grad_()
            out = f(x)
            (out * tg.arange(out.numel(), device=device).reshape(out.shape)).sum().backward()
            grads.append(x.grad.cpu().numpy())
        np.testing.assert_array_equal(grads[1], grads[0])


@pytest.mark.parametrize("shape", [(), (1,), (4095,), (4096,), (4097,), (3, 5, 700), (0,), (2, 0)])
def test_nonzero_and_masks(shape):
    x = drawn(shape, levels=2)
    check(tg.nonzero, x)
    check(lambda t: tg.masked_select(t, t > 0), x)
    check(lambda t: t.masked_fill(t > 0, 7.0), x)
    check(lambda t: t.masked_scatter(t > 0, tg.arange(t.numel() + 1, dtype=tg.float32, device=t.device)), x)
    if x.dim():
        check(lambda t: t[t < 0], x)


def test_all_set_and_none_set():
    for value in (0.0, 1.0):
        check(tg.nonzero, tg.full((3, 3000), value))


def test_searching():
    x = drawn((200,), levels=50)
    for dtype in DTYPES[1:]:
        check(lambda s, v: tg.searchsorted(s, v), drawn((60,), dtype).sort()[0], drawn((4, 7), dtype))
    check(lambda s, v: tg.searchsorted(s, v, right=True), drawn((3, 60)).sort()[0], drawn((3, 9)))
    check(lambda v, b: tg.bucketize(v, b), x, tg.tensor([-10.0, 0.0, 10.0]))
    check(lambda a, b: tg.isin(a, b), x, x[:10])


def test_counts():
    x = drawn((3000,), tg.int64).abs()
    check(tg.bincount, x)
    check(lambda v, w: tg.bincount(v, w, minlength=50), x, drawn((3000,)))
    check(lambda v: tg.histc(v, 7), drawn((500,)))
    check(lambda v: tg.histc(v, 7, -5, 5), drawn((500,)))
    check(lambda v: tg.histogram(v, 6), drawn((500,)))
    with pytest.raises(ValueError, match="must not hold negative numbers"):
        tg.bincount(tg.tensor([1, -2], device="cuda"))


def test_unique_rows():
    x = drawn((40, 3), tg.int64, levels=2)
    check(lambda t: tg.unique(t, return_inverse=True, return_counts=True, dim=0), x)
    check(lambda t: tg.unique(t, dim=1), x)
    check(lambda t: tg.unique_consecutive(t, return_inverse=True, return_counts=True), x.view(-1))
    check(lambda t: tg.unique(t, return_counts=True), tg.zeros((0,)))
