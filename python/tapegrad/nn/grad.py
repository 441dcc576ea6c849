"""Gradients of convolutions by themselves: for code that needs one of them without the tape."""
from .. import _C
from . import functional as F

__all__ = [f"conv{d}d_{what}" for d in (1, 2, 3) for what in ("input", "weight")]


def _pair(dims):
    conv, name = getattr(F, f"conv{dims}d"), f"conv{dims}d"

    def of_input(input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1):
        if input_size is None:
            raise ValueError(f"{name}_input: input_size must be given")
        x = _C.zeros(*input_size, dtype=weight.dtype, device=weight.device, requires_grad=True)
        with _C.enable_grad():
            return _C.grad(conv(x, weight, None, stride, padding, dilation, groups), x, grad_output)[0]

    def of_weight(input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1):
        w = _C.zeros(*weight_size, dtype=input.dtype, device=input.device, requires_grad=True)
        with _C.enable_grad():
            return _C.grad(conv(input, w, None, stride, padding, dilation, groups), w, grad_output)[0]
    of_input.__name__ = of_input.__qualname__ = f"{name}_input"
    of_weight.__name__ = of_weight.__qualname__ = f"{name}_weight"
    of_input.__doc__ = f"The gradient of {name} with respect to an input of input_size, from the gradient of its result."
    of_weight.__doc__ = f"The gradient of {name} with respect to a weight of weight_size, from the gradient of its result."
    return of_input, of_weight


conv1d_input, conv1d_weight = _pair(1)
conv2d_input, conv2d_weight = _pair(2)
conv3d_input, conv3d_weight = _pair(3)
