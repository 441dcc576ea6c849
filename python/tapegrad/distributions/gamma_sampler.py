"""Draws from Gamma(a, 1), differentiable with respect to a.

Sampling: G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000); a < 1 by the boost
Gamma(a) = Gamma(a + 1) U^(1/a). The gradient keeps the quantile fixed: dz/da = -(dP/da)(a, z) / p(a, z), P the distribution function
(M. Figurnov, S. Mohamed, A. Mnih, "Implicit reparameterization gradients", 2018).
"""

from .. import _C
from ..autograd import Function


def draw(a):
    """One draw for each element of a (float64)."""
    boosted = _C.where(a < 1, a + 1, a)
    d = boosted - 1 / 3
    c = (9 * d).rsqrt()
    z = _C.zeros_like(a)
    todo = _C.ones_like(a, dtype=_C.bool)
    while todo.any():
        x = _C.randn_like(a)
        v = (1 + c * x) ** 3
        u = 1 - _C.rand_like(a)
        accepted = (v > 0) & (u.log() < 0.5 * x * x + d * (1 - v + v.clamp(min=1e-300).log()))
        z = _C.where(todo & accepted, d * v, z)
        todo = todo & ~accepted
    return _C.where(a < 1, z * (1 - _C.rand_like(a)) ** a.reciprocal(), z)


def slope(a, z):
    """dz/da at a fixed quantile.

    Below the mean -z ∫ exp(-a u + z (1 - e^-u)) (ln z - u - ψ(a)) du over u > 0; above it the upper tail's
    z ∫ exp(a v - z (e^v - 1)) (ln z + v - ψ(a)) dv. Both by the trapezoid rule after u = w exp(t - exp(-t)), w the integrand's width.
    """
    step = 1 / 12
    t = _C.arange(-48, 61, dtype=_C.float64) * step
    nodes, weights = (t - (-t).exp()).exp(), 1 + (-t).exp()
    weights = nodes * weights * step
    a, z = a.unsqueeze(-1), z.unsqueeze(-1).clamp(min=1e-300)
    width = 2 / (z.sqrt() + (a - z).abs())
    u = width * nodes
    lower = z < a
    capped = u.clamp(max=700.0)
    exponent = _C.where(lower, -a * u - z * _C.expm1(-u), a * capped - z * _C.expm1(capped))
    inner = z.log() - _C.digamma(a) + _C.where(lower, -u, capped)
    integral = (exponent.exp() * inner * weights * width).sum(-1)
    return _C.where(lower.squeeze(-1), -1.0, 1.0) * z.squeeze(-1) * integral


class StandardGamma(Function):
    """Gamma(a, 1), with the pathwise gradient."""

    @staticmethod
    def forward(ctx, a):
        z = draw(a.double())
        ctx.save_for_backward(a, z)
        from ..dtypes import finfo
        return z.to(a.dtype).clamp(min=finfo(a.dtype).tiny)

    @staticmethod
    def backward(ctx, g):
        a, z = ctx.saved_tensors
        return g * slope(a.double(), z).to(a.dtype)


def lbeta(a, b):
    """log of the beta function."""
    return _C.lgamma(a) + _C.lgamma(b) - _C.lgamma(a + b)
