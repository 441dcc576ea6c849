"""Excesses over a high threshold: the generalised Pareto distribution."""
import math

from .. import _C
from . import constraints
from .distribution import Univariate


class GeneralizedPareto(Univariate):
    """(1 + k z)^(-1 / k - 1) / scale with z = (x - loc) / scale and k the concentration; the exponential where k is 0."""
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}
    has_rsample = True

    def __init__(self, loc, scale, concentration, validate_args=None):
        self._take(validate_args, loc=loc, scale=scale, concentration=concentration)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        """From loc on; for a negative concentration up to loc - scale / concentration."""
        upper = _C.where(self.concentration < 0, self.loc - self.scale / self.concentration, math.inf)
        return constraints.interval(self.loc, upper)

    def _limit(self):  # (is k nearly 0, k with ones there)
        near = _C.isclose(self.concentration, _C.zeros_like(self.concentration))
        return near, _C.where(near, 1.0, self.concentration)

    @property
    def mean(self):
        k = self.concentration
        return _C.where(k < 1, self.loc + self.scale / (1 - _C.where(k < 1, k, 0.0)), math.nan)

    @property
    def variance(self):
        k = self.concentration
        safe = _C.where(k < 0.5, k, 0.0)
        return _C.where(k < 0.5, self.scale ** 2 / ((1 - safe) ** 2 * (1 - 2 * safe)), math.nan)

    mode = property(lambda self: self.loc)

    def rsample(self, sample_shape=()):
        return self.icdf(_C.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_prob(self, value):
        self._checked(value)
        near, k = self._limit()
        z = (value - self.loc) / self.scale
        return _C.where(near, -z, -(1 / k + 1) * _C.log1p(k * z)) - self.scale.log()

    def log_survival_function(self, value):
        """log of the probability of more than value."""
        self._checked(value)
        near, k = self._limit()
        z = (value - self.loc) / self.scale
        return _C.where(near, -z, -_C.log1p(k * z) / k)

    def log_cdf(self, value):
        """log of cdf."""
        return _C.log1p(-_C.exp(self.log_survival_function(value)))

    def cdf(self, value):
        return _C.exp(self.log_cdf(value))

    def icdf(self, value):
        near, k = self._limit()
        survival = _C.log1p(-value)
        return self.loc + self.scale * _C.where(near, -survival, _C.expm1(-k * survival) / k)

    def entropy(self):
        return (self.scale.log() + self.concentration + 1).expand(self._batch_shape)
