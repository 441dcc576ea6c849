import math

from .. import _C
from . import constraints
from .distribution import Univariate


class Pareto(Univariate):
    """alpha scale^alpha / x^(alpha + 1) from scale on."""
    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}
    support = constraints.dependent_property(lambda self: constraints.greater_than_eq(self.scale))
    has_rsample = True

    def __init__(self, scale, alpha, validate_args=None):
        self._take(validate_args, scale=scale, alpha=alpha)

    mode = property(lambda self: self.scale)

    @property
    def mean(self):
        a = self.alpha.clamp(min=1)  # infinite at 1
        return a * self.scale / (a - 1)

    @property
    def variance(self):
        a = self.alpha.clamp(min=2)
        return self.scale.pow(2) * a / ((a - 1).pow(2) * (a - 2))

    def rsample(self, sample_shape=()):
        e = _C.empty(self._extended_shape(sample_shape), dtype=self.scale.dtype).exponential_()
        return self.scale * _C.exp(e / self.alpha)

    def log_prob(self, value):
        self._checked(value)
        out = self.alpha.log() + self.alpha * self.scale.log() - (self.alpha + 1) * value.log()
        return _C.where(value < self.scale, -math.inf, out)

    def cdf(self, value):
        self._checked(value)
        return -_C.expm1(self.alpha * (self.scale / value).log())

    def icdf(self, value):
        return self.scale * _C.exp(-_C.log1p(-value) / self.alpha)

    def entropy(self):
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())
