"""Windows of M points with a maximum of 1 in the middle. sym=True: symmetric, for filters; sym=False: one period, for spectra."""
import math

from .. import _C

__all__ = ["bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann", "kaiser",
           "nuttall"]


def _window(name, M, f, sym, dtype, layout, device, requires_grad, fewest=2):
    """f(k, last) for the points k = 0 … M - 1, where `last` is the point that mirrors 0; ones for fewer points than `fewest`."""
    dtype = _C.get_default_dtype() if dtype is None else dtype
    if M < 0:
        raise ValueError(f"{name}: M must not be negative, got {M}")
    if dtype not in (_C.float32, _C.float64):
        raise ValueError(f"{name}: dtype must be float32 or float64, got {dtype}")
    if layout not in (None, _C.strided):
        raise ValueError(f"{name}: layout must be strided, got {layout}")
    if M < fewest:
        return _C.ones(M, dtype=dtype, device=device, requires_grad=requires_grad)
    out = f(_C.arange(M, dtype=_C.float64, device=device), M - 1 if sym else M)
    return out.to(dtype).requires_grad_(requires_grad)


def _cosines(a):
    """a[0] - a[1] cos(x) + a[2] cos(2 x) - …"""
    return lambda k, last: sum((-1) ** i * c * _C.cos(k * (2 * math.pi * i / last)) for i, c in enumerate(a))


def general_cosine(M, *, a, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """a[0] - a[1] cos(2 pi k / (M - 1)) + a[2] cos(4 pi k / (M - 1)) - …"""
    if not a:
        raise ValueError("general_cosine: a must have at least one coefficient")
    return _window("general_cosine", M, _cosines(a), sym, dtype, layout, device, requires_grad)


def general_hamming(M, *, alpha=0.54, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """alpha - (1 - alpha) cos(2 pi k / (M - 1))."""
    return _window("general_hamming", M, _cosines((alpha, 1 - alpha)), sym, dtype, layout, device, requires_grad)


def hamming(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """general_hamming with alpha 0.54."""
    return _window("hamming", M, _cosines((0.54, 0.46)), sym, dtype, layout, device, requires_grad)


def hann(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """general_hamming with alpha 0.5: zero at the ends."""
    return _window("hann", M, _cosines((0.5, 0.5)), sym, dtype, layout, device, requires_grad)


def blackman(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """Three cosines: 0.42, 0.5, 0.08."""
    return _window("blackman", M, _cosines((0.42, 0.5, 0.08)), sym, dtype, layout, device, requires_grad)


def nuttall(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """Four cosines, with side lobes at -98 dB (Nuttall, 1981)."""
    return _window("nuttall", M, _cosines((0.3635819, 0.4891775, 0.1365995, 0.0106411)), sym, dtype, layout, device, requires_grad)


def bartlett(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """A triangle, zero at the ends."""
    return _window("bartlett", M, lambda k, last: 1 - (2 * k / last - 1).abs(), sym, dtype, layout, device, requires_grad)


def cosine(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """Half a period of the sine: sin(pi (k + 1/2) / M)."""
    return _window("cosine", M, lambda k, last: _C.sin((k + 0.5) * (math.pi / (last + 1))), sym, dtype, layout, device, requires_grad)


def exponential(M, *, center=None, tau=1.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """exp(-|k - center| / tau); center is the middle unless given, which needs sym=False."""
    if tau <= 0:
        raise ValueError(f"exponential: tau must be positive, got {tau}")
    if sym and center is not None:
        raise ValueError("exponential: a symmetric window has its center in the middle; give center with sym=False only")

    def f(k, last):
        return _C.exp(-(k - (last / 2 if center is None else center)).abs() / tau)
    return _window("exponential", M, f, sym, dtype, layout, device, requires_grad, 2 if center is None else 1)


def gaussian(M, *, std=1.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """exp(-(k - middle)^2 / (2 std^2))."""
    if std <= 0:
        raise ValueError(f"gaussian: std must be positive, got {std}")
    return _window("gaussian", M, lambda k, last: _C.exp(-((k - last / 2) / std) ** 2 / 2), sym, dtype, layout, device, requires_grad)


def kaiser(M, *, beta=12.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """I0(beta sqrt(1 - (2 k / (M - 1) - 1)^2)) / I0(beta)."""
    if beta < 0:
        raise ValueError(f"kaiser: beta must not be negative, got {beta}")

    def f(k, last):
        inside = (1 - (2 * k / last - 1) ** 2).clamp(min=0)
        return _C.i0(beta * inside.sqrt()) / _C.i0(_C.tensor(beta, dtype=_C.float64))
    return _window("kaiser", M, f, sym, dtype, layout, device, requires_grad)
