"""The linalg extension of the array API standard."""
from collections import namedtuple

import tapegrad as tg

from ._dtypes import UNSIGNED, as_arrays
from ._reductions import _reduce, sum, sum_dtype

eigh_result = namedtuple("eigh_result", "eigenvalues eigenvectors")
eig_result = namedtuple("eig_result", "eigenvalues eigenvectors")
qr_result = namedtuple("qr_result", "Q R")
slogdet_result = namedtuple("slogdet_result", "sign logabsdet")
svd_result = namedtuple("svd_result", "U S Vh")


def _of_integers(f, x1, x2):  # products of unsigned integers have the bits of signed ones
    if x1.dtype in UNSIGNED:
        return f(x1.to(tg.int64), x2.to(tg.int64)).to(x1.dtype)
    return f(x1, x2)


def matmul(x1, x2, /):
    """Matrix products; of vectors, where an operand has one dimension."""
    return _of_integers(tg.matmul, *as_arrays("matmul", x1, x2))


def matrix_transpose(x, /):
    """The last two dimensions exchanged."""
    return x.mT


def tensordot(x1, x2, /, *, axes=2):
    """Sums of products over the last axes of x1 and the first of x2, or over two lists of them."""
    dims = axes if isinstance(axes, int) else [list(a) for a in axes]
    return _of_integers(lambda a, b: tg.tensordot(a, b, dims), *as_arrays("tensordot", x1, x2))


def vecdot(x1, x2, /, *, axis=-1):
    """Sums of conj(x1) x2 along axis."""
    x1, x2 = as_arrays("vecdot", x1, x2)
    for x in (x1, x2):
        if not -x.ndim <= axis < 0:
            raise IndexError(f"vecdot: axis {axis} must be negative and in range of {x.ndim} dimensions")
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(f"vecdot: the sizes along axis {axis} differ: {x1.shape[axis]} and {x2.shape[axis]}")
    return sum(x1.conj() * x2, axis=axis, dtype=x1.dtype)


def outer(x1, x2, /):
    """All products of an element of x1 with one of x2."""
    x1, x2 = as_arrays("outer", x1, x2)
    return x1[:, None] * x2


def diagonal(x, /, *, offset=0):
    """The diagonals of matrices."""
    return tg.diagonal(x, offset, -2, -1)


def trace(x, /, *, offset=0, dtype=None):
    """The sums of the diagonals of matrices."""
    return sum(diagonal(x, offset=offset), axis=-1, dtype=sum_dtype(x, dtype))


def cross(x1, x2, /, *, axis=-1):
    """Cross products of vectors of 3 along axis."""
    return tg.linalg.cross(*tg.broadcast_tensors(*as_arrays("cross", x1, x2)), dim=axis)


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """(sum of |x|^ord)^(1/ord) over axis."""
    return _reduce(lambda y, d: tg.linalg.vector_norm(y, ord, d), x.abs() if x.dtype.is_complex else x, axis, keepdims)


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """Norms of matrices: "fro", "nuc", 1, 2, inf and their negatives."""
    if x.dtype.is_complex and ord not in (2, -2, "nuc"):  # these are norms of the absolute values
        x = x.abs()
    return tg.linalg.matrix_norm(x, ord, keepdim=keepdims)


def cholesky(x, /, *, upper=False):
    """L with x = L Lᴴ, or U with x = Uᴴ U."""
    return tg.linalg.cholesky(x, upper=upper)


def det(x, /):
    """Determinants."""
    return tg.linalg.det(x)


def eigh(x, /):
    """Eigenvalues, ascending, and eigenvectors of Hermitian matrices."""
    return eigh_result(*tg.linalg.eigh(x))


def eigvalsh(x, /):
    """Eigenvalues of Hermitian matrices, ascending."""
    return tg.linalg.eigvalsh(x)


def _complex(x):
    return x.to({tg.float32: tg.complex64, tg.float64: tg.complex128}.get(x.dtype, x.dtype))


def eig(x, /):
    """Eigenvalues and eigenvectors of matrices, complex numbers."""
    return eig_result(*(_complex(y) for y in tg.linalg.eig(x)))


def eigvals(x, /):
    """Eigenvalues of matrices, complex numbers."""
    return _complex(tg.linalg.eigvals(x))


def inv(x, /):
    """Inverses."""
    return tg.linalg.inv(x)


def matrix_power(x, n, /):
    """x times itself n times; its inverse for negative n."""
    return tg.linalg.matrix_power(x, n)


def matrix_rank(x, /, *, rtol=None):
    """How many singular values are larger than rtol times the largest."""
    return tg.linalg.matrix_rank(x, rtol=rtol)


def pinv(x, /, *, rtol=None):
    """Pseudoinverses."""
    return tg.linalg.pinv(x, rtol=rtol)


def qr(x, /, *, mode="reduced"):
    """Q and R with x = Q R."""
    return qr_result(*tg.linalg.qr(x, mode=mode))


def slogdet(x, /):
    """Signs and logarithms of the absolute values of determinants."""
    return slogdet_result(*tg.linalg.slogdet(x))


def solve(x1, x2, /):
    """x with x1 x = x2. x2 is a vector only when it has one dimension."""
    x1, x2 = as_arrays("solve", x1, x2)
    if x2.ndim == 1:
        return tg.linalg.solve(x1, x2[:, None])[..., 0]
    batch = tg.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    return tg.linalg.solve(x1.expand((*batch, *x1.shape[-2:])), x2.expand((*batch, *x2.shape[-2:])))


def svd(x, /, *, full_matrices=True):
    """U, S and Vᴴ with x = U diag(S) Vᴴ."""
    return svd_result(*tg.linalg.svd(x, full_matrices=full_matrices))


def svdvals(x, /):
    """Singular values, descending."""
    return tg.linalg.svdvals(x)


__all__ = ["cholesky", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power",
           "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot",
           "vector_norm"]
