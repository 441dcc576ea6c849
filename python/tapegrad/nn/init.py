"""Filling tensors with starting values, in place and unrecorded. Each returns its tensor."""
import math
import warnings

from .. import _C

_no_grad = _C.no_grad

__all__ = ["calculate_gain", "uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "eye_", "dirac_", "xavier_uniform_",
           "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_", "sparse_"]


def calculate_gain(nonlinearity, param=None):
    """The factor that keeps the variance through a nonlinearity: "linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu" (param:
    its slope), "selu". ValueError for others."""
    plain = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid")
    if nonlinearity in plain:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if param is None:
            slope = 0.01
        elif isinstance(param, (int, float)) and not isinstance(param, bool):
            slope = param
        else:
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope ** 2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Uniform in [a, b)."""
    with _no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Normal with mean and standard deviation."""
    with _no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Normal, limited to [a, b] by inverting the distribution function."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect.",
                      stacklevel=2)
    low, high = ((1 + math.erf((x - mean) / std / math.sqrt(2))) / 2 for x in (a, b))
    with _no_grad():
        tensor.uniform_(2 * low - 1, 2 * high - 1, generator=generator)
        return tensor.erfinv_().mul_(std * math.sqrt(2)).add_(mean).clamp_(min=a, max=b)


def constant_(tensor, val):
    """All equal to val."""
    with _no_grad():
        return tensor.fill_(val)


def ones_(tensor):
    """All 1."""
    return constant_(tensor, 1.0)


def zeros_(tensor):
    """All 0."""
    return constant_(tensor, 0.0)


def eye_(tensor):
    """The identity matrix. ValueError unless 2-dimensional."""
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with _no_grad():
        return tensor.copy_(_C.eye(*tensor.shape, dtype=tensor.dtype))


def dirac_(tensor, groups=1):
    """Convolution weights (out, in, kernel…) that pass channels through unchanged, in each group."""
    if tensor.ndimension() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    out, inner, *kernel = tensor.shape
    if out % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    per_group = out // groups
    centre = tuple(k // 2 for k in kernel)
    with _no_grad():
        tensor.zero_()
        for g in range(groups):
            for d in range(min(per_group, inner)):
                tensor[(g * per_group + d, d, *centre)] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor):
    """Inputs and outputs of one unit of a weight (out, in, kernel…). ValueError below 2 dimensions."""
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fan(tensor, mode):
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform in ±gain * sqrt(6 / (fan_in + fan_out))."""
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with standard deviation gain * sqrt(2 / (fan_in + fan_out))."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor))), generator)


def _is_empty(tensor):
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return True
    return False


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform in ±gain * sqrt(3 / fan); a is the slope of the leaky relu that follows."""
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with standard deviation gain / sqrt(fan); a is the slope of the leaky relu that follows."""
    if _is_empty(tensor):
        return tensor
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)


def orthogonal_(tensor, gain=1, generator=None):
    """A matrix (rows, the rest flattened) with orthonormal rows or columns, whichever are fewer, times gain."""
    if tensor.ndimension() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    cols = tensor.numel() // rows
    with _no_grad():
        long, short = max(rows, cols), min(rows, cols)
        q = _orthonormal_columns(_C.empty((long, short), dtype=_C.float64).normal_(generator=generator))
        tensor.copy_((q.t() if rows < cols else q).reshape(tensor.shape).mul(gain))
    return tensor


def _orthonormal_columns(m):
    """Gram-Schmidt, twice for accuracy, in double: what QR with a positive diagonal gives."""
    m = m.t().contiguous()
    for k in range(m.shape[0]):
        v = m[k]
        for _ in range(2):
            if k:
                v = v - m[:k].t().matmul(m[:k].matmul(v))
        m[k] = v / v.norm()
    return m.t()


def sparse_(tensor, sparsity, std=0.01, generator=None):
    """A matrix of N(0, std) in which a fraction `sparsity` of each column is zero."""
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, cols = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with _no_grad():
        tensor.normal_(0, std, generator=generator)
        for c in range(cols):
            tensor[_C.randperm(rows, generator=generator)[:zeros], c] = 0
    return tensor


def _deprecated(name):
    new = globals()[name + "_"]

    def old(*args, **kwargs):
        warnings.warn(f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`.", FutureWarning, stacklevel=2)
        return new(*args, **kwargs)
    old.__name__, old.__doc__ = name, f"Old name of {name}_."
    return old


uniform, normal, constant = _deprecated("uniform"), _deprecated("normal"), _deprecated("constant")
xavier_uniform, xavier_normal = _deprecated("xavier_uniform"), _deprecated("xavier_normal")
kaiming_uniform, kaiming_normal = _deprecated("kaiming_uniform"), _deprecated("kaiming_normal")
orthogonal, eye, dirac, sparse = _deprecated("orthogonal"), _deprecated("eye"), _deprecated("dirac"), _deprecated("sparse")
