import math

from .. import _C
from . import constraints
from .distribution import Univariate


class VonMises(Univariate):
    """exp(concentration cos(x - loc)) / (2 pi I0(concentration)) on the circle.

    Sampling by rejection: D. J. Best and N. I. Fisher, "Efficient simulation of the von Mises distribution", 1979.
    """
    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False

    def __init__(self, loc, concentration, validate_args=None):
        self._take(validate_args, loc=loc, concentration=concentration)

    mean = mode = property(lambda self: self.loc)

    @property
    def variance(self):
        from .. import special
        return 1 - special.i1e(self.concentration) / special.i0e(self.concentration)

    @_C.no_grad()
    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        kappa = self.concentration.double().expand(shape)
        tau = 1 + (1 + 4 * kappa ** 2).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        r = _C.where(kappa < 1e-5, kappa.clamp(min=1e-300).reciprocal() + kappa, (1 + rho ** 2) / (2 * rho))
        f, todo = _C.zeros_like(kappa), _C.ones(shape, dtype=_C.bool)
        while todo.any():
            z, u = _C.cos(math.pi * _C.rand_like(kappa)), _C.rand_like(kappa)
            proposal = (1 + r * z) / (r + z)
            c = kappa * (r - proposal)
            ok = (c * (2 - c) - u > 0) | ((c / u).log() + 1 - c >= 0)
            f = _C.where(todo & ok, proposal, f)
            todo = todo & ~ok
        angle = (_C.rand_like(kappa) - 0.5).sign() * f.clamp(-1, 1).acos()
        return ((angle.to(self.loc.dtype) + math.pi + self.loc) % (2 * math.pi)) - math.pi

    def log_prob(self, value):
        from .. import special
        self._checked(value)
        k = self.concentration
        return k * (_C.cos(value - self.loc) - 1) - math.log(2 * math.pi) - special.i0e(k).log()
