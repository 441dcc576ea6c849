"""Utilities: data loading, checkpointing, TensorBoard."""
from . import checkpoint, data  # noqa: F401


def __getattr__(name):
    if name == "tensorboard":
        import importlib
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'tapegrad.utils' has no attribute {name!r}")
