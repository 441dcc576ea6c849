import math

from .half import Half
from .normal import Normal


class HalfNormal(Half):
    """|x| for x ~ Normal(0, scale)."""
    _base = Normal
    mean = property(lambda self: self.scale * math.sqrt(2 / math.pi))
    variance = property(lambda self: self.scale.pow(2) * (1 - 2 / math.pi))
