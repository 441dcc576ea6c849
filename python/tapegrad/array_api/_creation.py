"""Functions that make arrays, and constants."""
from math import e, inf, nan, pi  # noqa: F401

import tapegrad as tg

newaxis = None


def _dims(shape):
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _is_sequence(obj):
    return isinstance(obj, (list, tuple))


def _stacked(obj):
    """Nested sequences that have arrays in them as one array."""
    return tg.stack([_stacked(x) for x in obj]) if _is_sequence(obj) else obj if isinstance(obj, tg.Tensor) else tg.tensor(obj)


def _has_arrays(obj):
    return any(map(_has_arrays, obj)) if _is_sequence(obj) else isinstance(obj, tg.Tensor)


def asarray(obj, /, *, dtype=None, device=None, copy=None):
    """Numbers, nested sequences, arrays of other libraries (through DLPack or the buffer protocol) as an array."""
    if _is_sequence(obj) and _has_arrays(obj):
        obj, copy = _stacked(obj), None if copy is None or copy else False
    elif hasattr(obj, "__dlpack__") and not isinstance(obj, tg.Tensor) and not type(obj).__module__.startswith("numpy"):
        obj = tg.from_dlpack(obj)
    elif hasattr(obj, "__array__") and not isinstance(obj, tg.Tensor):  # NumPy's scalars are arrays, not Python's numbers
        obj = obj.__array__()
    if copy is False and isinstance(obj, tg.Tensor) and dtype not in (None, obj.dtype):
        raise ValueError(f"asarray: {obj.dtype} cannot become {dtype} without a copy (copy=False)")
    return tg.asarray(obj, dtype=dtype, device=device, copy=copy)


def from_dlpack(x, /, *, device=None, copy=None):
    """Another library's array, its memory shared where possible."""
    return tg.from_dlpack(x, device=device, copy=copy)


def arange(start, /, stop=None, step=1, *, dtype=None, device=None):
    """start, start + step, … before stop; from 0 to start when there is no stop."""
    if stop is None:
        start, stop = 0, start
    if dtype is None and any(isinstance(x, float) for x in (start, stop, step)):
        dtype = tg.get_default_dtype()
    if (stop - start) * (1 if step > 0 else -1) <= 0:
        return tg.empty((0,), dtype=dtype or tg.int64, device=device)
    return tg.arange(start, stop, step, dtype=dtype, device=device)


def linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True):
    """num numbers evenly from start to stop, which is the last one or, with endpoint=False, the one after it."""
    if dtype is None:
        dtype = tg.result_type(tg.tensor(start), tg.tensor(stop))
        dtype = dtype if dtype.is_complex else tg.get_default_dtype()
    return tg.linspace(start, stop, num + (not endpoint), dtype=dtype, device=device)[:num]


def empty(shape, *, dtype=None, device=None):
    """An array that is not initialised."""
    return tg.empty(_dims(shape), dtype=dtype, device=device)


def zeros(shape, *, dtype=None, device=None):
    """An array of zeros."""
    return tg.zeros(_dims(shape), dtype=dtype, device=device)


def ones(shape, *, dtype=None, device=None):
    """An array of ones."""
    return tg.ones(_dims(shape), dtype=dtype, device=device)


def full(shape, fill_value, *, dtype=None, device=None):
    """An array of fill_value, whose kind gives the dtype when there is none."""
    return tg.tensor(fill_value, dtype=dtype, device=device).expand(_dims(shape)).clone()


def empty_like(x, /, *, dtype=None, device=None):
    """An array of x's shape that is not initialised."""
    return tg.empty_like(x, dtype=dtype, device=device)


def zeros_like(x, /, *, dtype=None, device=None):
    """An array of x's shape of zeros."""
    return tg.zeros_like(x, dtype=dtype, device=device)


def ones_like(x, /, *, dtype=None, device=None):
    """An array of x's shape of ones."""
    return tg.ones_like(x, dtype=dtype, device=device)


def full_like(x, /, fill_value, *, dtype=None, device=None):
    """An array of x's shape of fill_value."""
    return full(x.shape, fill_value, dtype=dtype or x.dtype, device=device or x.device)


def eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None):
    """Ones on the k-th diagonal, zeros elsewhere."""
    out = tg.zeros((n_rows, n_rows if n_cols is None else n_cols), dtype=dtype, device=device)
    if -out.shape[0] < k < out.shape[1]:
        out.diagonal(k).fill_(1)
    return out


def meshgrid(*arrays, indexing="xy"):
    """The coordinates of a grid over one-dimensional arrays, one array for each."""
    return tuple(tg.meshgrid(*arrays, indexing=indexing)) if arrays else ()


def tril(x, /, *, k=0):
    """The lower triangles of matrices, zeros above the k-th diagonal."""
    return tg.tril(x, k)


def triu(x, /, *, k=0):
    """The upper triangles of matrices, zeros below the k-th diagonal."""
    return tg.triu(x, k)


__all__ = ["e", "inf", "nan", "newaxis", "pi", "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like",
           "linspace", "meshgrid", "ones", "ones_like", "tril", "triu", "zeros", "zeros_like"]
