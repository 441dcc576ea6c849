"""Order, search and sets."""
from collections import namedtuple

import tapegrad as tg

from ._dtypes import UNSIGNED, as_arrays, order_key

unique_all_result = namedtuple("unique_all_result", "values indices inverse_indices counts")
unique_counts_result = namedtuple("unique_counts_result", "values counts")
unique_inverse_result = namedtuple("unique_inverse_result", "values inverse_indices")


def argsort(x, /, *, axis=-1, descending=False, stable=True):
    """The indices that sort x along axis."""
    return tg.argsort(order_key(x), dim=axis, descending=descending, stable=stable)


def sort(x, /, *, axis=-1, descending=False, stable=True):
    """x, sorted along axis."""
    if x.dtype in UNSIGNED:
        return x.gather(axis, argsort(x, axis=axis, descending=descending, stable=stable)) if x.ndim else x.clone()
    return tg.sort(x, dim=axis, descending=descending, stable=stable)[0]


def searchsorted(x1, x2, /, *, side="left", sorter=None):
    """Where x2 must be put into the sorted x1: before equal elements, or, with side="right", after them."""
    x1, x2 = as_arrays("searchsorted", x1, x2)
    if sorter is not None:
        x1 = x1[sorter.to(tg.int64)]
    return tg.searchsorted(order_key(x1), order_key(x2).contiguous(), right=side == "right")


def nonzero(x, /):
    """The indices of the elements that are not 0, one array for each dimension."""
    if not x.ndim:
        raise ValueError("nonzero: the array must have at least one dimension")
    return tuple(tg.nonzero(x, as_tuple=True))


def where(condition, x1, x2, /):
    """x1 where the condition holds and x2 elsewhere."""
    return tg.where(condition, *as_arrays("where", x1, x2))


def isin(x1, x2, /, *, invert=False):
    """Which elements of x1 are in x2 (with invert: are not)?"""
    x1, x2 = as_arrays("isin", x1, x2)
    found = (x1[..., None] == x2.reshape(-1)).any(-1) if x1.dtype.is_complex else tg.isin(order_key(x1), order_key(x2))
    return ~found if invert else found


def unique_all(x, /):
    """The different values, the first index of each, the value that each element has, and how often each is there. NaNs differ."""
    flat = x.reshape(-1)
    if x.dtype.is_complex:  # by the real, then the imaginary part
        order = tg.argsort(flat.imag, stable=True)
        order = order[tg.argsort(flat.real[order], stable=True)]
    else:
        order = argsort(flat)
    ordered = flat[order]
    starts = tg.cat([tg.ones(min(len(flat), 1), dtype=tg.bool, device=x.device), ordered[1:] != ordered[:-1]])
    inverse = tg.empty_like(order)
    inverse[order] = starts.cumsum(0) - 1
    first = tg.nonzero(starts)[:, 0]
    counts = tg.cat([first[1:], first.new_full((min(len(flat), 1),), len(flat))]) - first
    return unique_all_result(ordered[first], order[first], inverse.reshape(x.shape), counts)


def unique_counts(x, /):
    """The different values and how often each is there."""
    u = unique_all(x)
    return unique_counts_result(u.values, u.counts)


def unique_inverse(x, /):
    """The different values and which of them each element is."""
    u = unique_all(x)
    return unique_inverse_result(u.values, u.inverse_indices)


def unique_values(x, /):
    """The different values."""
    return unique_all(x).values


__all__ = ["argsort", "isin", "nonzero", "searchsorted", "sort", "unique_all", "unique_counts", "unique_inverse", "unique_values", "where"]
