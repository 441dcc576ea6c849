"""Functions that fewer networks need: sampling, sequence losses, bags of embeddings, unusual poolings. Part of nn.functional."""
import math

from .. import _C
from .._ops import op

_avg_pool3d, _interpolate = op("avg_pool3d"), op("interpolate")
_ctc_loss, _embedding_bag = op("ctc_loss"), op("embedding_bag")
grid_sample, affine_grid = op("grid_sample"), op("affine_grid")


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """Connectionist temporal classification (Graves et al. 2006): -log of the probability that log_probs (T, N, C) or (T, C) spell
    the targets, (N, S) or all in a row. The lengths are tensors, lists or tuples. The gradient is that for logits under log_softmax."""
    lengths = [x if isinstance(x, _C.Tensor) else _C.tensor(x, dtype=_C.int64) for x in (input_lengths, target_lengths)]
    return _ctc_loss(log_probs, targets, *lengths, blank, reduction, zero_infinity)


# ---- embedding

def embedding_renorm(weight, indices, max_norm, norm_type=2.0):
    """Scales the rows of weight at the indices, in place, so that no norm is above max_norm."""
    with _C.no_grad():
        rows = indices.reshape(-1).unique()
        norms = weight[rows].norm(norm_type, -1, True)
        weight[rows] = weight[rows] * (max_norm / (norms + 1e-7)).clamp(max=1.0)
    return weight


def embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode="mean", sparse=False,
                  per_sample_weights=None, include_last_offset=False, padding_idx=None):
    """Rows of weight (num, dim) summed, averaged or maximised by bags: the rows of a 2-d input, or the pieces of a 1-d one that
    begin at the offsets. Result (bags, dim); an empty bag gives zeros."""
    if sparse:
        raise NotImplementedError("embedding_bag: sparse gradients are not supported; leave sparse out")
    if max_norm is not None:
        embedding_renorm(weight, input, max_norm, norm_type)
    return _embedding_bag(input, weight, offsets, mode, per_sample_weights, include_last_offset, padding_idx, scale_grad_by_freq)


# ---- pooling

def _tuple(x, n):
    return (x,) * n if isinstance(x, (int, float)) else tuple(x) * (n if len(x) == 1 else 1)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """Power average over windows of (N, C, D, H, W): (sum x^p)^(1/p)."""
    out = _avg_pool3d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return (out.sign() * out.abs() * math.prod(_tuple(kernel_size, 3))).pow(1.0 / norm_type)


def _max_unpool(dims):
    def f(input, indices, kernel_size, stride=None, padding=0, output_size=None):
        kernel = _tuple(kernel_size, dims)
        strides = kernel if stride is None else _tuple(stride, dims)
        if input.dim() not in (dims + 1, dims + 2) or input.shape != indices.shape:
            raise ValueError(f"{f.__name__}: input and indices must have one shape, (N, C, spatial...) or (C, spatial...) with {dims} "
                             f"spatial dimensions, got {tuple(input.shape)} and {tuple(indices.shape)}")
        usual = [(n - 1) * s + k - 2 * p for n, s, k, p in zip(input.shape[-dims:], strides, kernel, _tuple(padding, dims))]
        size = list(usual if output_size is None else output_size)[-dims:]
        for n, u, s in zip(size, usual, strides):
            if output_size is not None and not u - s < n < u + s:
                raise ValueError(f"{f.__name__}: output_size must be within the stride {strides} of {usual}, got {size}")
        flat = _C.zeros(*input.shape[:-dims], math.prod(size), dtype=input.dtype, device=input.device)
        return flat.scatter(-1, indices.flatten(-dims), input.flatten(-dims)).unflatten(-1, size)
    f.__name__ = f.__qualname__ = f"max_unpool{dims}d"
    f.__doc__ = (f"The values of max_pool{dims}d back at the places that return_indices gave, zeros elsewhere. output_size chooses among "
                 "the sizes that would pool to input's.")
    return f


max_unpool1d, max_unpool2d, max_unpool3d = _max_unpool(1), _max_unpool(2), _max_unpool(3)


def _fractional_max_pool(dims):
    name = f"fractional_max_pool{dims}d"

    def with_indices(input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
        if (output_size is None) == (output_ratio is None):
            raise ValueError(f"{name}: exactly one of output_size and output_ratio must be given")
        kernel, space = _tuple(kernel_size, dims), input.shape[-dims:]
        out = _tuple(output_size, dims) if output_ratio is None else [int(n * r) for n, r in zip(space, _tuple(output_ratio, dims))]
        if any(o < 1 or k < 1 or o + k - 1 > n for n, k, o in zip(space, kernel, out)):
            raise ValueError(f"{name}: output {tuple(out)} and kernel {kernel} are too large for input {tuple(input.shape)}")
        x = input if input.dim() == dims + 2 else input.unsqueeze(0)
        u = _C.rand(x.shape[0], x.shape[1], dims, dtype=x.dtype) if _random_samples is None else _random_samples
        index = 0  # of each window's elements in the plane: (N, C, out..., kernel...)
        for d, (n, k, o) in enumerate(zip(space, kernel, out)):
            sample = u[..., dims - 1 - d if dims == 2 else d].unsqueeze(-1)  # the 2-d samples are ordered x, y
            step = (n - k) / (o - 1) if o > 1 else 0.0
            start = ((_C.arange(o, dtype=u.dtype) + sample) * step).long() - (sample * step).long()
            start[..., -1] = n - k
            places = start.unsqueeze(-1) + _C.arange(k)
            shape = [*places.shape[:2]] + [1] * (2 * dims)
            shape[2 + d], shape[2 + dims + d] = o, k
            index = index * n + places.reshape(shape)
        windows = x.flatten(2).gather(2, index.flatten(2)).reshape(*x.shape[:2], *out, -1)
        values, best = windows.max(-1)
        places = index.flatten(2 + dims).gather(-1, best.unsqueeze(-1)).squeeze(-1)
        return (values, places) if input.dim() == dims + 2 else (values.squeeze(0), places.squeeze(0))

    def f(input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
        both = with_indices(input, kernel_size, output_size, output_ratio, True, _random_samples)
        return both if return_indices else both[0]
    f.__name__ = f.__qualname__ = name
    f.__doc__ = ("Largest values of windows at pseudo-random, overlapping places (Graham 2014), so that the output has output_size or "
                 "output_ratio times the input's size; return_indices also gives the positions.")
    with_indices.__name__ = with_indices.__qualname__ = name + "_with_indices"
    with_indices.__doc__ = name + " that also returns the positions."
    return f, with_indices


fractional_max_pool2d, fractional_max_pool2d_with_indices = _fractional_max_pool(2)
fractional_max_pool3d, fractional_max_pool3d_with_indices = _fractional_max_pool(3)


# ---- layers under other names

native_channel_shuffle = op("channel_shuffle")


def conv_tbc(input, weight, bias, pad=0):
    """Convolution of (time, batch, channels) with weight (width, channels, out)."""
    return op("conv1d")(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, 1, pad).permute(2, 0, 1)


# ---- resampling

def upsample_nearest(input, size=None, scale_factor=None):
    """interpolate with mode 'nearest'."""
    return _interpolate(input, size, scale_factor)


def upsample_bilinear(input, size=None, scale_factor=None):
    """interpolate with mode 'bilinear' and align_corners."""
    return _interpolate(input, size, scale_factor, "bilinear", True)
