"""Convolutions and their transposes, in one to three dimensions."""
import math

from ... import _C
from .. import functional as F
from .. import init
from ..module import Module
from ..parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

_MODES = ("zeros", "reflect", "replicate", "circular")


def tuple_of(x, n):
    """x itself if it is a sequence, else n times x."""
    return tuple(x) if isinstance(x, (tuple, list)) else (x,) * n


class _ConvNd(Module):
    _dims = None
    _transposed = False

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias, padding_mode,
                 device, dtype):
        super().__init__()
        n = self._dims
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if padding_mode not in _MODES:
            raise ValueError(f"padding_mode must be one of {set(_MODES)}, but got padding_mode='{padding_mode}'")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.dilation = tuple_of(kernel_size, n), tuple_of(stride, n), tuple_of(dilation, n)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}")
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
            self.padding = padding
        else:
            self.padding = tuple_of(padding, n)
        self.output_padding, self.groups, self.padding_mode = tuple_of(output_padding, n), groups, padding_mode
        a, b = (in_channels, out_channels) if self._transposed else (out_channels, in_channels)
        self.weight = Parameter(_C.empty((a, b // groups, *self.kernel_size), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(_C.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self._reversed_padding_repeated_twice = self._both_sides()
        self.reset_parameters()

    def _both_sides(self):
        """The padding as `pad` wants it: last dimension first, left and right."""
        if self.padding == "valid":
            return (0,) * (2 * self._dims)
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            return tuple(x for t in reversed(totals) for x in (t // 2, t - t // 2))
        return tuple(p for p in reversed(self.padding) for _ in range(2))

    def reset_parameters(self):
        """Draws the weights again: uniform in ±1 / sqrt(fan_in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def forward(self, input):
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input, weight, bias):
        if self.padding_mode != "zeros":
            padded = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            return self._function(padded, weight, bias, self.stride, 0, self.dilation, self.groups)
        return self._function(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self):
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * len(self.dilation):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * len(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
                 padding_mode="zeros", device=None, dtype=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, device, dtype)


class Conv1d(_Conv):
    """Convolution of (N, in_channels, L) or (in_channels, L). padding: numbers, 'same' or 'valid'."""
    _dims, _function = 1, staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Convolution of (N, in_channels, H, W) or (in_channels, H, W). padding: numbers, 'same' or 'valid'.

    weight (out_channels, in_channels / groups, kh, kw); output size (size + 2 padding - dilation (k - 1) - 1) / stride + 1.
    """
    _dims, _function = 2, staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Convolution of (N, in_channels, D, H, W) or (in_channels, D, H, W). padding: numbers, 'same' or 'valid'."""
    _dims, _function = 3, staticmethod(F.conv3d)


class _ConvTransposeNd(_ConvNd):
    _transposed = True

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1,
                 padding_mode="zeros", device=None, dtype=None):
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias, padding_mode,
                         device, dtype)

    def forward(self, input, output_size=None):
        extra = self.output_padding if output_size is None else self._output_padding(input, output_size)
        return self._function(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)

    def _output_padding(self, input, output_size):
        """The output padding that gives exactly output_size. ValueError when none does."""
        n, out = self._dims, []
        wanted = list(output_size)[-n:]
        if len(output_size) not in (n, input.ndim):
            raise ValueError(f"{type(self).__name__}: for {input.ndim}D input, output_size must have {n} or {input.ndim} elements (got "
                             f"{len(output_size)})")
        for d in range(n):
            low = ((input.shape[d - n] - 1) * self.stride[d] - 2 * self.padding[d] + self.dilation[d] * (self.kernel_size[d] - 1) + 1)
            if not low <= wanted[d] <= low + self.stride[d] - 1:
                raise ValueError(f"requested an output size of {list(wanted)}, but dimension {d} must lie between {low} and "
                                 f"{low + self.stride[d] - 1} for an input of {list(input.shape[-n:])}")
            out.append(wanted[d] - low)
        return tuple(out)


class ConvTranspose1d(_ConvTransposeNd):
    """Transposed convolution of (N, in_channels, L): the gradient of Conv1d with respect to its input."""
    _dims, _function = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTransposeNd):
    """Transposed convolution of (N, in_channels, H, W): the gradient of Conv2d with respect to its input."""
    _dims, _function = 2, staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTransposeNd):
    """Transposed convolution of (N, in_channels, D, H, W): the gradient of Conv3d with respect to its input."""
    _dims, _function = 3, staticmethod(F.conv_transpose3d)
