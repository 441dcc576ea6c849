"""Losses as functions. `reduction`: "mean", "sum" or "none". Re-exported by nn.functional."""
import warnings

from .. import _C
from .._ops import op, reduction_of

_cross_entropy, _nll_loss, _kl_div = op("cross_entropy"), op("nll_loss"), op("kl_div")
_mse_loss, _l1_loss, _smooth_l1_loss, _huber_loss = op("mse_loss"), op("l1_loss"), op("smooth_l1_loss"), op("huber_loss")
_bce, _bce_logits = op("binary_cross_entropy"), op("binary_cross_entropy_with_logits")
_poisson_nll, _gaussian_nll, _hinge_embedding = op("poisson_nll_loss"), op("gaussian_nll_loss"), op("hinge_embedding_loss")
_margin_ranking, _soft_margin, _cosine_embedding = op("margin_ranking_loss"), op("soft_margin_loss"), op("cosine_embedding_loss")
_triplet_margin, _multilabel_soft_margin = op("triplet_margin_loss"), op("multilabel_soft_margin_loss")


def _reduce(loss, reduction):
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"{reduction} is not a valid value for reduction")


def _same_shape(input, target, name):
    if input.shape != target.shape:
        warnings.warn(f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely lead to "
                      "incorrect results due to broadcasting. Please ensure they have the same size.", stacklevel=3)


def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0):
    """-log softmax(input)[target]: input (N, C, ...) or (C); target class indices (N, ...) or class probabilities like input."""
    return _cross_entropy(input, target, weight, ignore_index, reduction_of(size_average, reduce, reduction), label_smoothing)


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """-input[target]: input log-probabilities (N, C, ...) or (C), target class indices (N, ...) or ()."""
    return _nll_loss(input, target, weight, ignore_index, reduction_of(size_average, reduce, reduction))


def _weighted(loss, input, target, weight, reduction):
    """A loss per element, times weight; the mean is over the weights."""
    loss = loss(input, target, "none") * weight
    return loss.sum() / weight.broadcast_to(loss.shape).sum() if reduction == "mean" else _reduce(loss, reduction)


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(input - target)^2."""
    reduction = reduction_of(size_average, reduce, reduction)
    _same_shape(input, target, "mse_loss")
    return _mse_loss(input, target, reduction) if weight is None else _weighted(_mse_loss, input, target, weight, reduction)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|input - target|."""
    reduction = reduction_of(size_average, reduce, reduction)
    _same_shape(input, target, "l1_loss")
    return _l1_loss(input, target, reduction) if weight is None else _weighted(_l1_loss, input, target, weight, reduction)


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """(input - target)^2 / (2 beta) below beta, |input - target| - beta / 2 above."""
    _same_shape(input, target, "smooth_l1_loss")
    return _smooth_l1_loss(input, target, reduction_of(size_average, reduce, reduction), beta)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """(input - target)^2 / 2 below delta, delta * (|input - target| - delta / 2) above."""
    _same_shape(input, target, "huber_loss")
    if weight is not None:
        return _weighted(lambda a, b, r: _huber_loss(a, b, r, delta), input, target, weight, reduction)
    return _huber_loss(input, target, reduction, delta)


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """-(target log(input) + (1 - target) log(1 - input)); input in [0, 1], the logarithms not below -100."""
    return _bce(input, target, weight, reduction_of(size_average, reduce, reduction))


def binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
    """binary_cross_entropy(sigmoid(input), target), computed stably; pos_weight multiplies the positive part."""
    return _bce_logits(input, target, weight, pos_weight, reduction_of(size_average, reduce, reduction))


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """target * (log(target) - input), input being log-probabilities; "batchmean" divides the sum by input.shape[0]."""
    reduction = reduction_of(size_average, reduce, reduction)
    if reduction == "batchmean":
        out = _kl_div(input, target, "sum", log_target)
        return out / input.shape[0] if input.ndim else out
    if reduction == "mean":
        warnings.warn("reduction: 'mean' divides the total loss by both the batch size and the support size. 'batchmean' divides only by "
                      "the batch size, and aligns with the KL div math definition.", stacklevel=2)
    return _kl_div(input, target, reduction, log_target)


def poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"):
    """exp(input) - target * input (log_input) or input - target * log(input + eps); full adds Stirling's term for target > 1."""
    return _poisson_nll(input, target, log_input, full, eps, reduction_of(size_average, reduce, reduction))


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """(log(var) + (input - target)^2 / var) / 2, var at least eps; full adds log(2 pi) / 2."""
    if not isinstance(var, _C.Tensor):
        var = _C.full_like(input, float(var))
    return _gaussian_nll(input, target, var, full, eps, reduction)


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """input where target is 1, max(0, margin - input) where it is -1."""
    return _hinge_embedding(input, target, margin, reduction_of(size_average, reduce, reduction))


def margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """max(0, -target * (input1 - input2) + margin)."""
    return _margin_ranking(input1, input2, target, margin, reduction_of(size_average, reduce, reduction))


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(-target * input))."""
    return _soft_margin(input, target, reduction_of(size_average, reduce, reduction))


def cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """1 - cos where target is 1, max(0, cos - margin) where it is -1; inputs (N, D) or (D)."""
    return _cosine_embedding(input1, input2, target, margin, reduction_of(size_average, reduce, reduction))


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, size_average=None, reduce=None,
                        reduction="mean"):
    """max(0, |anchor - positive| - |anchor - negative| + margin); swap takes the closer of anchor and positive to the negative."""
    return _triplet_margin(anchor, positive, negative, margin, p, eps, swap, reduction_of(size_average, reduce, reduction))


def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """Sum over the wrong classes of max(0, margin - x[y] + x[i])^p, divided by C; input (N, C) or (C), target (N) or ()."""
    x, y = (input, target) if input.ndim == 2 else (input.reshape(1, -1), target.reshape(1))
    loss = (margin - x.gather(1, y.unsqueeze(1)) + x).clamp(min=0).pow(p)
    if weight is not None:
        loss = loss * weight[y].unsqueeze(1)
    loss = loss.scatter(1, y.unsqueeze(1), _C.zeros_like(loss)).sum(1) / x.shape[1]
    return _reduce(loss if input.ndim == 2 else loss.squeeze(0), reduction_of(size_average, reduce, reduction))


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Sum over labels j and other classes i of max(0, 1 - (x[j] - x[i])) / C; target holds class indices up to the first -1."""
    x, y = (input, target) if input.ndim == 2 else (input.reshape(1, -1), target.reshape(1, -1))
    valid = ((y < 0).long().cumsum(1) == 0)
    labels = y.clamp(min=0)
    is_label = _C.zeros_like(x).scatter_add(1, labels, valid.to(x.dtype)) > 0
    pairs = (1 - x.gather(1, labels).unsqueeze(2) + x.unsqueeze(1)).clamp(min=0)  # N, label, class
    loss = (pairs * (valid.unsqueeze(2) & ~is_label.unsqueeze(1)).to(x.dtype)).sum((1, 2)) / x.shape[1]
    return _reduce(loss if input.ndim == 2 else loss.squeeze(0), reduction_of(size_average, reduce, reduction))


def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """binary_cross_entropy_with_logits averaged over the classes (last dimension)."""
    return _multilabel_soft_margin(input, target, weight, reduction_of(size_average, reduce, reduction))


def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) for any distance d; swap takes the smaller of d(anchor, negative) and
    d(positive, negative)."""
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    distance = op("pairwise_distance") if distance_function is None else distance_function
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError("The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: anchor "
                           f"{anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = _C.minimum(far, distance(positive, negative))
    return _reduce((margin + near - far).clamp(min=0), reduction)


def linear_cross_entropy(input, linear_weight, target, *, linear_bias=None, weight=None, reduction="mean", ignore_index=None,
                         label_smoothing=0.0, options=None):
    """cross_entropy(linear(input, linear_weight, linear_bias), target): input (N, in) or (in), linear_weight (C, ..., in).

    options, a LinearCrossEntropyOptions, may ask for working in chunks to save memory; here all is one chunk, with the same result.
    """
    if options is not None and not hasattr(options, "chunking_method"):
        raise TypeError(f"linear_cross_entropy: options must be LinearCrossEntropyOptions, got {type(options).__name__}")
    if input.ndim not in (1, 2) or linear_weight.ndim < 2 or input.shape[-1] != linear_weight.shape[-1]:
        raise RuntimeError("linear_cross_entropy: input must be (N, in) or (in) and linear_weight (C, ..., in), got "
                           f"{tuple(input.shape)} and {tuple(linear_weight.shape)}")
    classes = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != classes:
        raise RuntimeError(f"linear_cross_entropy: linear_bias must have shape {classes}, got {tuple(linear_bias.shape)}")
    if len(classes) > 1 and input.ndim == 1:
        raise RuntimeError(f"linear_cross_entropy: a linear_weight of shape {tuple(linear_weight.shape)} needs a batched input")
    logits = op("linear")(input, linear_weight.flatten(0, -2), None if linear_bias is None else linear_bias.flatten())
    logits = logits.reshape(input.shape[:-1] + classes)
    if ignore_index is not None and target.shape == logits.shape:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    return _cross_entropy(logits, target, weight, -100 if ignore_index is None else ignore_index, reduction, label_smoothing)
