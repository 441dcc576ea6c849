import math

from .. import _C
from ..nn import functional as F
from . import constraints
from .bernoulli import BinaryFamily, one_of
from .utils import clamp_probs


class ContinuousBernoulli(BinaryFamily):
    """C(p) p^x (1 - p)^(1 - x) from 0 to 1; near p = 1/2 (within `lims`) by Taylor series.

    G. Loaiza-Ganem and J. P. Cunningham, "The continuous Bernoulli", 2019.
    """
    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, probs=None, logits=None, lims=(0.499, 0.501), validate_args=None):
        self._lims = lims
        self._take(validate_args, **dict([one_of(probs, logits)]))
        if probs is not None:
            self.probs = clamp_probs(self.probs)

    def expand(self, batch_shape, _instance=None):
        new = self._blank(_instance)
        new._lims = self._lims
        return super().expand(batch_shape, new)

    def _outside(self):
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut(self):
        return _C.where(self._outside(), self.probs, self._lims[0])

    def _log_norm(self):
        p = self._cut()
        low, high = _C.where(p <= 0.5, p, 0.0), _C.where(p >= 0.5, p, 1.0)
        exact = _C.log(_C.abs(_C.log1p(-p) - _C.log(p))) - _C.where(p <= 0.5, _C.log1p(-2 * low), _C.log(2 * high - 1))
        x = (self.probs - 0.5).pow(2)
        return _C.where(self._outside(), exact, math.log(2) + (4 / 3 + 104 / 45 * x) * x)

    @property
    def mean(self):
        p, x = self._cut(), self.probs - 0.5
        exact = p / (2 * p - 1) + 1 / (_C.log1p(-p) - _C.log(p))
        return _C.where(self._outside(), exact, 0.5 + (1 / 3 + 16 / 45 * x.pow(2)) * x)

    @property
    def variance(self):
        p, x = self._cut(), (self.probs - 0.5).pow(2)
        exact = p * (p - 1) / (1 - 2 * p).pow(2) + 1 / (_C.log1p(-p) - _C.log(p)).pow(2)
        return _C.where(self._outside(), exact, 1 / 12 - (1 / 15 - 128 / 945 * x) * x)

    stddev = property(lambda self: self.variance.sqrt())

    def rsample(self, sample_shape=()):
        return self.icdf(_C.rand(self._extended_shape(sample_shape), dtype=self.probs.dtype))

    def log_prob(self, value):
        self._checked(value)
        logits, value = _C.broadcast_tensors(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none") + self._log_norm()

    def cdf(self, value):
        self._checked(value)
        p = self._cut()
        inner = (p.pow(value) * (1 - p).pow(1 - value) + p - 1) / (2 * p - 1)
        inner = _C.where(self._outside(), inner, value)
        return _C.where(value <= 0, 0.0, _C.where(value >= 1, 1.0, inner))

    def icdf(self, value):
        p = self._cut()
        exact = (_C.log1p(-p + value * (2 * p - 1)) - _C.log1p(-p)) / (_C.log(p) - _C.log1p(-p))
        return _C.where(self._outside(), exact, value)

    def entropy(self):
        log_q = _C.log1p(-self.probs)
        return self.mean * (log_q - _C.log(self.probs)) - self._log_norm() - log_q
