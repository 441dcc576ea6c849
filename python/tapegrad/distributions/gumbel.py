import math

from .. import _C
from . import constraints
from .distribution import Univariate
from .utils import clamp_probs, euler_constant


class Gumbel(Univariate):
    """exp(-z - exp(-z)) / scale, z = (x - loc) / scale."""
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self._take(validate_args, loc=loc, scale=scale)

    mean = property(lambda self: self.loc + self.scale * euler_constant)
    mode = property(lambda self: self.loc)
    stddev = property(lambda self: math.pi / math.sqrt(6) * self.scale)
    variance = property(lambda self: self.stddev.pow(2))

    def rsample(self, sample_shape=()):
        u = clamp_probs(_C.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))
        return self.icdf(u)

    def log_prob(self, value):
        self._checked(value)
        y = (self.loc - value) / self.scale
        return (y - y.exp()) - self.scale.log()

    def cdf(self, value):
        self._checked(value)
        return _C.exp(-_C.exp((self.loc - value) / self.scale))

    def icdf(self, value):
        return self.loc - self.scale * _C.log(-_C.log(value))

    def entropy(self):
        return self.scale.log() + (1 + euler_constant)
