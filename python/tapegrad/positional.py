"""Functions of neural networks at the top level: the order of arguments is that of PyTorch's C++ functions, and `reduction` and
modes may be numbers. Programs are better served by nn.functional, whose functions these are."""
import functools

from . import _C
from ._ops import op
from .nn import functional as F

_REDUCTIONS = ("none", "mean", "sum")
_GRID_MODES, _GRID_PADDINGS, _BAG_MODES = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), ("sum", "mean", "max")


def _name(value, names):
    return names[value] if isinstance(value, int) else value


# ---- losses: reduction is 0, 1, 2 or a word; without one they are not reduced, as PyTorch's

def _loss(f, tensors, *order):
    """f with so many tensors, then `order` and the reduction as positional arguments."""
    @functools.wraps(f)
    def loss(*args, reduction=0, **kwargs):
        named = dict(zip((*order, "reduction"), args[tensors:]))
        reduction = named.pop("reduction", reduction)
        return f(*args[:tensors], **named, **kwargs, reduction=_name(reduction, _REDUCTIONS))
    return loss


binary_cross_entropy_with_logits = _loss(F.binary_cross_entropy_with_logits, 2, "weight", "pos_weight")
cosine_embedding_loss = _loss(F.cosine_embedding_loss, 3, "margin")
hinge_embedding_loss = _loss(F.hinge_embedding_loss, 2, "margin")
kl_div = _loss(F.kl_div, 2)
margin_ranking_loss = _loss(F.margin_ranking_loss, 3, "margin")
poisson_nll_loss = _loss(F.poisson_nll_loss, 2, "log_input", "full", "eps")
triplet_margin_loss = _loss(F.triplet_margin_loss, 3, "margin", "p", "eps", "swap")


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction=0, zero_infinity=False):
    """nn.functional.ctc_loss."""
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, _name(reduction, _REDUCTIONS), zero_infinity)


# ---- layers

def embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    """nn.functional.embedding with the weight first; a negative padding_idx means none."""
    return F.embedding(indices, weight, padding_idx if padding_idx >= 0 else None, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


def embedding_bag(weight, indices, offsets, scale_grad_by_freq=False, mode=0, sparse=False, per_sample_weights=None,
                  include_last_offset=False, padding_idx=None):
    """(the bags, the bag of each index, the bags' sizes for modes mean and max, and for max the row that each number is from)."""
    mode = _name(mode, _BAG_MODES)
    out = F.embedding_bag(indices, weight, offsets, None, 2, scale_grad_by_freq, mode, sparse, per_sample_weights, include_last_offset,
                          padding_idx)
    bags = out.shape[0]
    padding_idx = None if padding_idx is None else padding_idx % weight.shape[0]
    starts = offsets[:bags].contiguous()
    bag = _C.searchsorted(starts, _C.arange(len(indices), dtype=starts.dtype), right=True).to(indices.dtype) - 1
    if mode == "sum":
        return out, bag, indices.new_zeros(len(offsets)), indices.new_zeros(len(offsets))
    counts = _C.ones_like(indices) if padding_idx is None else (indices != padding_idx).to(indices.dtype)
    sizes = indices.new_zeros(bags).index_add(0, bag, counts)
    if mode == "mean":
        return out, bag, sizes, sizes.clone()
    from_it = (weight.detach()[indices] == out.detach()[bag]) & (counts > 0).unsqueeze(1)
    place = _C.where(from_it, _C.arange(len(indices)).unsqueeze(1), len(indices))
    first = _C.full(out.shape, len(indices)).scatter_reduce(0, bag.long().unsqueeze(1).expand_as(place), place, "amin")
    return out, bag, sizes, _C.cat([indices, indices.new_zeros(1)])[first]


def embedding_renorm_(weight, indices, max_norm, norm_type):
    """Scales the rows of weight at the indices, in place, so that no norm is above max_norm."""
    return F.embedding_renorm(weight, indices, max_norm, norm_type)


def instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled=False):
    """nn.functional.instance_norm."""
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def adaptive_max_pool1d(input, output_size):
    """nn.functional.adaptive_max_pool1d with the positions."""
    return F.adaptive_max_pool1d(input, output_size, return_indices=True)


def affine_grid_generator(theta, size, align_corners):
    """nn.functional.affine_grid."""
    return F.affine_grid(theta, size, align_corners)


def grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    """nn.functional.grid_sample with its modes as numbers."""
    return F.grid_sample(input, grid, _name(interpolation_mode, _GRID_MODES), _name(padding_mode, _GRID_PADDINGS), align_corners)


grid_sampler_2d = grid_sampler_3d = grid_sampler
conv_tbc, native_channel_shuffle = F.conv_tbc, F.native_channel_shuffle


def norm_except_dim(v, pow=2, dim=0):
    """The norms of v over all dimensions but dim, kept as size 1; one norm of all with dim -1."""
    return v.norm(pow) if dim == -1 else v.norm(pow, [d for d in range(v.dim()) if d != dim % v.dim()], True)


# ---- in place, and dropout with its arguments all given

def dropout_(input, p, train):
    """Zeroes elements in place with probability p and scales the others by 1 / (1 - p)."""
    return F.dropout(input, p, train, inplace=True)


def alpha_dropout_(input, p, train):
    """nn.functional.alpha_dropout in place."""
    return F.alpha_dropout(input, p, train, inplace=True)


def feature_dropout_(input, p, train):
    """Zeroes whole channels in place with probability p."""
    return input.copy_(op("feature_dropout")(input, p, train))


def feature_alpha_dropout(input, p, train):
    """nn.functional.feature_alpha_dropout."""
    return F.feature_alpha_dropout(input, p, train)


def feature_alpha_dropout_(input, p, train):
    """nn.functional.feature_alpha_dropout in place."""
    return F.feature_alpha_dropout(input, p, train, inplace=True)


celu_, selu_, rrelu_, threshold_ = F.celu_, F.selu_, F.rrelu_, F.threshold_


def zero_(input):
    """Zeroes in place."""
    return input.zero_()


def resize_as_(input, the_template, *, memory_format=None):
    """Changes the shape to the template's in place; new elements are uninitialised."""
    return input.resize_as_(the_template)


def broadcast_shapes(*shapes):
    """The shape that tensors of these shapes broadcast to."""
    def expanded(s):
        return _C.empty(()).expand((s,) if isinstance(s, int) else tuple(s))
    return _C.broadcast_tensors([expanded(s) for s in shapes])[0].shape if shapes else _C.Size([])


__all__ = sorted(n for n, v in globals().items() if n[0] != "_" and callable(v) and v is not op)
