from .. import _C
from . import constraints
from .distribution import Univariate
from .gamma_sampler import StandardGamma, lbeta


class FisherSnedecor(Univariate):
    """The ratio of Chi2(df1) / df1 and Chi2(df2) / df2."""
    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, df1, df2, validate_args=None):
        self._take(validate_args, df1=df1, df2=df2)

    mean = property(lambda self: _C.where(self.df2 > 2, self.df2 / (self.df2 - 2), float("nan")))
    mode = property(lambda self: _C.where(self.df1 > 2, (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2), float("nan")))

    @property
    def variance(self):
        a, b = self.df1, self.df2
        return _C.where(b > 4, 2 * b.pow(2) * (a + b - 2) / (a * (b - 2).pow(2) * (b - 4)), float("nan"))

    def rsample(self, sample_shape=()):
        from ..dtypes import finfo
        shape = self._extended_shape(sample_shape)
        x1 = StandardGamma.apply((self.df1 / 2).expand(shape)) / self.df1
        x2 = StandardGamma.apply((self.df2 / 2).expand(shape)) / self.df2
        return (x1 / x2.clamp(min=finfo(x2.dtype).tiny)).clamp(min=finfo(x2.dtype).tiny)

    def log_prob(self, value):
        self._checked(value)
        a, b = self.df1 / 2, self.df2 / 2
        ratio = self.df1 / self.df2
        return a * ratio.log() + (a - 1) * value.log() - (a + b) * _C.log1p(ratio * value) - lbeta(a, b)
