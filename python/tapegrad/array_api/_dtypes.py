"""Dtypes of the standard: kinds, limits and promotion. Zero-dimensional arrays promote as all others do; Python's numbers are weak."""
from collections import namedtuple

import tapegrad as tg

_BY_KIND = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_UNIONS = {"integral": ("signed integer", "unsigned integer"),
           "numeric": ("signed integer", "unsigned integer", "real floating", "complex floating")}
DTYPES = {name: getattr(tg, name) for names in _BY_KIND.values() for name in names}
KINDS = {kind: tuple(DTYPES[name] for name in names) for kind, names in _BY_KIND.items()}
KINDS |= {union: sum((KINDS[k] for k in kinds), ()) for union, kinds in _UNIONS.items()}
SIGNED, UNSIGNED = KINDS["signed integer"], KINDS["unsigned integer"]

finfo_object = namedtuple("finfo_object", "bits eps max min smallest_normal dtype")
iinfo_object = namedtuple("iinfo_object", "bits max min dtype")


def dtype_of(x):
    """An array's dtype; a dtype itself."""
    return x.dtype if isinstance(x, tg.Tensor) else x


def _level(dtype):
    return 3 if dtype.is_complex else 2 if dtype.is_floating_point else 0 if dtype == tg.bool else 1


def default_complex():
    """The complex dtype whose parts have the default dtype."""
    return tg.complex128 if tg.get_default_dtype() == tg.float64 else tg.complex64


def promote(a, b):
    """The standard's promotion of two dtypes; across kinds, where it has none, PyTorch's."""
    if a == b:
        return a
    for signed, unsigned in ((a, b), (b, a)):
        if signed in SIGNED and unsigned in UNSIGNED:
            size = max(signed.itemsize, 2 * unsigned.itemsize)
            if size > 8:
                raise TypeError(f"no integer dtype holds the values of both {signed} and {unsigned}")
            return next(d for d in SIGNED if d.itemsize == size)
    if a in UNSIGNED and b in UNSIGNED:
        return max(a, b, key=lambda d: d.itemsize)
    return tg.promote_types(a, b)


def promote_number(dtype, number):
    """The dtype of an array of `dtype` after an operation with a Python number."""
    if isinstance(number, complex) and not dtype.is_complex:
        return {tg.float32: tg.complex64, tg.float64: tg.complex128}.get(dtype, default_complex())
    if isinstance(number, float) and _level(dtype) < 2:
        return tg.get_default_dtype()
    return tg.int64 if dtype == tg.bool and not isinstance(number, bool) and isinstance(number, int) else dtype


def result_type(*arrays_and_dtypes):
    """The dtype that arrays, dtypes and Python numbers have together."""
    numbers = [x for x in arrays_and_dtypes if isinstance(x, (bool, int, float, complex))]
    dtypes = [dtype_of(x) for x in arrays_and_dtypes if not isinstance(x, (bool, int, float, complex))]
    if not dtypes:
        raise TypeError("result_type: at least one array or dtype is needed")
    out = dtypes[0]
    for d in dtypes[1:]:
        out = promote(out, d)
    for number in numbers:
        out = promote_number(out, number)
    return out


def as_arrays(name, *operands):
    """Arrays and Python numbers as arrays of their common dtype; `name` is the function that asks."""
    first = next((x for x in operands if isinstance(x, tg.Tensor)), None)
    if first is None:
        raise TypeError(f"{name}: at least one operand must be an array, got {', '.join(type(x).__name__ for x in operands)}")
    dtype = result_type(*operands)
    return [x.to(dtype) if isinstance(x, tg.Tensor) else tg.tensor(x, dtype=dtype, device=first.device) for x in operands]


def order_key(x):
    """Values in x's order, of a dtype that tapegrad sorts."""
    if x.dtype == tg.uint64:
        return x.view(tg.int64) ^ -2 ** 63
    return x.to(tg.int64) if x.dtype in UNSIGNED else x


def can_cast(from_, to, /):
    """Does promotion of the two give `to`?"""
    try:
        return promote(dtype_of(from_), to) == to
    except TypeError:
        return False


def isdtype(dtype, kind):
    """Is the dtype of this kind: a dtype, a name such as "integral", or a tuple of them?"""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in KINDS:
            raise ValueError(f"isdtype: kind must be a dtype or one of {', '.join(KINDS)}, got {kind!r}")
        return dtype in KINDS[kind]
    return dtype == kind


def finfo(type, /):
    """Limits of a floating dtype, of a complex dtype's parts, or of an array's dtype."""
    info = tg.finfo(dtype_of(type))
    return finfo_object(info.bits, info.eps, info.max, info.min, info.smallest_normal, getattr(tg, info.dtype))


def iinfo(type, /):
    """Limits of an integer dtype or of an array's."""
    dtype = dtype_of(type)
    info = tg.iinfo(dtype)
    return iinfo_object(info.bits, info.max, info.min, dtype)


def astype(x, dtype, /, *, copy=True, device=None):
    """x with another dtype; copy=False gives x itself where nothing changes."""
    if x.dtype.is_complex and not dtype.is_complex:
        raise TypeError(f"astype: {x.dtype} cannot be cast to {dtype}; take real(x) or imag(x)")
    return x.to(device=x.device if device is None else device, dtype=dtype, copy=copy)


__all__ = ["astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type"]
