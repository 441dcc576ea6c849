"""The same seed gives the same numbers on the CPU and on the device."""
import hashlib

import pytest

import tapegrad as tg
import tapegrad.nn.functional as F
from both import close, same

SIZES = [0, 1, 3, 4, 5, 1023, 4097]


def drawn(device, f, seed=5):
    tg.manual_seed(seed)
    return f(device)


def check(f, exact=True):
    cpu, cuda = drawn("cpu", f), drawn("cuda", f)
    assert cuda.device.type == "cuda" and cuda.dtype == cpu.dtype
    same(cuda, cpu) if exact else close(cuda, cpu, 1e-14)
    same(drawn("cuda", lambda d: (f(d), tg.rand(7, device=d))[1]), drawn("cpu", lambda d: (f(d), tg.rand(7))[1]))  # as many numbers taken


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", [tg.float32, tg.float16, tg.bfloat16])
def test_floats(n, dtype):
    check(lambda d: tg.rand(n, dtype=dtype, device=d))
    check(lambda d: tg.randn(n, dtype=dtype, device=d))
    check(lambda d: tg.empty(n, dtype=dtype, device=d).uniform_(-2, 3))
    check(lambda d: tg.empty(n, dtype=dtype, device=d).normal_(1.5, 0.25))
    check(lambda d: tg.empty(n, dtype=dtype, device=d).bernoulli_(0.3))


def test_doubles_and_complex():
    check(lambda d: tg.rand(1001, dtype=tg.float64, device=d))
    check(lambda d: tg.randn(101, dtype=tg.complex64, device=d))
    # The functions of the C library and of CUDA may differ in the last bit.
    check(lambda d: tg.randn(1001, dtype=tg.float64, device=d), exact=False)
    check(lambda d: tg.empty(1001, dtype=tg.float64, device=d).exponential_(2.0), exact=False)
    check(lambda d: tg.empty(1001, device=d).exponential_(2.0).double(), exact=False)


def test_normals_have_the_bits_that_they_had():
    """2^15 normals of seed 42; a fused multiply-add anywhere changes this."""
    tg.manual_seed(42)
    cpu = hashlib.sha256(tg.randn(1 << 15).numpy().tobytes()).hexdigest()
    tg.manual_seed(42)
    assert hashlib.sha256(tg.randn(1 << 15, device="cuda").cpu().numpy().tobytes()).hexdigest() == cpu


@pytest.mark.parametrize("dtype", [tg.uint8, tg.int8, tg.int16, tg.int32, tg.int64, tg.float32, tg.float16, tg.bool])
def test_whole_numbers(dtype):
    check(lambda d: tg.randint(0, 2 if dtype == tg.bool else 100, (1001,), dtype=dtype, device=d))
    check(lambda d: tg.empty(1001, dtype=dtype, device=d).random_())
    check(lambda d: tg.empty(77, dtype=dtype, device=d).bernoulli_(0.5))


def test_wide_ranges_and_permutations():
    check(lambda d: tg.randint(-(1 << 62), 1 << 62, (301,), device=d))
    for n in (0, 1, 5, 3000):
        check(lambda d: tg.randperm(n, device=d))


def test_strided_and_given_generators():
    check(lambda d: tg.zeros(6, 8, device=d).t().normal_())
    for device in ("cpu", "cuda"):
        g = tg.Generator()
        g.manual_seed(3)
        got = tg.rand(5, generator=g, device=device)
        g.manual_seed(3)
        same(tg.rand(5, generator=g), got)


def test_laws_of_given_parameters():
    p = tg.rand(50, 3)
    check(lambda d: tg.bernoulli(p.to(d)))
    check(lambda d: tg.normal(p.to(d), p.to(d)))
    with pytest.raises(ValueError, match="probabilities must be between 0 and 1"):
        tg.bernoulli(tg.tensor([0.5, 1.5]).cuda()).cpu()


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64, tg.bfloat16])
def test_counts(dtype):
    rates = (tg.rand(500, 3) * 30).to(dtype)
    rates[:20] = 0
    check(lambda d: tg.poisson(rates.to(d)))
    n, p = tg.tensor([0.0, 1.0, 7.0, 200.0]).to(dtype), tg.linspace(0, 1, 33).to(dtype)
    check(lambda d: tg.binomial(n.to(d)[:, None], p.to(d)))
    for bad in (lambda x: tg.poisson(x), lambda x: tg.binomial(x, x.abs() / 9), lambda x: tg.binomial(x.abs(), x)):
        with pytest.raises(ValueError, match="must"):
            bad(tg.tensor([1.0, -2.0]).cuda())


def test_multinomial():
    w = tg.rand(50, 7)
    w[:, 3] = 0
    w[5, :4] = 0
    w[6, 4:] = 0
    check(lambda d: tg.multinomial(w.to(d), 3))
    check(lambda d: tg.multinomial(w.to(d), 40, replacement=True))
    check(lambda d: tg.multinomial(w[0].double().to(d), 1))
    check(lambda d: tg.multinomial(tg.tensor([0.0, 0.0, 2.0]).to(d), 5, replacement=True))
    for bad, message in ((w.cuda() - 1, "not negative"), (w.cuda() * 0, "not all be zero")):
        with pytest.raises(ValueError, match=message):
            tg.multinomial(bad, 2)
    with pytest.raises(ValueError, match="positive weight"):
        tg.multinomial(w.cuda(), 6)


@pytest.mark.parametrize("dtype", [tg.float32, tg.float16, tg.bfloat16, tg.float64])
@pytest.mark.parametrize("n", [1, 7, 4099])
def test_dropout(dtype, n):
    results = []
    for device in ("cpu", "cuda"):
        tg.manual_seed(11)
        x = (tg.arange(n).to(dtype) % 13 + 1).to(device).requires_grad_()
        y = F.dropout(x, 0.3)
        (y * y).sum().backward()
        results.append((y, x.grad))
    for cpu, cuda in zip(*results):
        same(cuda, cpu)


def test_dropout_of_channels_and_double_backward():
    check(lambda d: F.dropout2d(tg.ones(2, 30, 3, 3, device=d), 0.4))
    check(lambda d: F.alpha_dropout(tg.ones(100, device=d), 0.4, training=True))
    x = tg.ones(1000, device="cuda", requires_grad=True)
    tg.manual_seed(1)
    y = F.dropout(x ** 2, 0.5)
    (g,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = tg.autograd.grad(g.sum(), x)
    same(h, y.detach() * 2)  # d/dx of 2 x times 2 where kept
