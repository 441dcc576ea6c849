"""What torch.functional spells in Python: arguments that are pairs of lists, results of several parts, control flow as functions."""
import math
import mmap
from collections import namedtuple

from . import _C

histogramdd_result = namedtuple("histogramdd", "hist bin_edges")


def tensordot(a, b, dims=2, dims_other=None, *, out=None):
    """Sums of products over the last `dims` dimensions of a and the first of b, or over the pair of lists dims = (of a, of b)."""
    if dims_other is None and not isinstance(dims, int):
        dims, dims_other = dims.tolist() if isinstance(dims, _C.Tensor) else dims
        dims, dims_other = ([d] if isinstance(d, int) else d for d in (dims, dims_other))
    result = _C.tensordot(a, b, dims) if dims_other is None else _C.tensordot(a, b, dims, dims_other)
    return result if out is None else out.resize_(result.shape).copy_(result)


def histogramdd(input, bins, range=None, weight=None, density=False):
    """(hist, bin_edges): how many points, the rows of input (…, N), are in each cell of a grid in N dimensions.

    bins: a number, numbers for each dimension, or the edges for each; range: the lowest and highest of each dimension in a row; weight: of
    each point; density: divided by the sum and the cells' volumes. The last cell has both of its ends.
    """
    if input.dim() < 2 or not input.is_floating_point():
        raise RuntimeError(f"histogramdd: input must be points (…, N) of a floating dtype, got {input.dtype} {tuple(input.shape)}")
    points = input.detach().reshape(-1, input.shape[-1])
    dims = points.shape[1]
    bins = [bins] * dims if isinstance(bins, int) else list(bins)
    if len(bins) != dims:
        raise RuntimeError(f"histogramdd: bins must be given for each of the {dims} dimensions, got {len(bins)}")
    if weight is not None and weight.shape != input.shape[:-1]:
        raise RuntimeError(f"histogramdd: weight must have shape {tuple(input.shape[:-1])}, got {tuple(weight.shape)}")
    if range is not None and len(range) != 2 * dims:
        raise RuntimeError(f"histogramdd: range must be 2 numbers for each of the {dims} dimensions, got {len(range)}")
    edges = [b if isinstance(b, _C.Tensor) else _edges(x, b, range and range[2 * d:2 * d + 2])
             for d, (b, x) in enumerate(zip(bins, points.unbind(1)))]
    counts = [len(e) - 1 for e in edges]
    cell, inside = 0, True
    for x, e, n in zip(points.unbind(1), edges, counts):
        cell = cell * n + (_C.searchsorted(e, x.contiguous(), right=True) - 1).clamp(0, n - 1)
        inside = inside & (x >= e[0]) & (x <= e[-1])
    weights = _C.ones(len(points), dtype=input.dtype) if weight is None else weight.detach().reshape(-1)
    hist = _C.zeros(math.prod(counts), dtype=input.dtype).index_add(0, cell, _C.where(inside, weights, 0.0)).reshape(counts)
    if density:
        hist = hist / hist.sum()
        for d, e in enumerate(edges):
            hist = hist / (e[1:] - e[:-1]).reshape([-1] + [1] * (dims - 1 - d))
    return histogramdd_result(hist, tuple(edges))


def _edges(x, bins, limits):
    low, high = (float(x.min()), float(x.max())) if limits is None and len(x) else limits or (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    if not math.isfinite(low) or not low < high < math.inf:
        raise RuntimeError(f"histogramdd: the range [{low}, {high}] must be finite and ascending")
    return _C.linspace(low, high, bins + 1, dtype=x.dtype)


def hash_tensor(input, dim=(), *, keepdim=False, mode=0):
    """The exclusive or of the elements' bits, as float64 or int64, over dim (all when empty): uint64."""
    if mode != 0:
        raise RuntimeError(f"hash_tensor: mode must be 0, exclusive or; got {mode}")
    bits = input.detach().double().view(_C.int64) if input.is_floating_point() else input.to(_C.int64)
    dims = (dim,) if isinstance(dim, int) else tuple(dim) or tuple(range(bits.dim()))
    dims = sorted({d % max(bits.dim(), 1) for d in dims}, reverse=True)
    for d in dims if bits.dim() else ():
        while bits.shape[d] > 1:  # the two halves onto each other
            half = (bits.shape[d] + 1) // 2
            low, high = bits.narrow(d, 0, half), bits.narrow(d, half, bits.shape[d] - half)
            low = low.clone()
            low.narrow(d, 0, high.shape[d]).bitwise_xor_(high)
            bits = low
        bits = bits.sum(d, keepdim=keepdim)  # of one element, or none
    return bits.view(_C.uint64)


def from_file(filename, shared=None, size=0, *, dtype=None, layout=None, device=None, pin_memory=False):
    """A tensor of `size` elements over a file's memory. shared=True writes changes to the file, which is made or grown; without it the
    file must have the elements, and changes stay here."""
    dtype = _C.get_default_dtype() if dtype is None else dtype
    if size == 0:
        return _C.empty(0, dtype=dtype)
    wanted = size * dtype.itemsize
    try:
        with open(filename, "a+b" if shared else "rb") as f:
            f.seek(0, 2)
            if f.tell() < wanted and not shared:
                raise RuntimeError(f"from_file: {filename} has {f.tell()} bytes, {size} elements of {dtype} need {wanted}")
            if f.tell() < wanted:
                f.truncate(wanted)
            memory = mmap.mmap(f.fileno(), wanted, access=mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY)
    except OSError as error:
        raise RuntimeError(f"from_file: {filename} cannot be mapped: {error}") from error
    return _C.frombuffer(memory, dtype=dtype, count=size)


# ---- views with memory of their own

def _copied(name):
    view = getattr(_C.Tensor, name)

    def copy(*args, out=None, **kwargs):
        result = view(*args, **kwargs)
        if not isinstance(result, _C.Tensor):
            return tuple(x.clone() for x in result) if out is None else tuple(o.resize_(x.shape).copy_(x) for o, x in zip(out, result))
        return result.clone() if out is None else out.resize_(result.shape).copy_(result)
    copy.__name__ = copy.__qualname__ = f"{name}_copy"
    copy.__doc__ = f"{name} with memory of its own."
    return copy


_VIEWS = ("as_strided", "detach", "diagonal", "expand", "permute", "select", "split", "split_with_sizes", "squeeze", "t", "transpose",
          "unbind", "unfold", "unsqueeze", "view")
globals().update({f"{name}_copy": _copied(name) for name in _VIEWS})
__all__ = ["cond", "from_file", "hash_tensor", "histogramdd", "tensordot", "while_loop", *(f"{name}_copy" for name in _VIEWS)]


# ---- control flow: Python's own, as functions

def cond(pred, true_fn, false_fn, operands=()):
    """true_fn(*operands) if pred, else false_fn(*operands)."""
    if isinstance(pred, _C.Tensor) and pred.numel() != 1:
        raise RuntimeError(f"cond: Expected pred to be bool or single-element tensor, but got {pred}.")
    if not isinstance(operands, (tuple, list)):
        raise RuntimeError(f"cond: operands must be a tuple, got {type(operands).__name__}")
    return (true_fn if pred else false_fn)(*operands)


def while_loop(cond_fn, body_fn, carried_inputs):
    """carried_inputs = body_fn(*carried_inputs) as long as cond_fn(*carried_inputs)."""
    if not callable(cond_fn) or not callable(body_fn):
        raise RuntimeError("while_loop: cond_fn and body_fn must be callable")
    state = carried_inputs
    while cond_fn(*(state if isinstance(state, (tuple, list)) else (state,))):
        state = body_fn(*(state if isinstance(state, (tuple, list)) else (state,)))
    return state
