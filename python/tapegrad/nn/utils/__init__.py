"""Helpers for training loops: clipping gradients, parameters as one vector, sequences."""
from . import rnn  # noqa: F401
from .clip import clip_grad_norm, clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm  # noqa: F401
from .vector import parameters_to_vector, vector_to_parameters  # noqa: F401
