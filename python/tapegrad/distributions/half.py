"""|x| of an x that is symmetric around 0: what HalfNormal and HalfCauchy share."""
import math

from .. import _C
from . import constraints
from .distribution import Univariate


class Half(Univariate):
    """|x| for x ~ base_dist, which subclasses name."""
    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _base = None  # class of base_dist

    def __init__(self, scale, validate_args=None):
        self._take(validate_args, scale=scale)

    @property
    def base_dist(self):
        """The distribution of x, around 0 and of the same scale."""
        return self._base(_C.zeros_like(self.scale), self.scale, validate_args=False)

    mode = property(lambda self: _C.zeros_like(self.scale))

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
