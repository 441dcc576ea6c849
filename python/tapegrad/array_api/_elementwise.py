"""Elementwise functions: the standard's name and the tapegrad function behind it."""
import tapegrad as tg

from ._dtypes import UNSIGNED, as_arrays


def _named(f, name, doc):
    f.__name__ = f.__qualname__ = name
    f.__module__ = "tapegrad.array_api"
    f.__doc__ = doc
    return f


def _unary(name, f):
    def op(x, /):
        return f(x)
    return _named(op, name, f"{name}(x), elementwise.")


def _binary(name, f):
    def op(x1, x2, /):
        return f(*as_arrays(name, x1, x2))
    return _named(op, name, f"{name}(x1, x2), elementwise, in the common dtype of both.")


def _by_parts(f):  # of complex numbers: the real and the imaginary part each
    return lambda x: tg.complex(f(x.real), f(x.imag)) if x.dtype.is_complex else f(x)


def _expm1(x):
    if not x.dtype.is_complex:
        return tg.expm1(x)
    e, half = tg.exp(x), tg.sin(x.imag / 2)
    real = tg.expm1(x.real) * tg.cos(x.imag) - 2 * half * half + 0.0  # no cancellation near 0, and no -0
    return tg.complex(tg.where(real.isfinite(), real, e.real - 1), e.imag)


def _tanh(x):  # where the real part is infinite, the imaginary part of the result has the sign of the argument's
    y = tg.tanh(x)
    if not x.dtype.is_complex:
        return y
    return tg.where(x.real.isinf() & x.imag.isfinite(), tg.complex(y.real, tg.copysign(tg.zeros_like(x.imag), x.imag)), y)


def _sign(x):
    return tg.where(x.isnan(), x, tg.sgn(x)) if x.dtype.is_floating_point else tg.sgn(x)


def _floor_divide(x1, x2):  # tapegrad's is Python's, which gives NaN for an infinite x1
    if not x1.dtype.is_floating_point:
        return tg.floor_divide(x1, x2)
    return tg.where(x1.isinf() | x2.isinf(), tg.floor(x1 / x2), tg.floor_divide(x1, x2))


def _remainder(x1, x2):  # a remainder of 0 has x2's sign
    r = tg.remainder(x1, x2)
    return tg.where(r == 0, tg.copysign(r, x2), r) if r.dtype.is_floating_point else r


def _of_bool(f):
    return lambda *xs: f(*(x.bool() for x in xs))


_UNARY = {
    "abs": lambda x: x.clone() if x.dtype in UNSIGNED else tg.abs(x),
    "acos": tg.acos, "acosh": tg.acosh, "asin": tg.asin, "asinh": tg.asinh, "atan": tg.atan, "atanh": tg.atanh,
    "bitwise_invert": tg.bitwise_not, "ceil": tg.ceil, "conj": lambda x: tg.conj(x).resolve_conj(), "cos": tg.cos, "cosh": tg.cosh,
    "exp": tg.exp, "expm1": _expm1, "floor": tg.floor, "imag": lambda x: x.imag, "isfinite": tg.isfinite, "isinf": tg.isinf,
    "isnan": tg.isnan, "log": tg.log, "log10": tg.log10, "log1p": tg.log1p, "log2": tg.log2, "logical_not": tg.logical_not,
    "negative": lambda x: ~x + 1 if x.dtype in UNSIGNED else -x, "positive": lambda x: +x, "real": lambda x: x.real,
    "reciprocal": tg.reciprocal, "round": _by_parts(tg.round), "sign": _sign, "signbit": tg.signbit, "sin": tg.sin, "sinh": tg.sinh,
    "sqrt": tg.sqrt, "square": tg.square, "tan": tg.tan, "tanh": _tanh, "trunc": tg.trunc,
}
_BINARY = {
    "add": tg.add, "atan2": tg.atan2, "bitwise_and": tg.bitwise_and, "bitwise_left_shift": tg.bitwise_left_shift,
    "bitwise_or": tg.bitwise_or, "bitwise_right_shift": tg.bitwise_right_shift, "bitwise_xor": tg.bitwise_xor,
    "copysign": tg.copysign, "divide": tg.div, "equal": tg.eq, "floor_divide": _floor_divide, "greater": tg.gt,
    "greater_equal": tg.ge, "hypot": tg.hypot, "less": tg.lt, "less_equal": tg.le, "logaddexp": tg.logaddexp,
    "logical_and": _of_bool(tg.logical_and), "logical_or": _of_bool(tg.logical_or), "logical_xor": _of_bool(tg.logical_xor),
    "maximum": tg.maximum, "minimum": tg.minimum, "multiply": tg.mul, "nextafter": tg.nextafter, "not_equal": tg.ne, "pow": tg.pow,
    "remainder": _remainder, "subtract": tg.sub,
}
globals().update({name: _unary(name, f) for name, f in _UNARY.items()})
globals().update({name: _binary(name, f) for name, f in _BINARY.items()})


def clip(x, /, min=None, max=None):
    """x, not below min and not above max, which are numbers or arrays."""
    for bound, limit in ((min, tg.maximum), (max, tg.minimum)):
        if bound is not None:
            x = limit(*as_arrays("clip", x, bound))
    return x.clone() if min is None and max is None else x


__all__ = [*_UNARY, *_BINARY, "clip"]
