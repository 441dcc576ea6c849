"""MaxUnpool, which puts the values of a max pooling back where they were, and pooling over random windows."""
from .. import functional as F
from ..module import Module
from .conv import tuple_of

__all__ = ["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d", "FractionalMaxPool2d", "FractionalMaxPool3d"]


class _MaxUnpoolNd(Module):
    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__()
        self.kernel_size = tuple_of(kernel_size, self._dims)
        self.stride = tuple_of(kernel_size if stride is None else stride, self._dims)
        self.padding = tuple_of(padding, self._dims)

    def forward(self, input, indices, output_size=None):
        return getattr(F, self._function)(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """Zeros but for the values of MaxPool1d(return_indices=True) at their indices; output_size settles what rounding lost."""
    _dims, _function = 1, "max_unpool1d"


class MaxUnpool2d(_MaxUnpoolNd):
    """Zeros but for the values of MaxPool2d(return_indices=True) at their indices; output_size settles what rounding lost."""
    _dims, _function = 2, "max_unpool2d"


class MaxUnpool3d(_MaxUnpoolNd):
    """Zeros but for the values of MaxPool3d(return_indices=True) at their indices; output_size settles what rounding lost."""
    _dims, _function = 3, "max_unpool3d"


class _FractionalMaxPool(Module):
    def __init__(self, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
        super().__init__()
        self.kernel_size, self.return_indices = tuple_of(kernel_size, self._dims), return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else tuple_of(output_size, self._dims)
        self.output_ratio = None if output_ratio is None else tuple_of(output_ratio, self._dims)
        if (output_size is None) == (output_ratio is None):
            raise ValueError(f"{type(self).__name__} requires specifying either an output size, or a pooling ratio, and not both")
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input):
        return getattr(F, self._function)(input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices,
                                          _random_samples=self._random_samples)


class FractionalMaxPool2d(_FractionalMaxPool):
    """Largest value of windows whose places are drawn so that the output is output_size, or output_ratio of the input (Graham 2014)."""
    _dims, _function = 2, "fractional_max_pool2d"


class FractionalMaxPool3d(_FractionalMaxPool):
    """Largest value of windows whose places are drawn so that the output is output_size, or output_ratio of the input (Graham 2014)."""
    _dims, _function = 3, "fractional_max_pool3d"
