from .. import _C
from . import constraints
from .distribution import Univariate
from .utils import clamp_probs, euler_constant


class Kumaraswamy(Univariate):
    """a b x^(a - 1) (1 - x^a)^(b - 1) from 0 to 1, a = concentration1, b = concentration0."""
    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1, concentration0, validate_args=None):
        self._take(validate_args, concentration1=concentration1, concentration0=concentration0)

    def _moment(self, n):
        a, b = self.concentration1, self.concentration0
        return _C.exp(b.log() + _C.lgamma(1 + n / a) + _C.lgamma(b) - _C.lgamma(1 + n / a + b))

    mean = property(lambda self: self._moment(1))
    variance = property(lambda self: self._moment(2) - self._moment(1).pow(2))

    @property
    def mode(self):
        a, b = self.concentration1, self.concentration0
        out = (a.reciprocal() * _C.log((a - 1) / (a * b - 1))).exp()
        return _C.where((a < 1) | (b < 1) | ((a == 1) & (b == 1)), float("nan"), out)

    def rsample(self, sample_shape=()):
        u = clamp_probs(_C.rand(self._extended_shape(sample_shape), dtype=self.concentration0.dtype))
        return self.icdf(u)

    def log_prob(self, value):
        self._checked(value)
        a, b = self.concentration1, self.concentration0
        return a.log() + b.log() + (a - 1) * value.log() + (b - 1) * _C.log1p(-value ** a)

    def cdf(self, value):
        self._checked(value)
        return 1 - (1 - value ** self.concentration1) ** self.concentration0

    def icdf(self, value):
        return (1 - (1 - value) ** self.concentration0.reciprocal()) ** self.concentration1.reciprocal()

    def entropy(self):
        t1, t0 = 1 - self.concentration1.reciprocal(), 1 - self.concentration0.reciprocal()
        h0 = _C.digamma(self.concentration0 + 1) + euler_constant
        return t0 + t1 * h0 - _C.log(self.concentration1) - _C.log(self.concentration0)
