from .. import _C
from . import constraints
from .categorical import Categorical
from .distribution import Distribution
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform
from .utils import clamp_probs


class ExpRelaxedCategorical(Distribution):
    """The logarithm of a RelaxedOneHotCategorical: log-softmax of (logits + Gumbel draws) / temperature."""
    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self._categorical, self.temperature = Categorical(probs, logits), temperature
        Distribution.__init__(self, self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._blank(_instance)
        new.temperature, new._categorical = self.temperature, self._categorical.expand(batch_shape)
        return self._finish(new, batch_shape)

    probs = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    param_shape = property(lambda self: self._categorical.param_shape)

    def rsample(self, sample_shape=()):
        u = clamp_probs(_C.rand(self._extended_shape(sample_shape), dtype=self.logits.dtype))
        return _C.log_softmax((self.logits - (-u.log()).log()) / self.temperature, -1)

    def log_prob(self, value):
        self._checked(value)
        k = self._event_shape[0]
        logits, value = _C.broadcast_tensors(self.logits, value)
        temperature = _C.as_tensor(self.temperature, dtype=logits.dtype)
        log_scale = temperature.log() * (k - 1) + _C.lgamma(_C.tensor(float(k), dtype=logits.dtype))
        return _C.log_softmax(logits - value * temperature, -1).sum(-1) + log_scale


class RelaxedOneHotCategorical(TransformedDistribution):
    """A OneHotCategorical made continuous (E. Jang et al., "Categorical reparameterization with Gumbel-softmax", 2016)."""
    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    temperature = property(lambda self: self.base_dist.temperature)
    logits = property(lambda self: self.base_dist.logits)
    probs = property(lambda self: self.base_dist.probs)
