"""Utilities: data loading, checkpointing, TensorBoard, DLPack, trees."""
from . import checkpoint, data  # noqa: F401
from .._ops import lazy

__getattr__, __dir__ = lazy(globals(), {"_pytree": [], "dlpack": [], "hooks": [], "tensorboard": []})
