from .. import _C
from ..nn import functional as F
from . import constraints
from .bernoulli import BinaryFamily, one_of


class Geometric(BinaryFamily):
    """(1 - p)^k p: the number of failures before the first success."""
    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._take(validate_args, **dict([one_of(probs, logits)]))
        if self._validate_args and probs is not None and not (self.probs > 0).all():
            raise ValueError(f"Expected parameter probs (Tensor of shape {tuple(self.probs.shape)}) of distribution {self!r} to be "
                             f"positive but found invalid values:\n{self.probs}")

    mean = property(lambda self: 1.0 / self.probs - 1.0)
    mode = property(lambda self: _C.zeros_like(self.probs))
    variance = property(lambda self: (1.0 / self.probs - 1.0) / self.probs)

    @_C.no_grad()
    def sample(self, sample_shape=()):
        e = _C.empty(self._extended_shape(sample_shape), dtype=self.probs.dtype).exponential_()
        return (-e / (-self.probs).log1p()).floor()

    def log_prob(self, value):
        self._checked(value)
        value, probs = _C.broadcast_tensors(value, self.probs)
        return value * _C.where((probs == 1) & (value == 0), 0.0, (-probs).log1p()) + probs.log()

    def entropy(self):
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
