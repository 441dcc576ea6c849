from .. import _C
from . import constraints
from .bernoulli import BinaryFamily, one_of


def clamp_by_zero(x):
    """max(x, 0), whose gradient at 0 is a half."""
    return (x.clamp(min=0) + x - x.clamp(max=0)) / 2


class Binomial(BinaryFamily):
    """The number of successes in total_count independent trials."""
    arg_constraints = {"total_count": constraints.nonnegative_integer, "probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.dependent_property(lambda self: constraints.integer_interval(0, self.total_count))
    has_enumerate_support = True

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        name, value = one_of(probs, logits)
        if not isinstance(value, _C.Tensor):
            value = _C.tensor(float(value))
        self._take(validate_args, total_count=_C.as_tensor(total_count).type_as(value), **{name: value})

    mean = property(lambda self: self.total_count * self.probs)
    mode = property(lambda self: ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count))
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    @_C.no_grad()
    def sample(self, sample_shape=()):
        shape, most = self._extended_shape(sample_shape), int(self.total_count.max().item()) if self.total_count.numel() else 0
        out = _C.zeros(shape, dtype=self.total_count.dtype)
        for trial in range(most):
            out += (_C.rand(shape, dtype=_C.float64) < self.probs) & (trial < self.total_count)
        return out

    def log_prob(self, value):
        self._checked(value)
        n, logits = self.total_count, self.logits
        choose = _C.lgamma(n + 1) - _C.lgamma(value + 1) - _C.lgamma(n - value + 1)
        return choose + value * logits - n * (clamp_by_zero(logits) + _C.log1p(_C.exp(-_C.abs(logits))))

    def entropy(self):
        if (self.total_count != self.total_count.max()).any():
            raise NotImplementedError("Inhomogeneous total count not supported by `entropy`.")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(_C.exp(log_prob) * log_prob).sum(0)

    def enumerate_support(self, expand=True):
        n = int(self.total_count.max())
        if (self.total_count != n).any():
            raise NotImplementedError("Inhomogeneous total count not supported by `enumerate_support`.")
        values = _C.arange(n + 1, dtype=self._param.dtype).view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + tuple(self._batch_shape)) if expand else values
