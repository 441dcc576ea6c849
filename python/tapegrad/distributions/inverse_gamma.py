from .. import _C
from . import constraints
from .distribution import Univariate
from .gamma import Gamma


class InverseGamma(Univariate):
    """1 / x for x ~ Gamma(concentration, rate)."""
    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, concentration, rate, validate_args=None):
        self._take(validate_args, concentration=concentration, rate=rate)

    @property
    def base_dist(self):
        """The Gamma distribution of the reciprocal."""
        return Gamma(self.concentration, self.rate, validate_args=False)

    @property
    def mean(self):
        return _C.where(self.concentration > 1, self.rate / (self.concentration - 1), float("inf"))

    mode = property(lambda self: self.rate / (self.concentration + 1))

    @property
    def variance(self):
        a = self.concentration
        return _C.where(a > 2, self.rate.square() / ((a - 1).square() * (a - 2)), float("inf"))

    def rsample(self, sample_shape=()):
        return self.base_dist.rsample(sample_shape).reciprocal()

    def log_prob(self, value):
        self._checked(value)
        return self.base_dist.log_prob(value.reciprocal()) - 2 * value.log()

    def cdf(self, value):
        self._checked(value)
        return 1 - self.base_dist.cdf(value.reciprocal())

    def entropy(self):
        a = self.concentration
        return a + self.rate.log() + a.lgamma() - (1 + a) * a.digamma()
