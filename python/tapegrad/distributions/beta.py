from .. import _C
from . import constraints
from .dirichlet import Dirichlet
from .distribution import ExponentialFamily, Univariate
from .gamma_sampler import lbeta


class Beta(Univariate, ExponentialFamily):
    """x^(a - 1) (1 - x)^(b - 1) / B(a, b), a = concentration1, b = concentration0."""
    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1, concentration0, validate_args=None):
        self._take(validate_args, concentration1=concentration1, concentration0=concentration0)

    mean = property(lambda self: self.concentration1 / (self.concentration1 + self.concentration0))

    @property
    def _dirichlet(self):
        return Dirichlet(_C.stack([self.concentration1, self.concentration0], -1), validate_args=False)

    mode = property(lambda self: self._dirichlet.mode[..., 0])

    @property
    def variance(self):
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape=()):
        return self._dirichlet.rsample(sample_shape).select(-1, 0)

    def log_prob(self, value):
        self._checked(value)
        a, b = self.concentration1, self.concentration0
        return _C.xlogy(a - 1, value) + _C.xlogy(b - 1, 1 - value) - lbeta(a, b)

    def entropy(self):
        return self._dirichlet.entropy()
