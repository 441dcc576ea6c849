from .. import _C
from . import constraints
from .distribution import ExponentialFamily, Univariate


class Poisson(Univariate, ExponentialFamily):
    """rate^k exp(-rate) / k!."""
    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate, validate_args=None):
        self._take(validate_args, rate=rate)

    mean = variance = property(lambda self: self.rate)
    mode = property(lambda self: self.rate.floor())

    @_C.no_grad()
    def sample(self, sample_shape=()):
        return _C.poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        self._checked(value)
        return _C.xlogy(value, self.rate) - self.rate - (value + 1).lgamma()
