"""Linear algebra under PyTorch's names: the rows of the op table that are called "linalg.…"."""
from . import _C

<<<<<<< HEAD
__all__ = ["norm", "vector_norm", "matrix_norm", "matmul", "multi_dot", "diagonal", "vecdot"]

matmul = _C.matmul


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """(sum |x|^ord)^(1/ord) over dim, or over all elements."""
    x = x if dtype is None else x.to(dtype)
    return x.norm(ord, list(range(x.ndim)) if dim is None else dim, keepdim)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """Norms of matrices: "fro", inf, -inf (row sums), 1, -1 (column sums)."""
    A = A if dtype is None else A.to(dtype)
    if ord == "fro":
        return A.norm(2, list(dim), keepdim)
    if ord not in (1, -1, math.inf, -math.inf):
        raise NotImplementedError(f"matrix_norm: ord={ord!r} needs a singular value decomposition, which is not implemented")
    rows, cols = (d % A.ndim for d in dim)
    over, then = (rows, cols) if abs(ord) == 1 else (cols, rows)
    sums = A.abs().sum(over, keepdim=True)
    out = sums.amax(then, keepdim=True) if ord > 0 else sums.amin(then, keepdim=True)
    return out if keepdim else out.squeeze((rows, cols))


def norm(A, ord=None, dim=None, keepdim=False, *, out=None, dtype=None):
    """vector_norm, or matrix_norm when dim names two dimensions or ord is a matrix norm's name."""
    if dim is not None and not isinstance(dim, int) and len(dim) == 2 or isinstance(ord, str):
        return matrix_norm(A, "fro" if ord is None else ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    if ord is not None and dim is None and A.ndim == 2:
        return matrix_norm(A, ord, (-2, -1), keepdim, dtype=dtype)
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


def multi_dot(tensors):
    """The product of several matrices, from left to right."""
    out = tensors[0]
    for t in tensors[1:]:
        out = out.matmul(t)
    return out


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """Diagonals of the last two dimensions."""
    return A.diagonal(offset, dim1, dim2)


def vecdot(x, y, *, dim=-1):
    """Sum of x * y along dim."""
    return (x * y).sum(dim)


def __getattr__(name):
    from ._compat import missing
    raise missing(__name__, name)
=======
LinAlgError = _C.LinAlgError
_functions = {name.partition(".")[2]: f for name, f in _C.functions.items() if name.startswith("linalg.")}
globals().update(_functions)
__all__ = ["LinAlgError", *sorted(_functions)]
>>>>>>> e503e7e (wip: linalg (real))
