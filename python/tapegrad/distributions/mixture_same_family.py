from .. import _C
from . import constraints
from .categorical import Categorical
from .distribution import Distribution, Size


class _Support(constraints.Constraint):
    """A component's support, at samples that lack the components' dimension."""

    def __init__(self, base_constraint):
        self.base_constraint = base_constraint
        self.is_discrete, self.event_dim = base_constraint.is_discrete, base_constraint.event_dim

    def check(self, value):
        ok = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        return ok.all(-1)


class MixtureSameFamily(Distribution):
    """A Categorical picks one of the distributions along the last batch dimension of component_distribution."""
    arg_constraints = {}

    def __init__(self, mixture_distribution, component_distribution, validate_args=None):
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution need to be an instance of torch.distributions.Distribution")
        k = component_distribution.batch_shape[-1]
        if mixture_distribution.logits.shape[-1] != k:
            raise ValueError(f"`mixture_distribution component` ({mixture_distribution.logits.shape[-1]}) does not equal "
                             f"`component_distribution.batch_shape[-1]` ({k})")
        self._mixture_distribution, self._component_distribution, self._num_component = mixture_distribution, component_distribution, k
        shape = component_distribution.batch_shape[:-1]
        Distribution.__init__(self, shape, component_distribution.event_shape, validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new, batch_shape = self._blank(_instance), Size(batch_shape)
        new._component_distribution = self._component_distribution.expand(batch_shape + (self._num_component,))
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._num_component = self._num_component
        return self._finish(new, batch_shape)

    mixture_distribution = property(lambda self: self._mixture_distribution)
    component_distribution = property(lambda self: self._component_distribution)
    support = constraints.dependent_property(lambda self: _Support(self._component_distribution.support))

    def _weights(self):
        p = self._mixture_distribution.probs
        return p.reshape(tuple(p.shape) + (1,) * len(self._event_shape))

    @property
    def _at(self):
        return -1 - len(self._event_shape)

    @property
    def mean(self):
        return (self._weights() * self._component_distribution.mean).sum(self._at)

    @property
    def variance(self):
        w, c = self._weights(), self._component_distribution
        return (w * c.variance).sum(self._at) + (w * (c.mean - self.mean.unsqueeze(self._at)).pow(2)).sum(self._at)

    @_C.no_grad()
    def sample(self, sample_shape=()):
        which = self._mixture_distribution.sample(sample_shape)
        draws = self._component_distribution.sample(sample_shape)
        index = which.reshape(tuple(which.shape) + (1,) * (len(self._event_shape) + 1))
        index = index.expand(tuple(which.shape) + (1,) + tuple(self._event_shape))
        return draws.gather(draws.ndim + self._at, index).squeeze(self._at)

    def log_prob(self, value):
        self._checked(value)
        component = self._component_distribution.log_prob(value.unsqueeze(self._at))
        return _C.logsumexp(component + _C.log_softmax(self._mixture_distribution.logits, -1), dim=-1)

    def cdf(self, value):
        return (self._component_distribution.cdf(value.unsqueeze(self._at)) * self._mixture_distribution.probs).sum(-1)

    def __repr__(self):
        return f"MixtureSameFamily(\n  {self._mixture_distribution},\n  {self._component_distribution})"
