"""Correlation matrices, by their Cholesky factors."""
import math

from .. import _C
from ..dtypes import finfo
from . import constraints
from .beta import Beta
from .distribution import Distribution


class LKJCholesky(Distribution):
    """Lower Cholesky factors L of correlation matrices of size dim with density det(L Lᵀ)^(concentration - 1) (Lewandowski, Kurowicka, Joe,
    2009): 1 is uniform over the matrices, more prefers the identity. Samples by the onion method."""
    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim, concentration=1.0, validate_args=None):
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        self.concentration = concentration if isinstance(concentration, _C.Tensor) else _C.tensor(float(concentration))
        super().__init__(self.concentration.shape, (dim, dim), validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new.dim = self.dim
        return new

    def sample(self, sample_shape=()):
        """Row i is a direction on the sphere of i numbers, its squared length from a Beta, and the diagonal that is left to 1."""
        shape, dtype = self._extended_shape(sample_shape), self.concentration.dtype
        with _C.no_grad():
            row = _C.arange(1, self.dim, dtype=dtype)
            length = Beta(row / 2, self.concentration.unsqueeze(-1) + (self.dim - 1 - row) / 2, validate_args=False).sample(
                shape[:len(shape) - len(self._batch_shape) - 2])
            normal = _C.randn(shape, dtype=dtype).tril(-1)
            direction = normal[..., 1:, :] / normal[..., 1:, :].norm(2, -1, True)
            below = _C.cat([_C.zeros(*shape[:-2], 1, self.dim, dtype=dtype), length.sqrt().unsqueeze(-1) * direction], -2)
            return below + _C.diag_embed((1 - below.pow(2).sum(-1)).clamp(min=finfo(dtype).tiny).sqrt())

    def log_prob(self, value):
        self._checked(value)
        d, eta = self.dim, self.concentration
        powers = 2 * (eta.unsqueeze(-1) - 1) + d - _C.arange(2, d + 1, dtype=value.dtype)
        unnormalised = (powers * value.diagonal(0, -2, -1)[..., 1:].log()).sum(-1)
        alpha = eta + 0.5 * (d - 1)
        # pi^(d (d - 1) / 4) prod gamma(alpha - i / 2) / gamma(alpha)
        return unnormalised - ((d - 1) * d / 4 * math.log(math.pi) + self._multigamma(alpha - 0.5) - (d - 1) * alpha.lgamma())

    def _multigamma(self, a):  # without its power of pi: sum of lgamma(a - i / 2), i < dim - 1
        return sum((a - 0.5 * i).lgamma() for i in range(self.dim - 1))
