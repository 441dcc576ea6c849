"""Rows, columns and reductions of 16-bit floats: what float32 gives, rounded once, forward and backward."""
import numpy as np
import pytest
import tapegrad as tg
from tapegrad.nn import functional as F

SHAPES = [(3, 5), (33, 1), (7, 1000), (2, 20_000), (1000, 3), (2, 3, 70, 5)]


def numbers(shape, dtype, seed=0):
    return tg.tensor(3 * np.random.default_rng(seed).standard_normal(shape)).to(dtype)


def agree(half, full, what):
    rounded = full.to(half.dtype) if half.is_floating_point() else full
    assert np.array_equal(half.detach().float().numpy(), rounded.detach().float().numpy(), equal_nan=True), what


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_along_a_dim(dtype, shape):
    x = numbers(shape, dtype)
    for dim in range(len(shape)):
        for name in ["softmax", "log_softmax", "sum", "mean", "amax", "amin", "logsumexp", "argmax", "argmin"]:
            agree(getattr(x, name)(dim), getattr(x.float(), name)(dim), (name, dim))
        for name in ["max", "min"]:
            for half, full in zip(getattr(x, name)(dim), getattr(x.float(), name)(dim), strict=True):
                agree(half, full, (name, dim))
        agree(x.norm(dim=dim), x.float().norm(dim=dim), ("norm", dim))
        if shape[dim] > 1:
            agree(x.var(dim), x.float().var(dim), ("var", dim))
    agree(x.sum(), x.float().sum(), "sum")
    agree(x.max(), x.float().max(), "max")


def both_ways(f, *leaves):
    half = [t.detach().clone().requires_grad_() for t in leaves]
    full = [t.detach().float().requires_grad_() for t in leaves]
    y, z = f(*half), f(*full)
    agree(y, z, "result")
    g = numbers(tuple(y.shape), y.dtype, 1)
    y.backward(g)
    z.backward(g.float())
    for k, (a, b) in enumerate(zip(half, full, strict=True)):
        agree(a.grad, b.grad, f"gradient {k}")


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_norms(dtype):
    for shape in [(7, 1000), (600, 33), (2, 9001)]:
        x, w, b = numbers(shape, dtype), numbers(shape[1:], dtype, 2), numbers(shape[1:], dtype, 3)
        both_ways(lambda x, w, b: F.layer_norm(x, x.shape[1:], w, b), x, w, b)
        both_ways(lambda x, w: F.rms_norm(x, x.shape[1:], w, 1e-5), x, w)
    x, w, b = numbers((4, 6, 11, 3), dtype), numbers(6, dtype, 2), numbers(6, dtype, 3)
    both_ways(lambda x, w, b: F.group_norm(x, 2, w, b), x, w, b)
    both_ways(lambda x, w, b: F.batch_norm(x, None, None, w, b, True), x, w, b)


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_losses(dtype):
    x, target = numbers((40, 33), dtype), tg.arange(40) % 33
    for reduction in ["mean", "none"]:
        both_ways(lambda x, r=reduction: F.cross_entropy(x, target, reduction=r, label_smoothing=0.1), x)
        both_ways(lambda x, r=reduction: F.nll_loss(x, target, reduction=r), x)


def test_nll_of_impossible_classes():
    x = tg.tensor([[0.0, -float("inf"), 1.0]], requires_grad=True)
    F.nll_loss(x, tg.tensor([0])).backward()
    assert x.grad.tolist() == [[-1.0, 0.0, 0.0]]
