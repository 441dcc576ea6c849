"""Batch norms taken into the layer before them, for inference."""
import copy

from ... import _C
from ..parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def _fused(weight, bias, mean, var, eps, bn_weight, bn_bias, shape):
    """(weight * s, (bias - mean) * s + bn_bias) with s = bn_weight / sqrt(var + eps), in the dtypes that weight and bias had."""
    scale = (var + eps).rsqrt() if bn_weight is None else bn_weight * (var + eps).rsqrt()
    shift = (-mean if bias is None else bias - mean) * scale
    shift = shift if bn_bias is None else shift + bn_bias
    weight_grad, bias_grad = weight.requires_grad, bias is not None and bias.requires_grad
    return (Parameter((weight * scale.reshape(shape)).to(weight.dtype), weight_grad),
            Parameter(shift.to(weight.dtype if bias is None else bias.dtype), bias_grad))


def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False):
    """Weight and bias of the convolution that does conv and batch norm in one; transpose: of a transposed convolution."""
    rest = [1] * (conv_w.ndim - 2)
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [1, -1, *rest] if transpose else [-1, 1, *rest])


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """Weight and bias of the linear layer that does linear and batch norm in one."""
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [-1, 1])


def _fuse(layer, bn, fuse, *more):
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    out = copy.deepcopy(layer)
    out.weight, out.bias = fuse(out.weight, out.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, *more)
    return out


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """A convolution that does what conv and then bn do, both in eval mode."""
    return _fuse(conv, bn, fuse_conv_bn_weights, transpose)


def fuse_linear_bn_eval(linear, bn):
    """A linear layer that does what linear and then bn do, both in eval mode."""
    if bn.num_features not in (linear.out_features, 1):
        raise AssertionError("To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
                             f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}")
    return _fuse(linear, bn, fuse_linear_bn_weights)


def skip_init(module_cls, *args, **kwargs):
    """A module whose values do not matter, since they will be replaced: the random stream stays as it was."""
    from ..module import Module
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    state = _C.default_generator.get_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        _C.default_generator.set_state(state)


def _convert(module, kinds, memory_format):
    for m in module.modules():
        if isinstance(m, kinds):
            m.weight.data = m.weight.detach().clone(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module, memory_format):
    """Lays out the weights of all two-dimensional convolutions in a memory format. Returns the module."""
    from ..layers.conv import Conv2d, ConvTranspose2d
    return _convert(module, (Conv2d, ConvTranspose2d), memory_format)


def convert_conv3d_weight_memory_format(module, memory_format):
    """Lays out the weights of all three-dimensional convolutions in a memory format. Returns the module."""
    from ..layers.conv import Conv3d, ConvTranspose3d
    return _convert(module, (Conv3d, ConvTranspose3d), memory_format)
