"""weight_norm and spectral_norm in their older form, as hooks; nn.utils.parametrizations has the newer one."""
import warnings

from ... import _C
from ..._ops import op
from ..parameter import Parameter, is_lazy
from .parametrizations import norm_except_dim, output_dim, rows_along, weight_from

__all__ = ["weight_norm", "remove_weight_norm", "spectral_norm", "remove_spectral_norm"]

_normalize = op("normalize")


class _Recomputed:
    """A forward pre-hook that makes module.name anew before each call."""

    def __init__(self, name, dim):
        self.name, self.dim = name, dim

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module, module.training))

    def attach(self, module):
        if _find(module, self.name, type(self)):
            raise RuntimeError(f"Cannot register two {type(self).__name__} hooks on the same parameter {self.name}")
        weight = module._parameters.get(self.name)
        if weight is None:
            raise ValueError(f"`{type(self).__name__}` cannot be applied as parameter `{self.name}` is None")
        if is_lazy(weight):
            raise ValueError(f"`{type(self).__name__}` needs a parameter that has its size: call the module once before")
        del module._parameters[self.name]
        self.split(module, weight)
        setattr(module, self.name, self.compute_weight(module, False).detach())
        module.register_forward_pre_hook(self)
        return module

    def detach(self, module):
        with _C.no_grad():
            weight = self.compute_weight(module, False)
        for suffix in ("", *self.suffixes):
            delattr(module, self.name + suffix)
        module.register_parameter(self.name, Parameter(weight.detach()))


class WeightNorm(_Recomputed):
    """weight = weight_g * weight_v / |weight_v|."""
    suffixes = ("_g", "_v")

    def split(self, module, weight):
        module.register_parameter(self.name + "_g", Parameter(norm_except_dim(weight.detach(), self.dim)))
        module.register_parameter(self.name + "_v", Parameter(weight.detach()))

    def compute_weight(self, module, training):
        return weight_from(getattr(module, self.name + "_v"), getattr(module, self.name + "_g"), self.dim)


class SpectralNorm(_Recomputed):
    """weight = weight_orig / its largest singular value, by power iterations on weight_u and weight_v."""
    suffixes = ("_u", "_v", "_orig")

    def __init__(self, name, dim, n_power_iterations, eps):
        super().__init__(name, dim)
        if n_power_iterations <= 0:
            raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}")
        self.n_power_iterations, self.eps = n_power_iterations, eps

    def split(self, module, weight):
        module.register_parameter(self.name + "_orig", weight)
        for suffix, size in zip(("_u", "_v"), rows_along(weight.detach(), self.dim).shape):
            start = _C.empty(size, dtype=weight.dtype, device=weight.device).normal_(0, 1)
            module.register_buffer(self.name + suffix, _normalize(start, dim=0, eps=self.eps))

    def compute_weight(self, module, training):
        weight, u, v = (getattr(module, self.name + suffix) for suffix in ("_orig", "_u", "_v"))
        matrix = rows_along(weight, self.dim)
        if training:
            with _C.no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(_normalize(matrix.t().mv(u), dim=0, eps=self.eps))
                    u.copy_(_normalize(matrix.mv(v), dim=0, eps=self.eps))
                u, v = u.clone(), v.clone()  # the next call changes the buffers in place
        return weight / u.dot(matrix.mv(v))


def _find(module, name, kind):
    """The id of the hook of that kind for that parameter, in a list; or an empty list."""
    return [key for key, hook in module._forward_pre_hooks.items() if isinstance(hook.hook, kind) and hook.hook.name == name]


def _remove(module, name, kind, what):
    found = _find(module, name, kind)
    if not found:
        raise ValueError(f"{what} of '{name}' not found in {module}")
    module._forward_pre_hooks.pop(found[0]).hook.detach(module)
    return module


def weight_norm(module, name="weight", dim=0):
    """Splits a parameter into length (name_g, one for each slice along dim) and direction (name_v). Deprecated: see parametrizations."""
    warnings.warn("nn.utils.weight_norm is deprecated in favor of nn.utils.parametrizations.weight_norm.", FutureWarning, stacklevel=2)
    return WeightNorm(name, -1 if dim is None else dim).attach(module)


def remove_weight_norm(module, name="weight"):
    """Takes weight_norm away; the parameter keeps its value."""
    return _remove(module, name, WeightNorm, "weight_norm")


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divides a parameter by its largest singular value, before each call; see parametrizations for the newer form."""
    return SpectralNorm(name, output_dim(module, dim), n_power_iterations, eps).attach(module)


def remove_spectral_norm(module, name="weight"):
    """Takes spectral_norm away; the parameter keeps its value."""
    return _remove(module, name, SpectralNorm, "spectral_norm")
