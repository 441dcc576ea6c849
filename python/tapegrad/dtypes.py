"""Limits of dtypes and promotion between them."""
from . import _C

__all__ = ["finfo", "iinfo", "promote_types", "result_type", "can_cast"]

# mantissa bits, smallest normal exponent, largest exponent
_FLOATS = {_C.float16: (10, -14, 15), _C.bfloat16: (7, -126, 127), _C.float32: (23, -126, 127), _C.float64: (52, -1022, 1023)}
_INTS = {_C.uint8: (0, 255), _C.int8: (-128, 127), _C.int16: (-2 ** 15, 2 ** 15 - 1), _C.int32: (-2 ** 31, 2 ** 31 - 1),
         _C.int64: (-2 ** 63, 2 ** 63 - 1), _C.uint16: (0, 2 ** 16 - 1), _C.uint32: (0, 2 ** 32 - 1), _C.uint64: (0, 2 ** 64 - 1)}
_PARTS = {_C.complex64: _C.float32, _C.complex128: _C.float64}


class finfo:
    """Limits of a float dtype, or of a complex dtype's parts: bits, eps, max, min, tiny, smallest_normal, resolution, dtype."""

    def __init__(self, type=None):
        type = _C.get_default_dtype() if type is None else _C.float64 if type is float else _PARTS.get(type, type)
        if type not in _FLOATS:
            raise TypeError(f"tapegrad.finfo() requires a floating point input type. Use tapegrad.iinfo to handle '{type}'")
        mantissa, low, high = _FLOATS[type]
        self.dtype, self.bits, self.eps = str(type).rsplit(".", 1)[-1], 8 * type.itemsize, 2.0 ** -mantissa
        self.max = (2.0 - self.eps) * 2.0 ** high
        self.min, self.tiny = -self.max, 2.0 ** low
        self.smallest_normal = self.tiny
        self.resolution = 10.0 ** -int(mantissa * 0.30103)

    def __eq__(self, other):
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self):
        return hash(self.dtype)

    def __repr__(self):
        return (f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
                f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})")


class iinfo:
    """Limits of an integer dtype: bits, min, max, dtype."""

    def __init__(self, type):
        if type not in _INTS:
            raise TypeError(f"tapegrad.iinfo() requires an integer input type, not '{type}'")
        self.min, self.max = _INTS[type]
        self.dtype, self.bits = str(type).rsplit(".", 1)[-1], 8 * type.itemsize

    def __eq__(self, other):
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self):
        return hash(self.dtype)

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def promote_types(type1, type2):
    """The smallest dtype that holds both, as `a + b` uses it."""
    empty = _C.empty
    return (empty(1, dtype=type1).zero_() + empty(1, dtype=type2).zero_()).dtype


def result_type(tensor1, tensor2):
    """The dtype of tensor1 + tensor2; numbers are weak."""
    def zero(x):
        return x.detach().new_zeros(x.shape) if isinstance(x, _C.Tensor) else x
    if not isinstance(tensor1, _C.Tensor) and not isinstance(tensor2, _C.Tensor):
        tensor1 = _C.tensor(tensor1)
    out = zero(tensor1) + zero(tensor2)
    return out.dtype


def can_cast(from_, to):
    """May a value of one dtype be cast to the other as in-place ops do: never complex to float, float to integer or number to bool?"""
    def kind(d):
        return 0 if d == _C.bool else 3 if d.is_complex else 2 if d.is_floating_point else 1
    return kind(from_) <= kind(to)
