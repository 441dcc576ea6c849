"""What the sweep over the op table does not see of elementwise kernels and copies: every walk (whole groups, ragged ends, bases between two
lines, broadcasts, many dims, transposed planes), every dtype beside every other."""
import itertools
import math

import numpy as np
import pytest
import tapegrad

DTYPES = [getattr(tapegrad, n) for n in ("bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128 "
                                         "uint16 uint32 uint64").split()]
FLOATS = [tapegrad.float16, tapegrad.bfloat16, tapegrad.float32, tapegrad.float64]


def numbers(shape, dtype, seed=0):
    v = np.random.default_rng(seed).integers(-60, 60, shape) / 4
    return tapegrad.tensor(v, dtype=tapegrad.float64).to(dtype) if dtype is not tapegrad.bool else tapegrad.tensor(v > 0)


def same(on_cuda, on_cpu):
    assert on_cuda.is_cuda and on_cuda.dtype == on_cpu.dtype and on_cuda.shape == on_cpu.shape
    a, b = (t.to(tapegrad.complex128 if t.is_complex() else tapegrad.float64).numpy() for t in (on_cuda.cpu(), on_cpu))
    np.testing.assert_array_equal(a, b)


SIZES = [1, 3, 4, 7, 8, 15, 16, 17, 255, 1023, 1025, 2048, 4099]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_element_once(dtype):
    """Dense walks of every length, from aligned and other bases: nothing beside the result is written."""
    for n in SIZES:
        for base in (0, 1, 2, 3):
            x, y = numbers(n + base, dtype), numbers(n + base, dtype, 1)
            out = numbers(n + base + 5, dtype, 2)
            d = out.cuda()
            tapegrad.where(x[base:] == y[base:], x[base:], y[base:], out=out[base:base + n])
            a, b = x.cuda()[base:], y.cuda()[base:]
            tapegrad.where(a == b, a, b, out=d[base:base + n])
            same(d, out)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_bases_that_differ(dtype):
    x, y = numbers(3000, dtype), numbers(3001, dtype, 1)
    for i, j in itertools.product(range(4), range(5)):
        n = 2900 + i
        same(x.cuda()[i:i + n] - y.cuda()[j:j + n], x[i:i + n] - y[j:j + n])


VIEWS = [
    ((64, 48), (48,)), ((64, 48), (64, 1)), ((64, 47), (47,)), ((64, 46), (64, 1)), ((5, 1, 12), (5, 7, 1)), ((3, 4, 1, 16), (4, 5, 16)),
    ((1,), (33, 5)), ((), (33, 8)), ((2, 3, 4, 8), (3, 1, 8)), ((31, 1), (1, 44)),
]


@pytest.mark.parametrize("dtype", [tapegrad.float32, tapegrad.bfloat16, tapegrad.float64, tapegrad.int64, tapegrad.uint8, tapegrad.complex64], ids=str)
def test_broadcasts(dtype):
    for s, t in VIEWS:
        x, y = numbers(s, dtype), numbers(t, dtype, 1)
        same(x.cuda() * y.cuda(), x * y)
        same(y.cuda() - x.cuda(), y - x)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_strides(dtype):
    """Transposed, sliced and stepped operands and outputs, copies of them, and more dims than any loop would be written for."""
    x = numbers((6, 40, 36), dtype)
    y = x.cuda()
    views = [lambda t: t, lambda t: t.transpose(0, 2), lambda t: t.transpose(1, 2), lambda t: t[:, ::3], lambda t: t[:, :, 1:], lambda t: t[:, :, 4:20],
             lambda t: t[:, :, ::2], lambda t: t.permute(2, 0, 1), lambda t: t[:, :1].expand(6, 9, 36), lambda t: t[..., 3:4].expand(6, 40, 10),
             lambda t: t.reshape(-1)[5:], lambda t: t.reshape(3, 2, 2, 5, 2, 2, 3, 3, 4).permute(8, 1, 6, 3, 4, 5, 2, 7, 0)]
    for view in views:
        same(view(y).contiguous(), view(x).contiguous())
        same(tapegrad.where(view(y) == view(y), view(y), view(y)), view(x))
        a, b = tapegrad.zeros_like(x), tapegrad.zeros_like(y)
        if view(x).stride().count(0) == 0:
            view(a).copy_(view(x).contiguous())
            view(b).copy_(view(y).contiguous())
            same(b, a)
            view(a).fill_(1)
            view(b).fill_(1)
            same(b, a)


EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, 100.7, 127.0, 128.0, 200.0, 255.0, 256.0, -100.7, -129.0, 300.0, -300.0, 32768.0, -32769.0,
         65504.0, 65519.9, 65520.0, 70000.0, 1e-8, 6e-8, 2.0 ** 24 + 1, 2.0 ** 31 - 1, -(2.0 ** 31), 1e300, math.inf, -math.inf, math.nan]
# Beyond these, float to integer is not defined.
LIMIT = {tapegrad.int32: 2.0 ** 31, tapegrad.uint32: 2.0 ** 31, tapegrad.uint64: 2.0 ** 63}


@pytest.mark.parametrize("to", DTYPES, ids=str)
@pytest.mark.parametrize("frm", DTYPES, ids=str)
def test_casts(frm, to):
    from_float = frm.is_floating_point or frm.is_complex
    values = EDGES
    if not from_float:
        values = [v for v in EDGES if abs(v) < 2.0 ** 31]
    elif not (to.is_floating_point or to.is_complex or to is tapegrad.bool):
        values = [v for v in EDGES if abs(v) < LIMIT.get(to, 2.0 ** 63)]
    x = tapegrad.tensor(values * 3, dtype=tapegrad.float64).to(frm)
    if from_float and not (to.is_floating_point or to.is_complex or to is tapegrad.bool):
        x = x[(tapegrad.real(x) if x.is_complex() else x).to(tapegrad.float64).abs() < LIMIT.get(to, 2.0 ** 63)]  # rounding may have reached the limit
    for view in (lambda t: t, lambda t: t[1:], lambda t: t[::2]):
        same(view(x.cuda()).to(to), view(x).to(to))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("other", DTYPES, ids=str)
def test_dtypes_meet(dtype, other):
    x, y = numbers((9, 16), dtype), numbers((16,), other, 1)
    for f in (tapegrad.eq, tapegrad.mul, tapegrad.logical_and):
        try:
            expected = f(x, y)
        except tapegrad.DtypeError:
            with pytest.raises(tapegrad.DtypeError):
                f(x.cuda(), y.cuda())
            continue
        same(f(x.cuda(), y.cuda()), expected)
        if expected.dtype == x.dtype and f is tapegrad.mul:
            same(x.cuda().mul_(y.cuda()), x.clone().mul_(y))


@pytest.mark.parametrize("dtype", [tapegrad.float16, tapegrad.bfloat16], ids=str)
def test_half_rounds_once(dtype):
    """Computed in float, rounded to nearest even at the end."""
    x, y = numbers((4001,), tapegrad.float32).to(dtype), numbers((4001,), tapegrad.float32, 1).to(dtype)
    for f in (lambda a, b: tapegrad.addcmul(a, b, b, value=0.125), lambda a, b: tapegrad.add(a, b, alpha=0.5), lambda a, b: tapegrad.relu(a)):
        same(f(x.cuda(), y.cuda()), f(x.to(tapegrad.float32), y.to(tapegrad.float32)).to(dtype))
    a, b = x.cuda().requires_grad_(), x.clone().requires_grad_()
    (a * y.cuda()).sum().backward()
    (b * y).sum().backward()
    same(a.grad, b.grad)


def test_numbers_beside_tensors():
    for dtype in FLOATS + [tapegrad.int32, tapegrad.int64, tapegrad.uint8]:
        x = numbers((5, 33), dtype)
        for n in (3, 2.5, tapegrad.tensor(3.5), tapegrad.tensor(7)):
            same(x.cuda() * n, x * n)
            same(tapegrad.where(x.cuda() > n, x.cuda(), 0), tapegrad.where(x > n, x, 0))
    same(tapegrad.full((3, 700), 2.5, device="cuda"), tapegrad.full((3, 700), 2.5))


SPECIAL = [f"special.{f}" for f in (
    "ndtr log_ndtr erfcx entr i0e i1 i1e bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_k0 modified_bessel_k1 "
    "scaled_modified_bessel_k0 scaled_modified_bessel_k1 spherical_bessel_j0 airy_ai").split()]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_functions(name, dtype):
    f = getattr(tapegrad.special, name.split(".")[1])
    x = tapegrad.cat([tapegrad.linspace(-30, 60, 301), tapegrad.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan")])]).to(dtype)
    expected, got = f(x), f(x.cuda())
    assert got.dtype == dtype
    np.testing.assert_allclose(got.cpu().double().numpy(), expected.double().numpy(), rtol={tapegrad.float64: 1e-12}.get(dtype, 1e-6), atol=1e-300)
    strided = x[:300].view(20, 15).t()
    assert f(strided.cuda()).cpu().double().allclose(f(strided).double(), rtol=1e-6, equal_nan=True)


def test_special_functions_of_two():
    x, n = tapegrad.rand(5, 1, 7, dtype=tapegrad.float64) * 3, tapegrad.arange(6).view(6, 1)
    for f, b in ((tapegrad.special.zeta, x), (tapegrad.igamma, x), (tapegrad.igammac, x), (tapegrad.special.xlog1py, x), (tapegrad.special.chebyshev_polynomial_t, n),
                 (tapegrad.special.hermite_polynomial_he, n), (tapegrad.special.shifted_chebyshev_polynomial_w, n)):
        a = x + 1.5
        for left, right in ((a, b), (a, b[0]), (a.float(), b)):
            there = left.cuda(), right.cuda()
            np.testing.assert_allclose(f(*there).cpu().numpy(), f(left, right).numpy(), rtol=1e-11 if left is a else 1e-6)
    with pytest.raises(tapegrad.DeviceError, match="one device"):
        tapegrad.igamma(x, x.cuda())
    got = tapegrad.igamma(x.cuda(), tapegrad.tensor(0.5))  # a number of the CPU beside it
    assert got.is_cuda and got.dtype == tapegrad.float64


@pytest.mark.parametrize("dtype", [tapegrad.uint8, tapegrad.int8, tapegrad.int16, tapegrad.int32, tapegrad.int64], ids=str)
def test_divisors(dtype):
    a, b = tapegrad.arange(-130, 130).to(dtype), tapegrad.arange(0, 24).to(dtype)[:, None]
    for f in (tapegrad.gcd, tapegrad.lcm):
        got = f(a.cuda(), b.cuda())
        assert got.dtype == dtype and got.cpu().equal(f(a, b))
    twelve = tapegrad.tensor(12, dtype=dtype)  # a number of the CPU beside it
    assert tapegrad.gcd(a.cuda(), twelve).cpu().equal(tapegrad.gcd(a, twelve))
    with pytest.raises(tapegrad.DtypeError, match="not for"):
        tapegrad.gcd(a.float().cuda(), b.cuda())


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_neighbours_and_parts(dtype):
    x = tapegrad.cat([tapegrad.linspace(-3, 3, 61), tapegrad.tensor([0.0, -0.0, 65504.0, float("inf"), -float("inf"), float("nan")])]).to(dtype)
    for to in (tapegrad.zeros_like(x), tapegrad.full_like(x, float("inf")), -x):
        got, expected = tapegrad.nextafter(x.cuda(), to.cuda()), tapegrad.nextafter(x, to)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got.cpu().double().numpy(), expected.double().numpy())
    for got, expected in zip(tapegrad.frexp(x.cuda()), tapegrad.frexp(x)):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got.cpu().double().numpy(), expected.double().numpy())
