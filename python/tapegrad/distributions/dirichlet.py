from .. import _C
from . import constraints
from .distribution import Distribution, ExponentialFamily
from .gamma_sampler import StandardGamma


class Dirichlet(ExponentialFamily):
    """Π x_i^(a_i - 1) Γ(Σ a) / Π Γ(a_i) on the simplex, a = concentration."""
    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    _event_dims = {"concentration": 1}

    def __init__(self, concentration, validate_args=None):
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        Distribution.__init__(self, concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    mean = property(lambda self: self.concentration / self.concentration.sum(-1, True))

    @property
    def mode(self):
        a = (self.concentration - 1).clamp(min=0.0)
        first = (_C.arange(a.shape[-1]) == 0).to(a.dtype)  # all below 1: every corner is as good
        return _C.where((self.concentration < 1).all(-1, keepdim=True), first, a / a.sum(-1, True))

    @property
    def variance(self):
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape=()):
        z = StandardGamma.apply(self.concentration.double().expand(self._extended_shape(sample_shape)))
        return (z / z.sum(-1, True)).to(self.concentration.dtype)

    def log_prob(self, value):
        self._checked(value)
        a = self.concentration
        return _C.xlogy(a - 1.0, value).sum(-1) + _C.lgamma(a.sum(-1)) - _C.lgamma(a).sum(-1)

    def entropy(self):
        a, k = self.concentration, self.concentration.shape[-1]
        total = a.sum(-1)
        return _C.lgamma(a).sum(-1) - _C.lgamma(total) - (k - total) * _C.digamma(total) - ((a - 1.0) * _C.digamma(a)).sum(-1)
