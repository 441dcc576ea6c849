"""Reductions and scans. `axis` is one dimension, several or, for None, all; () reduces nothing."""
import math
from builtins import max as larger
from builtins import min as smaller

import tapegrad as tg

from ._dtypes import SIGNED, UNSIGNED, order_key


def _reduce(f, x, axis, keepdims):
    """f(array, dim) along one dimension that holds all of axis."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    for d in axes:
        if not -x.ndim <= d < x.ndim:
            raise IndexError(f"axis {d} is out of range for an array of {x.ndim} dimensions")
    axes = sorted(d % x.ndim for d in axes)
    kept = [d for d in range(x.ndim) if d not in axes]
    if len(axes) == 1:
        out = f(x, axes[0])
    else:
        sizes = [x.shape[d] for d in kept]
        out = f(x.permute(kept + axes).reshape(sizes + [math.prod(x.shape[d] for d in axes)]), len(sizes))
    return out.reshape([1 if d in axes else n for d, n in enumerate(x.shape)]) if keepdims else out


def sum_dtype(x, dtype):
    """The dtype of sums of x: 64 bits for integers, unless given."""
    if dtype is not None:
        return dtype
    return tg.uint64 if x.dtype in UNSIGNED else tg.int64 if x.dtype in SIGNED or x.dtype == tg.bool else x.dtype


def _whole(f):  # f sums integers in int64, whose low bits are those of every other integer dtype
    return lambda y, d: f(y, d).to(y.dtype)


def all(x, /, *, axis=None, keepdims=False):
    """Are all elements true (not 0)?"""
    return _reduce(lambda y, d: y.all(d), x.bool(), axis, keepdims)


def any(x, /, *, axis=None, keepdims=False):
    """Is any element true (not 0)?"""
    return _reduce(lambda y, d: y.any(d), x.bool(), axis, keepdims)


def sum(x, /, *, axis=None, dtype=None, keepdims=False):
    """Sums; of integers in 64 bits, unless dtype says otherwise."""
    return _reduce(_whole(tg.sum), x.to(sum_dtype(x, dtype)), axis, keepdims)


def prod(x, /, *, axis=None, dtype=None, keepdims=False):
    """Products; of integers in 64 bits, unless dtype says otherwise."""
    return _reduce(_whole(tg.prod), x.to(sum_dtype(x, dtype)), axis, keepdims)


def mean(x, /, *, axis=None, keepdims=False):
    """Means."""
    return _reduce(lambda y, d: y.mean(d), x, axis, keepdims)


def var(x, /, *, axis=None, correction=0.0, keepdims=False):
    """Variances: sums of squared distances to the mean over n - correction."""
    def f(y, d):
        return ((y - y.mean(d, keepdim=True)) ** 2).sum(d) / larger(y.shape[d] - correction, 0)
    return _reduce(f, x, axis, keepdims)


def std(x, /, *, axis=None, correction=0.0, keepdims=False):
    """Standard deviations: the roots of var."""
    return var(x, axis=axis, correction=correction, keepdims=keepdims).sqrt()


def max(x, /, *, axis=None, keepdims=False):
    """The largest elements; NaN where there is one."""
    return _reduce(lambda y, d: y.amax(d), x, axis, keepdims)


def min(x, /, *, axis=None, keepdims=False):
    """The smallest elements; NaN where there is one."""
    return _reduce(lambda y, d: y.amin(d), x, axis, keepdims)


def argmax(x, /, *, axis=None, keepdims=False):
    """The first index of the largest element, counted in the flattened array when axis is None."""
    return _reduce(lambda y, d: y.argmax(d), order_key(x), axis, keepdims)


def argmin(x, /, *, axis=None, keepdims=False):
    """The first index of the smallest element, counted in the flattened array when axis is None."""
    return _reduce(lambda y, d: y.argmin(d), order_key(x), axis, keepdims)


def count_nonzero(x, /, *, axis=None, keepdims=False):
    """How many elements are not 0."""
    return _reduce(lambda y, d: y.sum(d), x.bool(), axis, keepdims)


def _cumulative(name, f, first, x, axis, dtype, include_initial):
    if axis is None and x.ndim != 1:
        raise ValueError(f"{name}: axis must be given for an array of {x.ndim} dimensions")
    axis = 0 if axis is None else axis
    out = f(x.to(sum_dtype(x, dtype)), axis)
    if include_initial:
        shape = list(out.shape)
        shape[axis] = 1
        out = tg.cat([tg.full(shape, first, dtype=out.dtype, device=out.device), out], axis)
    return out


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """Sums of the elements up to each one; include_initial puts 0 in front."""
    return _cumulative("cumulative_sum", _whole(tg.cumsum), 0, x, axis, dtype, include_initial)


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """Products of the elements up to each one; include_initial puts 1 in front."""
    return _cumulative("cumulative_prod", _whole(tg.cumprod), 1, x, axis, dtype, include_initial)


def diff(x, /, *, axis=-1, n=1, prepend=None, append=None):
    """n times the differences of neighbours along axis, with prepend and append put at the ends first."""
    x = tg.cat([y for y in (prepend, x, append) if y is not None], axis)
    for _ in range(smaller(n, x.shape[axis])):
        size = x.shape[axis] - 1
        x = x.narrow(axis, 1, size) - x.narrow(axis, 0, size)
    return x


__all__ = ["all", "any", "argmax", "argmin", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod",
           "std", "sum", "var"]
