"""Helpers for training loops: clipping gradients, parameters as one vector, sequences, weights computed from others."""
from ..._ops import lazy
from . import rnn  # noqa: F401
from .clip_grad import clip_grad_norm, clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm  # noqa: F401
from .convert_parameters import parameters_to_vector, vector_to_parameters  # noqa: F401

__getattr__, __dir__ = lazy(globals(), {
    "parametrize": [], "parametrizations": [], "prune": [], "stateless": [],
    "reparametrize": ["weight_norm", "remove_weight_norm", "spectral_norm", "remove_spectral_norm"],
    "fusion": ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights", "skip_init",
               "convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]})
