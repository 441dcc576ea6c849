import math

from .. import _C, linalg
from ..positional import broadcast_shapes
from . import constraints
from .distribution import Distribution
from .multivariate_normal import half_log_det, mahalanobis
from .utils import lazy_property


class LowRankMultivariateNormal(Distribution):
    """A normal distribution with covariance W Wᵀ + diag(D), W = cov_factor, D = cov_diag.

    By the Woodbury identity and the matrix determinant lemma all work is with the small capacitance matrix I + Wᵀ D^-1 W.
    """
    arg_constraints = {"loc": constraints.real_vector, "cov_factor": constraints.independent(constraints.real, 2),
                       "cov_diag": constraints.independent(constraints.positive, 1)}
    support = constraints.real_vector
    has_rsample = True
    _event_dims = {"loc": 1, "cov_factor": 2, "cov_diag": 1}

    def __init__(self, loc, cov_factor, cov_diag, validate_args=None):
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        n = loc.shape[-1]
        if cov_factor.dim() < 2 or cov_factor.shape[-2] != n:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {n} x m")
        if cov_diag.shape[-1:] != loc.shape[-1:]:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {n}")
        batch = tuple(broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1]))
        self.loc, self.cov_diag = loc.expand(batch + (-1,)), cov_diag.expand(batch + (-1,))
        self.cov_factor = cov_factor.expand(batch + tuple(cov_factor.shape[-2:]))
        Distribution.__init__(self, batch, (n,), validate_args=validate_args)

    @lazy_property
    def _capacitance_tril(self):
        Wt = self.cov_factor.mT / self.cov_diag.unsqueeze(-2)
        return linalg.cholesky(_C.eye(Wt.shape[-2], dtype=Wt.dtype) + Wt @ self.cov_factor)

    mean = mode = property(lambda self: self.loc)
    variance = property(lambda self: self.cov_factor.pow(2).sum(-1) + self.cov_diag)

    @lazy_property
    def covariance_matrix(self):
        """W Wᵀ + diag(D)."""
        return self.cov_factor @ self.cov_factor.mT + _C.diag_embed(self.cov_diag)

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the covariance."""
        return linalg.cholesky(self.covariance_matrix)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance."""
        Wt = self.cov_factor.mT / self.cov_diag.unsqueeze(-2)
        A = linalg.solve_triangular(self._capacitance_tril, Wt, upper=False)
        return _C.diag_embed(self.cov_diag.reciprocal()) - A.mT @ A

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        small = _C.randn(tuple(shape[:-1]) + (self.cov_factor.shape[-1],), dtype=self.loc.dtype)
        return self.loc + (self.cov_factor @ small.unsqueeze(-1)).squeeze(-1) + self.cov_diag.sqrt() * _C.randn(shape, dtype=self.loc.dtype)

    def _log_det(self):
        return 2 * half_log_det(self._capacitance_tril) + self.cov_diag.log().sum(-1)

    def log_prob(self, value):
        self._checked(value)
        x = value - self.loc
        Wt_x = (self.cov_factor.mT / self.cov_diag.unsqueeze(-2) @ x.unsqueeze(-1)).squeeze(-1)
        m = (x.pow(2) / self.cov_diag).sum(-1) - mahalanobis(self._capacitance_tril, Wt_x)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._log_det() + m)

    def entropy(self):
        return 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._log_det())
