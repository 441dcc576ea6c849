"""Convolutions of the shapes that choose each of the kernels: all three products against PyTorch in double, and the same bits with
any number of threads."""
import numpy as np
import pytest
import tapegrad as tg
import torch

# batch, channels in and out per group, groups, size, kernel, stride, padding, dilation
SHAPES = {
    "Winograd": (3, 17, 40, 1, (9, 11), (3, 3), (1, 1), (1, 1), (1, 1)),
    "Winograd, one small map": (16, 64, 320, 1, (4, 4), (3, 3), (1, 1), (1, 1), (1, 1)),
    "Winograd, padding 2": (2, 16, 16, 1, (14, 6), (3, 3), (1, 1), (2, 2), (1, 1)),
    "panels, stride 2": (5, 33, 50, 1, (13, 10), (3, 3), (2, 2), (1, 1), (1, 1)),
    "panels, stride 3 and a tap unused": (2, 9, 20, 1, (14, 15), (2, 2), (3, 3), (0, 1), (1, 1)),
    "panels, unequal": (2, 9, 12, 1, (20, 7), (5, 2), (1, 3), (2, 0), (2, 1)),
    "bands of lines, stride 2": (2, 5, 40, 1, (150, 118), (3, 3), (2, 2), (1, 1), (1, 1)),
    "bands of lines, stride 3": (1, 6, 40, 1, (200, 161), (4, 2), (3, 2), (2, 0), (1, 1)),
    "bands of lines, flat": (1, 4, 3, 1, (130, 140), (5, 5), (1, 1), (2, 2), (1, 1)),
    "flat, few channels": (2, 3, 64, 1, (40, 37), (7, 7), (2, 2), (3, 3), (1, 1)),
    "flat, one channel": (3, 1, 4, 1, (28, 28), (3, 3), (1, 1), (1, 1), (1, 1)),
    "spread back": (3, 20, 24, 1, (9, 9), (5, 5), (1, 1), (0, 0), (1, 1)),
    "spread back, one channel": (2, 1, 32, 1, (12, 13), (5, 3), (1, 1), (0, 1), (1, 2)),
    "1x1": (2, 64, 48, 1, (24, 24), (1, 1), (1, 1), (0, 0), (1, 1)),
    "1x1, odd planes": (3, 10, 7, 1, (23, 25), (1, 1), (1, 1), (0, 0), (1, 1)),
    "1x1, stride 2": (3, 18, 40, 1, (9, 8), (1, 1), (2, 2), (0, 0), (1, 1)),
    "1x1, stride 2 and padding": (3, 18, 40, 1, (9, 8), (1, 1), (2, 2), (1, 1), (1, 1)),
    "groups": (2, 5, 6, 3, (8, 9), (3, 3), (2, 1), (1, 1), (1, 1)),
    "many groups": (2, 4, 4, 20, (8, 8), (3, 3), (1, 1), (1, 1), (1, 1)),
    "depthwise": (2, 1, 1, 6, (30, 21), (3, 3), (1, 1), (1, 1), (1, 1)),
    "depthwise 5x5, narrow": (2, 1, 1, 6, (9, 7), (5, 5), (1, 1), (2, 2), (1, 1)),
    "depthwise, stride and dilation": (2, 1, 1, 6, (30, 21), (3, 4), (2, 3), (1, 2), (2, 1)),
    "depthwise, three each": (2, 1, 3, 6, (12, 35), (3, 3), (1, 1), (1, 1), (1, 1)),
    "1-D": (2, 20, 40, 1, (300,), (9,), (1,), (4,), (1,)),
    "1-D, stride": (2, 20, 40, 1, (300,), (9,), (4,), (4,), (2,)),
    "3-D": (2, 6, 9, 1, (7, 8, 9), (3, 2, 3), (1, 2, 1), (1, 0, 1), (1, 1, 2)),
}


def numbers(shape, dtype):
    n, c, k, groups, size, kernel, *_ = shape
    r = np.random.default_rng(0)
    return (r.standard_normal(s).astype(dtype) for s in ((n, c * groups, *size), (k * groups, c, *kernel), (k * groups,)))


def products(lib, conv, shape, arrays):
    x, w, b = (lib.from_numpy(a).requires_grad_() for a in arrays)
    _, _, _, groups, size, _, stride, padding, dilation = shape
    y = getattr(lib.nn.functional, f"{conv}{len(size)}d")(x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups)
    g = np.random.default_rng(1).standard_normal(tuple(y.shape)).astype(arrays[0].dtype)
    y.backward(lib.from_numpy(g))
    return [t.detach().numpy() for t in (y, x.grad, w.grad, b.grad)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SHAPES)
def test_products(name, dtype):
    arrays = list(numbers(SHAPES[name], dtype))
    for got, want in zip(products(tg, "conv", SHAPES[name], arrays), products(torch, "conv", SHAPES[name], [a.astype(float) for a in arrays])):
        assert np.abs(got - want).max() < (4e-6 if dtype == "float32" else 1e-13) * np.abs(want).max()


@pytest.mark.parametrize("name", SHAPES)
def test_transposed(name):
    x, w, _ = numbers(SHAPES[name], "float32")
    k, groups = SHAPES[name][2:4]
    x = np.random.default_rng(2).standard_normal((x.shape[0], k * groups, *x.shape[2:])).astype("float32")
    arrays = [x, w, np.zeros(w.shape[1] * groups, "float32")]
    got = products(tg, "conv_transpose", SHAPES[name], arrays)
    want = products(torch, "conv_transpose", SHAPES[name], [a.astype(float) for a in arrays])
    for a, b in zip(got, want):
        assert np.abs(a - b).max() < 4e-6 * np.abs(b).max()


@pytest.mark.parametrize("name", SHAPES)
def test_threads_keep_the_bits(name):
    arrays = list(numbers(SHAPES[name], "float32"))
    before = tg.get_num_threads()
    try:
        tg.set_num_threads(1)
        one = products(tg, "conv", SHAPES[name], arrays)
        for threads in (2, 3):
            tg.set_num_threads(threads)
            for a, b in zip(one, products(tg, "conv", SHAPES[name], arrays)):
                assert np.array_equal(a, b)
    finally:
        tg.set_num_threads(before)
