"""Layers that learn their input size from the first input. Until then their parameters are empty; afterwards they are the ordinary layer.

A parameter keeps its identity when it gets its size, so an optimizer made before the first call stays valid.
"""
from ..module import Module
from ..parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .norm import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d

_KINDS = ("Conv", "ConvTranspose", "BatchNorm", "InstanceNorm")
__all__ = ["LazyLinear"] + [f"Lazy{kind}{n}d" for kind in _KINDS for n in (1, 2, 3)]


class LazyModuleMixin:
    """For own lazy modules: `class Mine(LazyModuleMixin, Base)` with uninitialised parameters, `initialize_parameters(self, *args)`, which
    materialises them from the first input, and perhaps `cls_to_become`, the class it then turns into."""
    cls_to_become = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._materialize_for)
        self._initialize_hook = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def initialize_parameters(self, *args, **kwargs):
        """Gives the parameters their shapes, from the first input."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self):
        """Is it still waiting for its first input?"""
        return any(is_lazy(t) for t in (*self._parameters.values(), *self._buffers.values()))

    @staticmethod
    def _infer_parameters(module, args, kwargs):
        module.initialize_parameters(*args, **kwargs)
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {module._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook, module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _materialize_for(self, state_dict, prefix, *rest):
        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            given = state_dict.get(prefix + name)
            if is_lazy(tensor) and given is not None and not is_lazy(given):
                tensor.materialize(given.shape)


class _Lazy(Module):
    """First forward, or load_state_dict: find the size, give the parameters their shapes, become `_becomes`."""

    def has_uninitialized_params(self):
        """Is it still waiting for its first input?"""
        return True

    def forward(self, input):
        self.initialize_parameters(input)
        return self.forward(input)

    def _set_size(self, size):
        """Makes a layer of the right size once more, and moves its values into our parameters."""
        real = self._make(size)
        for kind in ("_parameters", "_buffers"):
            for name, value in getattr(real, kind).items():
                mine = getattr(self, kind)[name]
                if isinstance(mine, UninitializedParameter):
                    mine.materialize(value.shape)
                    mine.data = value.data.to(mine.dtype)
                elif mine is not None and kind == "_buffers":
                    self._buffers[name] = value.to(mine.dtype)
        self.__class__ = self._becomes
        for name, value in real.__dict__.items():
            if isinstance(value, (int, tuple)) and not isinstance(value, bool) and getattr(self, name, None) != value:
                setattr(self, name, value)

    def _load_from_state_dict(self, state_dict, prefix, *args):
        weight = next((state_dict[prefix + name] for name in self._sized_by if prefix + name in state_dict), None)
        if weight is not None and weight.numel():
            self._set_size(self._size_from(weight))
            return self._load_from_state_dict(state_dict, prefix, *args)  # the ordinary layer's, by now
        super()._load_from_state_dict(state_dict, prefix, *args)


def _shed(module, where):
    """Replaces the real parameters and buffers of a freshly made module by uninitialised ones."""
    for name, p in module._parameters.items():
        if p is not None:
            module._parameters[name] = UninitializedParameter(p.requires_grad, **where)
    for name, b in module._buffers.items():
        if b is not None and b.ndim:
            module._buffers[name] = UninitializedBuffer(**where)


class LazyLinear(_Lazy, Linear):
    """Linear whose in_features are the last size of the first input."""
    _becomes, _sized_by = Linear, ["weight"]

    def __init__(self, out_features, bias=True, device=None, dtype=None):
        Linear.__init__(self, 1, out_features, bias, device, dtype)
        self.in_features = 0
        _shed(self, dict(device=device, dtype=dtype))

    def initialize_parameters(self, input):
        """Takes the size from an input."""
        self._set_size(input.shape[-1])

    def _size_from(self, weight):
        return weight.shape[1]

    def _make(self, size):
        return Linear(size, self.out_features, self.bias is not None)


class _LazyConv(_Lazy):
    _sized_by = ["weight"]

    def __init__(self, out_channels, kernel_size, *args, **kwargs):
        self._becomes.__init__(self, _groups(args, kwargs), out_channels, kernel_size, *args, **kwargs)
        object.__setattr__(self, "_arguments", (out_channels, kernel_size, args, kwargs))
        self.in_channels = 0
        _shed(self, {k: kwargs.get(k) for k in ("device", "dtype")})

    def initialize_parameters(self, input):
        """Takes the channels from an input."""
        if input.dim() not in (self._dims + 1, self._dims + 2):
            raise RuntimeError(f"Expected {self._dims + 1}D (unbatched) or {self._dims + 2}D (batched) input to {type(self).__name__}, "
                               f"but got input of "
                               f"size: {input.shape}")
        self._set_size(input.shape[-self._dims - 1])

    def _size_from(self, weight):
        return weight.shape[0] if self._transposed else weight.shape[1] * self.groups

    def _make(self, size):
        out_channels, kernel_size, args, kwargs = self._arguments
        return self._becomes(size, out_channels, kernel_size, *args, **kwargs)


def _groups(args, kwargs):
    """The smallest number of input channels that the arguments allow: (stride, padding, dilation or output_padding, groups)."""
    return kwargs.get("groups", args[3] if len(args) > 3 else 1)


class _LazyNorm(_Lazy):
    _sized_by = ["running_mean", "weight"]

    def __init__(self, *args, **kwargs):
        self._becomes.__init__(self, 1, *args, **kwargs)
        object.__setattr__(self, "_arguments", (args, kwargs))
        self.num_features = 0
        if self.weight is None and self.running_mean is None:
            return
        _shed(self, {k: kwargs.get(k) for k in ("device", "dtype")})

    def initialize_parameters(self, input):
        """Takes the channels from an input."""
        self._set_size(input.shape[1 if input.dim() == self._ndims[-1] or self._becomes.__name__.startswith("Batch") else 0])

    def _size_from(self, mean):
        return mean.shape[0]

    def _make(self, size):
        args, kwargs = self._arguments
        return self._becomes(size, *args, **kwargs)


def _define(base, real):
    name = "Lazy" + real.__name__
    what = "in_channels" if base is _LazyConv else "num_features"
    return type(name, (base, real), {"_becomes": real, "__module__": __name__,
                                     "__doc__": f"{real.__name__} whose {what} are those of the first input."})


for _real in (Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d):
    globals()["Lazy" + _real.__name__] = _define(_LazyConv, _real)
for _real in (BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d):
    globals()["Lazy" + _real.__name__] = _define(_LazyNorm, _real)
