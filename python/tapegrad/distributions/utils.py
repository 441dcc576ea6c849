"""Broadcasting of parameters, and probabilities against logits."""
from .. import _C
from ..nn import functional as F

euler_constant = 0.57721566490153286060


def broadcast_all(*values):
    """Tensors and numbers as tensors of one shape; numbers take a tensor's dtype, else the default."""
    tensors = [v for v in values if isinstance(v, _C.Tensor)]
    if any(not isinstance(v, (_C.Tensor, int, float)) for v in values):
        raise ValueError("Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__.")
    options = {"dtype": tensors[0].dtype if tensors else _C.get_default_dtype()}
    return _C.broadcast_tensors(*[v if isinstance(v, _C.Tensor) else _C.tensor(v, **options) for v in values])


def eps_of(x):
    """The distance from 1 to the next number of x's dtype."""
    from ..dtypes import finfo
    return finfo(x.dtype).eps


def clamp_probs(probs):
    """Into [eps, 1 - eps], where logarithms are finite."""
    eps = eps_of(probs)
    return probs.clamp(min=eps, max=1 - eps)


def logits_to_probs(logits, is_binary=False):
    """sigmoid, or softmax over the last dimension."""
    return _C.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


def probs_to_logits(probs, is_binary=False):
    """log p - log(1 - p), or log p; p is clamped away from 0 and 1."""
    p = clamp_probs(probs)
    return _C.log(p) - _C.log1p(-p) if is_binary else _C.log(p)


def sum_rightmost(value, dim):
    """The sum over the last `dim` dimensions."""
    return value if dim == 0 else value.flatten(value.ndim - dim).sum(-1)


def tril_matrix_to_vec(mat, diag=0):
    """The entries on and below a diagonal, row by row."""
    rows, cols = _C.tril_indices(mat.shape[-2], mat.shape[-1], diag)
    return mat[..., rows, cols]


def vec_to_tril_matrix(vec, diag=0):
    """The other way round: a square matrix with these entries and zeros above."""
    n = int((-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * vec.shape[-1] + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2)
    rows, cols = _C.tril_indices(n, n, diag)
    if len(rows) != vec.shape[-1]:
        raise ValueError(f"The size of last dimension is {vec.shape[-1]} which cannot be expressed as the lower triangular part of "
                         "a matrix")
    mat = vec.new_zeros(vec.shape[:-1] + (n, n))
    mat[..., rows, cols] = vec
    return mat


class lazy_property:
    """A property that is computed at its first use and kept."""

    def __init__(self, wrapped):
        self.wrapped, self.__doc__ = wrapped, wrapped.__doc__

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        with _C.enable_grad():
            value = self.wrapped(instance)
        instance.__dict__[self.name] = value
        return value
