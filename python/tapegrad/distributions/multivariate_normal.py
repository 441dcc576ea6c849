import math

from .. import _C, linalg
from ..positional import broadcast_shapes
from . import constraints
from .distribution import Distribution
from .utils import lazy_property


def mahalanobis(L, x):
    """|L^-1 x|^2 for a batch of lower factors and of vectors, which broadcast."""
    return linalg.solve_triangular(L, x.unsqueeze(-1), upper=False).squeeze(-1).pow(2).sum(-1)


def half_log_det(L):
    """log of the product of the diagonal."""
    return L.diagonal(0, -2, -1).log().sum(-1)


class MultivariateNormal(Distribution):
    """exp(-(x - loc)ᵀ Σ^-1 (x - loc) / 2) / sqrt(det 2πΣ), Σ by covariance_matrix, precision_matrix or scale_tril, its Cholesky factor."""
    arg_constraints = {"loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
                       "precision_matrix": constraints.positive_definite, "scale_tril": constraints.lower_cholesky}
    support = constraints.real_vector
    has_rsample = True
    _event_dims = {"loc": 1, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2, "_unbroadcasted_scale_tril": 2}

    def __init__(self, loc, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None):
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = dict(covariance_matrix=covariance_matrix, precision_matrix=precision_matrix, scale_tril=scale_tril)
        given = {k: v for k, v in given.items() if v is not None}
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        (name, matrix), = given.items()
        if matrix.dim() < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        batch = tuple(broadcast_shapes(matrix.shape[:-2], loc.shape[:-1]))
        self.loc = loc.expand(batch + (-1,))
        self.__dict__[name] = matrix.expand(batch + (-1, -1))
        Distribution.__init__(self, batch, self.loc.shape[-1:], validate_args=validate_args)
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = linalg.cholesky(matrix)
        else:  # of the flipped matrix, as inverse of a factor of P
            flipped = linalg.cholesky(_C.flip(matrix, (-2, -1)))
            inverse = _C.flip(flipped, (-2, -1)).transpose(-2, -1)
            self._unbroadcasted_scale_tril = linalg.solve_triangular(inverse, _C.eye(matrix.shape[-1], dtype=matrix.dtype), upper=False)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return new

    def _full(self, m):
        return m.expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the covariance."""
        return self._full(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self):
        """Σ = L Lᵀ."""
        L = self._unbroadcasted_scale_tril
        return self._full(L @ L.mT)

    @lazy_property
    def precision_matrix(self):
        """Σ^-1."""
        L = self._unbroadcasted_scale_tril
        inverse = linalg.solve_triangular(L, _C.eye(L.shape[-1], dtype=L.dtype), upper=False)
        return self._full(inverse.mT @ inverse)

    mean = mode = property(lambda self: self.loc)

    @property
    def variance(self):
        return self._unbroadcasted_scale_tril.pow(2).sum(-1).expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape=()):
        eps = _C.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self._unbroadcasted_scale_tril @ eps.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value):
        self._checked(value)
        L = self._unbroadcasted_scale_tril
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + mahalanobis(L, value - self.loc)) - half_log_det(L)

    def entropy(self):
        L = self._unbroadcasted_scale_tril
        return (0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + half_log_det(L)).expand(self._batch_shape)
