"""What torch.functional spells in Python: arguments that are pairs of lists."""
from . import _C


def tensordot(a, b, dims=2, dims_other=None, *, out=None):
    """Sums of products over the last `dims` dimensions of a and the first of b, or over the pair of lists dims = (of a, of b)."""
    if dims_other is None and not isinstance(dims, int):
        dims, dims_other = dims.tolist() if isinstance(dims, _C.Tensor) else dims
        dims, dims_other = ([d] if isinstance(d, int) else d for d in (dims, dims_other))
    result = _C.tensordot(a, b, dims) if dims_other is None else _C.tensordot(a, b, dims, dims_other)
    return result if out is None else out.resize_(result.shape).copy_(result)
