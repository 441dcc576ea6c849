"""Random covariance matrices: the Wishart distribution."""
import math
import warnings

from .. import _C, linalg
from . import constraints
from .distribution import Distribution
from .utils import lazy_property

_LOG2 = math.log(2)


class Wishart(Distribution):
    """The sum of df outer products of normal vectors with covariance Σ, given by covariance_matrix, precision_matrix or scale_tril, its
    Cholesky factor; df may be any number above p - 1. Samples by Bartlett's decomposition."""
    support = constraints.positive_definite
    has_rsample = True
    _event_dims = {"covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2, "_unbroadcasted_scale_tril": 2}
    arg_constraints = {"covariance_matrix": constraints.positive_definite, "precision_matrix": constraints.positive_definite,
                       "scale_tril": constraints.lower_cholesky, "df": constraints.greater_than(0)}

    def __init__(self, df, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None):
        given = dict(covariance_matrix=covariance_matrix, precision_matrix=precision_matrix, scale_tril=scale_tril)
        given = {k: v for k, v in given.items() if v is not None}
        if len(given) != 1:
            raise AssertionError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        (name, matrix), = given.items()
        if matrix.dim() < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading batch dimensions")
        df = df if isinstance(df, _C.Tensor) else _C.tensor(df, dtype=matrix.dtype)
        from ..positional import broadcast_shapes
        batch, p = tuple(broadcast_shapes(df.shape, matrix.shape[:-2])), matrix.shape[-1]
        self.df = df.expand(batch)
        self.__dict__[name] = matrix.expand(batch + (p, p))
        if (self.df <= p - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {p - 1}.")
        super().__init__(batch, (p, p), validate_args)
        if (self.df < p).any():
            warnings.warn("Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.", stacklevel=2)
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        else:
            self._unbroadcasted_scale_tril = linalg.cholesky(matrix if name == "covariance_matrix" else linalg.inv(matrix))

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return new

    def _full(self, m):
        return m.expand(self._batch_shape + self._event_shape)

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of Σ."""
        return self._full(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self):
        """Σ = L Lᵀ."""
        return self._full(self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT)

    @lazy_property
    def precision_matrix(self):
        """Σ^-1."""
        p = self._event_shape[-1]
        return self._full(_C.cholesky_inverse(self._unbroadcasted_scale_tril)) if p else self.covariance_matrix

    @property
    def _nu(self):
        return self.df[..., None, None]

    @property
    def mean(self):
        return self._nu * self.covariance_matrix

    @property
    def mode(self):
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        return _C.where(factor <= 0, math.nan, factor)[..., None, None] * self.covariance_matrix

    @property
    def variance(self):
        V = self.covariance_matrix
        diagonal = V.diagonal(0, -2, -1)
        return self._nu * (V.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def rsample(self, sample_shape=(), max_try_correction=None):
        """L A Aᵀ Lᵀ with A lower triangular: normal below the diagonal, the root of a chi squared with df - i degrees on it."""
        from .chi2 import Chi2
        p, shape = self._event_shape[-1], self._extended_shape(sample_shape)
        degrees = self.df.unsqueeze(-1) - _C.arange(p, dtype=self.df.dtype)
        diagonal = Chi2(degrees, validate_args=False).rsample(sample_shape).sqrt()
        A = _C.randn(shape, dtype=self.df.dtype).tril(-1) + _C.diag_embed(diagonal)
        root = self._unbroadcasted_scale_tril @ A
        return root @ root.mT

    def log_prob(self, value):
        self._checked(value)
        nu, p, L = self.df, self._event_shape[-1], self._unbroadcasted_scale_tril
        half_log_det = L.diagonal(0, -2, -1).log().sum(-1)
        inside = _C.cholesky_solve(value, L.expand(value.shape)).diagonal(0, -2, -1).sum(-1)
        return (-nu * (p * _LOG2 / 2 + half_log_det) - _C.mvlgamma(nu / 2, p) + (nu - p - 1) / 2 * linalg.slogdet(value)[1] - inside / 2)

    def entropy(self):
        nu, p, L = self.df, self._event_shape[-1], self._unbroadcasted_scale_tril
        half_log_det = L.diagonal(0, -2, -1).log().sum(-1)
        digammas = _C.digamma(nu.unsqueeze(-1) / 2 - _C.arange(p, dtype=nu.dtype) / 2).sum(-1)
        return (p + 1) * (p * _LOG2 / 2 + half_log_det) + _C.mvlgamma(nu / 2, p) - (nu - p - 1) / 2 * digammas + nu * p / 2
