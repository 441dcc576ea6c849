from .. import _C
from . import constraints
from .distribution import Univariate
from .utils import euler_constant


class Weibull(Univariate):
    """(k / scale) z^(k - 1) exp(-z^k), z = x / scale, k the concentration."""
    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, scale, concentration, validate_args=None):
        self._take(validate_args, scale=scale, concentration=concentration)

    def _gamma(self, k):
        return _C.exp(_C.lgamma(1 + k / self.concentration))

    mean = property(lambda self: self.scale * self._gamma(1))
    variance = property(lambda self: self.scale.pow(2) * (self._gamma(2) - self._gamma(1).pow(2)))

    @property
    def mode(self):
        k = self.concentration
        return self.scale * ((k - 1) / k).clamp(min=0) ** k.reciprocal()

    def rsample(self, sample_shape=()):
        e = _C.empty(self._extended_shape(sample_shape), dtype=self.scale.dtype).exponential_()
        return self.scale * e ** self.concentration.reciprocal()

    def log_prob(self, value):
        self._checked(value)
        k, z = self.concentration, value / self.scale
        return _C.log(k / self.scale) + (k - 1) * _C.log(z) - z ** k

    def cdf(self, value):
        self._checked(value)
        return -_C.expm1(-(value / self.scale) ** self.concentration)

    def icdf(self, value):
        return self.scale * (-_C.log1p(-value)) ** self.concentration.reciprocal()

    def entropy(self):
        return euler_constant * (1 - self.concentration.reciprocal()) + _C.log(self.scale / self.concentration) + 1
