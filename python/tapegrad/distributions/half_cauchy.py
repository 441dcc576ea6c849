"""The distribution of this module's name."""
import math

from .. import _C
from . import constraints
from .cauchy import Cauchy
from .distribution import Univariate


class HalfCauchy(Univariate):
    """|x| for x ~ Cauchy(0, scale)."""
    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, scale, validate_args=None):
        self._take(validate_args, scale=scale)

    @property
    def base_dist(self):
        """Cauchy(0, scale)."""
        return Cauchy(_C.zeros_like(self.scale), self.scale, validate_args=False)

    mean = property(lambda self: _C.full(self._extended_shape(), math.inf, dtype=self.scale.dtype))
    mode = property(lambda self: _C.zeros_like(self.scale))
    variance = property(lambda self: self.base_dist.variance)

    def rsample(self, sample_shape=()):
        return self.base_dist.rsample(sample_shape).abs()

    def log_prob(self, value):
        self._checked(value)
        return _C.where(value >= 0, self.base_dist.log_prob(value) + math.log(2), -math.inf)

    def cdf(self, value):
        self._checked(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value):
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self):
        return self.base_dist.entropy() - math.log(2)
