"""CUDA devices. This build has none; `why_not()` says why."""
from . import amp  # noqa: F401

_REASON = "tapegrad was built without CUDA"


def is_available():
    """Can tensors live on a GPU?"""
    return False


def why_not():
    """Why is_available() is False, in one sentence."""
    return _REASON


def device_count():
    """How many GPUs there are."""
    return 0


def is_initialized():
    """Has a GPU been used?"""
    return False


def is_bf16_supported(including_emulation=True):
    """Does the GPU compute in bfloat16?"""
    return False


def manual_seed(seed):
    """Seeds the GPU's generator; nothing to do without one, as in PyTorch."""


def manual_seed_all(seed):
    """Seeds all GPUs' generators; nothing to do without one, as in PyTorch."""


def empty_cache():
    """Gives cached GPU memory back; nothing to do without one, as in PyTorch."""


def _needs_device(name):
    def f(*args, **kwargs):
        raise RuntimeError(f"cuda.{name}: no CUDA device: {_REASON}")
    f.__name__, f.__doc__ = name, "Needs a device: raises RuntimeError here."
    return f


synchronize, set_device, current_device, get_device_name, get_device_properties, get_device_capability = map(_needs_device, (
    "synchronize", "set_device", "current_device", "get_device_name", "get_device_properties", "get_device_capability"))
memory_allocated, max_memory_allocated, memory_summary, current_stream, Stream, stream, mem_get_info = map(_needs_device, (
    "memory_allocated", "max_memory_allocated", "memory_summary", "current_stream", "Stream", "stream", "mem_get_info"))
