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


# Elementwise ops have loops of their own for operands of one 16-bit type; whatever the layout, the bits are float32's, rounded once.
UNARY = ["neg", "abs", "sign", "floor", "round", "frac", "square", "sqrt", "rsqrt", "reciprocal", "exp", "log", "sin", "tanh", "sigmoid",
         "relu", "erf", "isnan", "isinf", "isfinite", "logical_not"]
ACTIVATIONS = ["gelu", "silu", "leaky_relu", "elu", "hardswish", "hardtanh", "softsign", "softshrink", "mish"]
BINARY = ["add", "sub", "mul", "div", "maximum", "minimum", "fmax", "eq", "lt", "ge", "atan2", "pow", "remainder", "hypot", "copysign"]


def special(x):
    """x, flat, with the numbers that rounding and widening treat differently."""
    flat = x.flatten()
    few = tg.tensor([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 6e-8, -3e-5, 65504.0, 3e38, 1e-40]).to(x.dtype)
    flat[: min(10, len(flat))] = few[: len(flat)]
    return x


def layouts(dtype, n):
    dense = special(numbers((n,), dtype))
    yield "dense", dense
    yield "every other", special(numbers((2 * n,), dtype))[::2]
    yield "from the second on", special(numbers((n + 1,), dtype))[1:]
    yield "expanded", numbers((1,), dtype).expand(n)


@pytest.mark.parametrize("n", [1, 15, 33, 1000, 40_003])
@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_elementwise(dtype, n):
    other = numbers((n,), dtype, 7)
    for what, x in layouts(dtype, n):
        for name in UNARY:
            agree(getattr(x, name)(), getattr(x.float(), name)(), (name, what))
        for name in ACTIVATIONS:
            agree(getattr(F, name)(x), getattr(F, name)(x.float()), (name, what))
        for name in BINARY:
            agree(getattr(tg, name)(x, other), getattr(tg, name)(x.float(), other.float()), (name, what))
            agree(getattr(tg, name)(other, x), getattr(tg, name)(other.float(), x.float()), (name, what))
        agree(x.clamp(-1, 0.5), x.float().clamp(-1, 0.5), ("clamp", what))
        agree(tg.add(x, other, alpha=0.3), tg.add(x.float(), other.float(), alpha=0.3), ("add alpha", what))
        agree(tg.addcmul(x, other, x, value=0.3), tg.addcmul(x.float(), other.float(), x.float(), value=0.3), ("addcmul", what))
        agree(tg.where(x > 0, x, other), tg.where(x > 0, x.float(), other.float()), ("where", what))
        agree(tg.where(x > 0, x, -2.5), tg.where(x > 0, x.float(), -2.5), ("where number", what))


@pytest.mark.parametrize("n", [7, 1000, 40_003])
@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_beside_numbers(dtype, n):
    x = special(numbers((n,), dtype))
    third, rounded = 1 / 3, tg.tensor(1 / 3).to(dtype).float()
    for scalar in [third, tg.tensor(third), tg.tensor(third, dtype=tg.float64)]:  # mul and div keep a number's digits, the others round it first
        agree(x * scalar, x.float() * third, "mul")
        agree(scalar * x, third * x.float(), "mul from the left")
        agree(x / scalar, x.float() / tg.tensor(third), "div")
        agree(scalar / x, tg.tensor(third) / x.float(), "div from the left")
        agree(x + scalar, x.float() + rounded, "add")
        agree(scalar - x, rounded - x.float(), "sub")
        agree(x > scalar, x.float() > rounded, "gt")
    agree(x * tg.tensor(3), x.float() * 3, "mul by an integer")
    agree(x * rounded.to(dtype), x.float() * rounded, "mul by a half")


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_into_tensors(dtype):
    x, y = numbers((300, 70), dtype), numbers((300, 70), dtype, 1)
    want = x.float() * y.float()
    agree(tg.mul(x, y, out=tg.empty_like(x)), want, "out")
    agree(tg.mul(x, y, out=tg.empty(70, 300, dtype=dtype).t()), want, "out of other strides")
    wide = tg.mul(x, y, out=tg.empty(300, 70))
    assert wide.dtype == tg.float32 and np.array_equal(wide.numpy(), want.numpy())  # not rounded
    for z in [x.clone(), x.clone().t().contiguous().t(), tg.zeros(300, 140, dtype=dtype)[:, ::2]]:
        z.copy_(x)
        z *= y
        agree(z, want, "in place")
    agree(x.t() + y.t(), (x.float() + y.float()).t(), "transposed")
    agree(x + y[:1], x.float() + y[:1].float(), "a row")
    agree(x + y[:, :1], x.float() + y[:, :1].float(), "a column")
    agree(x.t() + y.view(70, 300), x.float().t() + y.view(70, 300).float(), "across")
    big = x.repeat(400, 1)  # past the caches
    agree(big + big, big.float() * 2, "big")
    agree(big * 0.3, big.float() * 0.3, "big, by a number")
    agree(tg.where(big > 0, big, x[0]), tg.where(big > 0, big.float(), x[0].float()), "big, beside a row")


@pytest.mark.parametrize("n", [33, 40_003])
@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_gradients_of_elementwise(dtype, n):
    x, y = numbers((n,), dtype), numbers((n,), dtype, 1)
    for name in ["relu", "abs", "sin", "square"]:
        both_ways(lambda x, name=name: getattr(x, name)(), x)
    leaf = x.clone().requires_grad_()
    leaf.exp().backward(y)
    agree(leaf.grad, y.float() * x.exp().float(), "exp")  # the output is saved as it was rounded
    for name in ["gelu", "silu", "elu", "mish"]:
        both_ways(getattr(F, name), x)
    for name in ["mul", "div", "maximum", "atan2"]:
        both_ways(getattr(tg, name), x, y)
    both_ways(lambda x, y: tg.where(x > y, x, y), x, y)
    both_ways(lambda x: x * (1 / 3), x)


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_threads_change_nothing(dtype):
    x, y = numbers((100_001,), dtype), numbers((100_001,), dtype, 1)
    before = tg.get_num_threads()
    try:
        results = []
        for threads in [1, 2]:
            tg.set_num_threads(threads)
            tg.manual_seed(3)
            results.append([x + y, x * 0.1, F.gelu(x), tg.where(x > 0, x, y), x.cumsum(0), F.dropout(x, 0.3)])
    finally:
        tg.set_num_threads(before)
    for a, b in zip(*results, strict=True):
        agree(a, b.float(), "threads")


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_running_sums(dtype):
    for shape in SHAPES:
        x = numbers(shape, dtype)
        for dim in range(len(shape)):
            both_ways(lambda x, d=dim: x.cumsum(d), x)


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_dropout(dtype):
    x = numbers((50_003,), dtype).requires_grad_()
    y = F.dropout(x, 0.3)
    scale = tg.tensor(1 / 0.7).to(dtype)
    kept = y != 0
    assert abs(kept.float().mean().item() - 0.7) < 0.01
    agree(y, x.detach().float() * kept.float() * scale.float(), "result")
    y.sum().backward()
    agree(x.grad, kept.float() * scale.float(), "gradient")


def test_dropout_with_a_factor_that_float16_does_not_have():
    x = tg.ones(1000, dtype=tg.float16, requires_grad=True)
    y = F.dropout(x, 0.99999)
    y.sum().backward()
    assert set(y.tolist()) <= {0.0, float("inf")} and not x.grad.isnan().any()


# ---- limits

@pytest.mark.parametrize("dtype", [tg.float32, tg.float64, tg.float16, tg.bfloat16])
def test_clamp_with_nan(dtype):
    nan, x = float("nan"), tg.tensor([-3.0, -0.0, 0.25, 3.0, float("nan")] * 8).to(dtype)  # packets and a rest
    inside = x.clamp(-1, 1)
    assert inside[:4].tolist() == [-1, 0, 0.25, 1] and bool((inside.isnan() == x.isnan()).all())
    assert bool((x.clamp(1, -1)[:4] == -1).all())
    for low, high in ((nan, 1), (-1, nan), (nan, nan), (nan, None), (None, nan)):
        assert bool(x.clamp(low, high).isnan().all())


def test_nan_is_rounded_to_nan():
    payloads = np.array([0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffffffff] * 6, np.uint32).view(np.float32)
    x = tg.from_numpy(payloads)
    for dtype in (tg.float16, tg.bfloat16):
        assert bool(x.to(dtype).isnan().all()) and bool((x + x).to(dtype).isnan().all())
