import math

from .. import _C
from .cauchy import Cauchy
from .half import Half


class HalfCauchy(Half):
    """|x| for x ~ Cauchy(0, scale)."""
    _base = Cauchy
    mean = property(lambda self: _C.full(self._extended_shape(), math.inf, dtype=self.scale.dtype))
    variance = property(lambda self: self.base_dist.variance)
