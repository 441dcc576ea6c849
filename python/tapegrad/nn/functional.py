"""Functions of neural networks, with PyTorch's names, arguments and defaults.

Most names are the C++ functions themselves; this module adds what only Python spells (`inplace=`, `padding="same"`,
`return_indices=`) and the few that are compositions. Errors are raised by the C++ functions and name the argument.
"""
import functools

from .. import _C
from .._ops import op

# ---- straight from C++: input, then PyTorch's arguments
linear, bilinear, _embedding, _embedding_by_frequency = map(op, ("linear", "bilinear", "embedding", "_embedding_by_frequency"))
logsigmoid, softplus, softsign, tanhshrink = op("logsigmoid"), op("softplus"), op("softsign"), op("tanhshrink")
softshrink, hardshrink, prelu = op("softshrink"), op("hardshrink"), op("prelu")
sigmoid, tanh, gelu, glu = op("sigmoid"), op("tanh"), op("gelu"), op("glu")
normalize, one_hot, pad, pdist = op("normalize"), op("one_hot"), op("pad"), op("pdist")
group_norm, layer_norm, rms_norm = op("group_norm"), op("layer_norm"), op("rms_norm")
avg_pool1d, avg_pool2d, avg_pool3d = op("avg_pool1d"), op("avg_pool2d"), op("avg_pool3d")
conv_transpose1d, conv_transpose2d, conv_transpose3d = op("conv_transpose1d"), op("conv_transpose2d"), op("conv_transpose3d")
scaled_dot_product_attention = op("scaled_dot_product_attention")
_no_grad = _C.no_grad


# ---- activations: all but softmax as they are

relu, relu6, selu, silu, mish, hardswish, hardsigmoid = map(op, ("relu", "relu6", "selu", "silu", "mish", "hardswish", "hardsigmoid"))
leaky_relu, elu, celu, hardtanh, threshold, rrelu = map(op, ("leaky_relu", "elu", "celu", "hardtanh", "threshold", "rrelu"))
relu_, leaky_relu_, elu_, celu_, selu_, hardtanh_, threshold_, rrelu_ = (
    functools.partial(f, inplace=True) for f in (relu, leaky_relu, elu, celu, selu, hardtanh, threshold, rrelu))

_softmax, _log_softmax = op("softmax"), op("log_softmax")


def _dim_of(dim, ndim):
    return dim if dim is not None else 0 if ndim in (0, 1, 3) else 1


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """exp(x) / sum(exp(x)) along dim."""
    return _softmax(input, _dim_of(dim, input.ndim), dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """log(softmax(x)) along dim."""
    return _log_softmax(input, _dim_of(dim, input.ndim), dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmax(-x) along dim."""
    return _softmax(-input, _dim_of(dim, input.ndim), dtype)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """Samples from the Gumbel-softmax distribution; hard: one-hot, with the gradient of the soft sample."""
    noise = -_C.empty_like(logits).exponential_().log()
    soft = _softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = soft.argmax(dim, keepdim=True)
    return _C.zeros_like(logits).scatter_(dim, index, 1.0) - soft.detach() + soft


# ---- dropout

_dropout, _feature_dropout, _alpha_dropout = op("dropout"), op("feature_dropout"), op("alpha_dropout")


def _drop(f, input, p, training, inplace):
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    out = f(input, p, training)
    return input.copy_(out) if inplace and out is not input else out


def dropout(input, p=0.5, training=True, inplace=False):
    """Zeroes each element with probability p and scales the others by 1 / (1 - p). The input itself when not training."""
    return _drop(_dropout, input, p, training, inplace)


def dropout1d(input, p=0.5, training=True, inplace=False):
    """Zeroes whole channels of (N, C, L) or (C, L)."""
    return _channels(input, p, training, inplace, 1)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """Zeroes whole channels of (N, C, H, W) or (N, C, L)."""
    return _channels(input, p, training, inplace, None)


def dropout3d(input, p=0.5, training=True, inplace=False):
    """Zeroes whole channels of (N, C, D, H, W)."""
    return _channels(input, p, training, inplace, 3)


def _channels(input, p, training, inplace, spatial):
    if spatial is not None and input.ndim == spatial + 1:  # no batch
        return _channels(input.unsqueeze(0), p, training, False, None).squeeze(0) if not inplace else \
            input.copy_(_channels(input.unsqueeze(0), p, training, False, None).squeeze(0))
    return _drop(_feature_dropout, input, p, training, inplace)


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout that keeps mean and variance of selu activations."""
    return _drop(_alpha_dropout, input, p, training, inplace)


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """alpha_dropout of whole channels (N, C, ...): one draw for each sample and channel."""
    if not training or p == 0:
        return input
    a = (1 - p) * (1 + p * 1.7580993408473766 ** 2)
    a = 0.0 if p == 1 else a ** -0.5
    kept = _C.rand(input.shape[:2] + (1,) * (input.ndim - 2), dtype=input.dtype) >= p
    drop = -1.7580993408473766
    out = _C.where(kept, input, drop) * a - drop * a * p
    return input.copy_(out) if inplace else out


# ---- convolution and pooling

def _conv(dims):
    conv = op(f"conv{dims}d")

    def f(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        if isinstance(padding, str):
            input, padding = _string_padding(input, weight, stride, padding, dilation, dims)
        return conv(input, weight, bias, stride, padding, dilation, groups)
    f.__name__ = f.__qualname__ = f"conv{dims}d"
    f.__doc__ = (f"Cross-correlation over {dims} dimension(s). input (N, C, spatial...) or (C, spatial...), weight (out, C / groups, "
                 "kernel...), bias (out). padding: a number, one per dimension, 'valid' or 'same'.")
    return f


def _string_padding(input, weight, stride, padding, dilation, dims):
    if padding == "valid":
        return input, 0
    if padding != "same":
        raise ValueError(f"padding must be 'same' or 'valid' or numbers, got {padding!r}")
    if any(s != 1 for s in _tuple(stride, dims)):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for d, k in zip(_tuple(dilation, dims), weight.shape[2:])]
    if all(t % 2 == 0 for t in totals):
        return input, [t // 2 for t in totals]
    both = [x for t in reversed(totals) for x in (t // 2, t - t // 2)]
    return pad(input, both), 0


def _tuple(x, n):
    return (x,) * n if isinstance(x, int) else tuple(x) * (n if len(x) == 1 else 1)


conv1d, conv2d, conv3d = _conv(1), _conv(2), _conv(3)


def _max_pool(dims):
    plain, indexed = op(f"max_pool{dims}d"), op(f"max_pool{dims}d_with_indices")

    def with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        return indexed(input, kernel_size, stride, padding, dilation, ceil_mode)

    def f(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        return (indexed if return_indices else plain)(input, kernel_size, stride, padding, dilation, ceil_mode)
    f.__name__ = f.__qualname__ = f"max_pool{dims}d"
    f.__doc__ = (f"Largest value of each window over {dims} dimension(s) of (N, C, spatial...) or (C, spatial...). stride is kernel_size "
                 "when left out; return_indices also gives the positions.")
    with_indices.__name__ = with_indices.__qualname__ = f"max_pool{dims}d_with_indices"
    with_indices.__doc__ = "max_pool that also returns the positions."
    return f, with_indices


max_pool1d, max_pool1d_with_indices = _max_pool(1)
max_pool2d, max_pool2d_with_indices = _max_pool(2)
max_pool3d, max_pool3d_with_indices = _max_pool(3)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """Power average over windows of (N, C, L): (sum x^p)^(1/p)."""
    out = avg_pool1d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return (out.sign() * relu(out.abs()) * kernel_size).pow(1.0 / norm_type)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """Power average over windows of (N, C, H, W)."""
    kh, kw = _tuple(kernel_size, 2)
    out = avg_pool2d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return (out.sign() * relu(out.abs()) * (kh * kw)).pow(1.0 / norm_type)


def _adaptive_sizes(input, output_size, dims):
    sizes = [output_size] * dims if isinstance(output_size, int) or output_size is None else list(output_size)
    return [n if n is not None else input.shape[d - dims] for d, n in enumerate(sizes)]


def _adaptive_avg(dims):
    pool = op(f"adaptive_avg_pool{dims}d")

    def f(input, output_size):
        return pool(input, _adaptive_sizes(input, output_size, dims))
    f.__name__ = f.__qualname__ = f"adaptive_avg_pool{dims}d"
    f.__doc__ = f"Averages {dims} dimension(s) down (or up) to exactly output_size; None keeps a dimension's size."
    return f


def _adaptive_max(dims):
    plain, indexed = op(f"adaptive_max_pool{dims}d"), op(f"adaptive_max_pool{dims}d_with_indices")

    def with_indices(input, output_size, return_indices=False):
        return indexed(input, _adaptive_sizes(input, output_size, dims))

    def f(input, output_size, return_indices=False):
        return (indexed if return_indices else plain)(input, _adaptive_sizes(input, output_size, dims))
    f.__name__ = f.__qualname__ = f"adaptive_max_pool{dims}d"
    f.__doc__ = f"Largest values of {dims} dimension(s) cut into output_size windows; return_indices also gives the positions."
    with_indices.__name__ = with_indices.__qualname__ = f.__name__ + "_with_indices"
    with_indices.__doc__ = f.__name__ + " that also returns the positions."
    return f, with_indices


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg, (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool1d_with_indices = _adaptive_max(1)
adaptive_max_pool2d, adaptive_max_pool2d_with_indices = _adaptive_max(2)
adaptive_max_pool3d, adaptive_max_pool3d_with_indices = _adaptive_max(3)


fold, unfold = op("fold"), op("unfold")


# ---- normalisation

batch_norm, _instance_norm = op("batch_norm"), op("instance_norm")


def instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5):
    """batch_norm with the statistics of each sample and channel of (N, C, ...)."""
    return _instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """x / (k + alpha / size * sum of squares over `size` neighbouring channels)^beta."""
    squares = pad(input.square().transpose(1, -1), (size // 2, (size - 1) // 2)).unfold(-1, size, 1).mean(-1).transpose(1, -1)
    return input / (squares * alpha + k).pow(beta)


# ---- embedding

def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """Rows of weight (num, dim) at the integer indices `input` (any shape): input.shape + (dim,). The row padding_idx gets no
    gradient; with max_norm the rows used are renormalised in place first; scale_grad_by_freq divides each row's gradient by its uses."""
    if sparse:
        raise NotImplementedError("embedding: sparse gradients are not supported; leave sparse out")
    if padding_idx is not None:
        rows = weight.shape[0]
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= rows
    if max_norm is not None:
        embedding_renorm(weight, input, max_norm, norm_type)
    return (_embedding_by_frequency if scale_grad_by_freq else _embedding)(input, weight, padding_idx)


pixel_shuffle, pixel_unshuffle, channel_shuffle = op("pixel_shuffle"), op("pixel_unshuffle"), op("channel_shuffle")


# ---- distances

cosine_similarity, pairwise_distance = op("cosine_similarity"), op("pairwise_distance")


# ---- resampling

interpolate = op("interpolate")


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """Same as interpolate."""
    return interpolate(input, size, scale_factor, mode, align_corners)


# ---- losses: functional_losses.py

from .functional_losses import (  # noqa: E402
    _cross_entropy, binary_cross_entropy, binary_cross_entropy_with_logits, cosine_embedding_loss, cross_entropy, gaussian_nll_loss,
    hinge_embedding_loss, huber_loss, kl_div, l1_loss, linear_cross_entropy, margin_ranking_loss, mse_loss, multi_margin_loss,
    multilabel_margin_loss, multilabel_soft_margin_loss, nll_loss, poisson_nll_loss, smooth_l1_loss, soft_margin_loss, triplet_margin_loss,
    triplet_margin_with_distance_loss)

# ---- attention: functional_attention.py

from .functional_attention import multi_head_attention_forward  # noqa: E402

# ---- less common: functional_more.py

from .functional_more import (  # noqa: E402
    affine_grid, conv_tbc, ctc_loss, embedding_bag, embedding_renorm, fractional_max_pool2d, fractional_max_pool2d_with_indices,
    fractional_max_pool3d, fractional_max_pool3d_with_indices, grid_sample, lp_pool3d, max_unpool1d, max_unpool2d,
    max_unpool3d, native_channel_shuffle, upsample_bilinear, upsample_nearest)
