import math

from .. import _C
from . import constraints
from .distribution import Univariate
from .gamma_sampler import StandardGamma, lbeta


class StudentT(Univariate):
    """(1 + z^2 / df)^(-(df + 1) / 2) / (scale sqrt(df) B(1/2, df/2)), z = (x - loc) / scale."""
    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, df, loc=0.0, scale=1.0, validate_args=None):
        self._take(validate_args, df=df, loc=loc, scale=scale)

    mode = property(lambda self: self.loc)
    mean = property(lambda self: _C.where(self.df <= 1, math.nan, self.loc))

    @property
    def variance(self):
        d = self.df
        out = _C.where(d > 2, self.scale.pow(2) * d / (d - 2), math.inf)
        return _C.where(d <= 1, math.nan, out)

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        chi2 = 2 * StandardGamma.apply((self.df / 2).expand(shape))
        return self.loc + self.scale * _C.randn(shape, dtype=self.df.dtype) * _C.rsqrt(chi2 / self.df)

    def log_prob(self, value):
        self._checked(value)
        y, half = (value - self.loc) / self.scale, self.df.new_full((), 0.5)
        norm = self.scale.log() + 0.5 * self.df.log() + lbeta(half, 0.5 * self.df)
        return -0.5 * (self.df + 1.0) * _C.log1p(y ** 2 / self.df) - norm

    def entropy(self):
        d, half = self.df, self.df.new_full((), 0.5)
        return self.scale.log() + 0.5 * (d + 1) * (_C.digamma(0.5 * (d + 1)) - _C.digamma(0.5 * d)) + 0.5 * d.log() + lbeta(half, 0.5 * d)
