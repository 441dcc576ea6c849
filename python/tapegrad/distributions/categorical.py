from .. import _C
from ..positional import broadcast_shapes
from . import constraints
from .bernoulli import one_of
from .distribution import Distribution, Size
from .utils import lazy_property, logits_to_probs, probs_to_logits


class Categorical(Distribution):
    """k with probability probs[k] / Σ probs, or softmax(logits)[k]; the last dimension holds the categories."""
    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.dependent_property(lambda self: constraints.integer_interval(0, self._num_events - 1), is_discrete=True)
    has_enumerate_support = True
    _event_dims = {"probs": 1, "logits": 1}

    def __init__(self, probs=None, logits=None, validate_args=None):
        name, value = one_of(probs, logits)
        if value.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if name == "probs":
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        Distribution.__init__(self, value.size()[:-1], validate_args=validate_args)

    @property
    def _param(self):
        return self.__dict__["probs"] if "probs" in self.__dict__ else self.logits

    @property
    def _num_events(self):
        return self._param.size()[-1]

    @lazy_property
    def logits(self):
        """Normalised log probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self):
        """Normalised probabilities."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self):
        """The shape of probs or logits."""
        return self._param.size()

    def _nan(self):
        return _C.full(self._extended_shape(), float("nan"), dtype=self.probs.dtype)

    mean = variance = property(_nan)
    mode = property(lambda self: self.probs.argmax(dim=-1))

    @_C.no_grad()
    def sample(self, sample_shape=()):
        n = Size(sample_shape).numel()
        draws = _C.multinomial(self.probs.reshape(-1, self._num_events), n, True).t()
        return draws.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value):
        self._checked(value)
        value = value.long().unsqueeze(-1)
        shape = broadcast_shapes(value.shape[:-1], self.logits.shape[:-1])
        logits = self.logits.expand(tuple(shape) + (self._num_events,))
        return logits.gather(-1, value.expand(tuple(shape) + (1,))).squeeze(-1)

    def entropy(self):
        from ..dtypes import finfo
        return -(self.logits.clamp(min=finfo(self.logits.dtype).min) * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        values = _C.arange(self._num_events, dtype=_C.int64).view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + tuple(self._batch_shape)) if expand else values
