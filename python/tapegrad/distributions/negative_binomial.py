from .. import _C
from ..nn import functional as F
from . import constraints
from .bernoulli import BinaryFamily, one_of
from .gamma_sampler import draw


class NegativeBinomial(BinaryFamily):
    """The number of successes before total_count failures."""
    arg_constraints = {"total_count": constraints.greater_than_eq(0), "probs": constraints.half_open_interval(0.0, 1.0),
                       "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, total_count, probs=None, logits=None, validate_args=None):
        name, value = one_of(probs, logits)
        if not isinstance(value, _C.Tensor):
            value = _C.tensor(float(value))
        self._take(validate_args, total_count=_C.as_tensor(total_count).type_as(value), **{name: value})

    mean = property(lambda self: self.total_count * _C.exp(self.logits))
    mode = property(lambda self: ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0))
    variance = property(lambda self: self.mean / _C.sigmoid(-self.logits))

    @_C.no_grad()
    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        rate = draw(self.total_count.double().expand(shape)) * self.logits.double().exp()
        return _C.poisson(rate).to(self._param.dtype)

    def log_prob(self, value):
        self._checked(value)
        n = self.total_count
        unnormalized = n * F.logsigmoid(-self.logits) + value * F.logsigmoid(self.logits)
        choose = -_C.lgamma(n + value) + _C.lgamma(1.0 + value) + _C.lgamma(n)
        return unnormalized - choose.masked_fill(n + value == 0.0, 0.0)
