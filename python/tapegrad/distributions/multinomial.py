from .. import _C
from ..nn import functional as F
from . import constraints
from .categorical import Categorical
from .distribution import Distribution, Size


class Multinomial(Distribution):
    """Counts of total_count draws from a Categorical."""
    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.dependent_property(lambda self: constraints.multinomial(self.total_count), is_discrete=True, event_dim=1)

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count, self._categorical = total_count, Categorical(probs, logits)
        Distribution.__init__(self, self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._blank(_instance)
        new.total_count, new._categorical = self.total_count, self._categorical.expand(batch_shape)
        return self._finish(new, batch_shape)

    probs = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    param_shape = property(lambda self: self._categorical.param_shape)
    mean = property(lambda self: self.probs * self.total_count)
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    @_C.no_grad()
    def sample(self, sample_shape=()):
        draws = self._categorical.sample(Size((self.total_count,) + tuple(sample_shape)))
        return F.one_hot(draws, self._event_shape[0]).sum(0).to(self._categorical._param.dtype)

    def log_prob(self, value):
        self._checked(value)
        logits, value = _C.broadcast_tensors(self.logits, value)
        powers = _C.where((value == 0) & (logits == -float("inf")), 0.0, logits) * value
        return _C.lgamma(value.sum(-1) + 1) - _C.lgamma(value + 1).sum(-1) + powers.sum(-1)

    def entropy(self):
        from .binomial import Binomial
        n = _C.tensor(float(self.total_count), dtype=self.probs.dtype)
        binomial = Binomial(n, self.probs)
        values = binomial.enumerate_support(expand=False)[1:]
        weights = _C.exp(binomial.log_prob(values))
        return n * self._categorical.entropy() - _C.lgamma(n + 1) + (weights * _C.lgamma(values + 1)).sum((0, -1))

    def __repr__(self):
        return f"Multinomial(total_count: {self.total_count}, {repr(self._categorical)[len('Categorical('):]}"
