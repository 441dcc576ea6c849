"""The accelerator of this machine, if any: its CUDA devices. Without one questions are answered, and what needs one raises RuntimeError."""
from . import _C, cuda

__all__ = ["is_available", "current_accelerator", "device_count", "set_device_index", "set_device_idx", "current_device_index",
           "current_device_idx", "current_stream", "set_stream", "synchronize", "device_index", "empty_cache", "memory_allocated",
           "max_memory_allocated", "memory_reserved", "max_memory_reserved", "memory_stats", "reset_peak_memory_stats"]


def is_available():
    """Is there one?"""
    return cuda.is_available()


def current_accelerator(check_available=False):
    """Its device, or None."""
    return _C.device("cuda") if is_available() else None


def device_count():
    """How many there are."""
    return cuda.device_count()


def _of_cuda(name, there=None):
    def f(*args, **kwargs):
        if not is_available():
            raise RuntimeError(f"accelerator.{name}: Cannot access accelerator device when none is available.")
        return getattr(cuda, there or name)(*args, **kwargs)
    f.__name__, f.__doc__ = name, f"cuda.{there or name}; RuntimeError where there is no accelerator."
    return f


set_device_index, current_device_index = _of_cuda("set_device_index", "set_device"), _of_cuda("current_device_index", "current_device")
current_stream, set_stream, synchronize = map(_of_cuda, ("current_stream", "set_stream", "synchronize"))
memory_allocated, max_memory_allocated, memory_reserved, max_memory_reserved, memory_stats = map(_of_cuda, (
    "memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved", "memory_stats"))
get_memory_info = _of_cuda("get_memory_info", "mem_get_info")
reset_peak_memory_stats, reset_accumulated_memory_stats = map(_of_cuda, ("reset_peak_memory_stats", "reset_accumulated_memory_stats"))
set_device_idx, current_device_idx = set_device_index, current_device_index


class device_index:
    """A context with another current device; None changes nothing, and another number needs an accelerator."""

    def __init__(self, device):
        self.index = device

    def __enter__(self):
        self._before = None
        if self.index is not None:
            self._before = current_device_index()
            set_device_index(self.index)

    def __exit__(self, *exc):
        if self._before is not None:
            set_device_index(self._before)


def empty_cache():
    """Gives cached memory of the accelerator back."""
    cuda.empty_cache()


def get_device_capability(device=None, /):
    """What dtypes it computes in; of the CPU."""
    return {"supported_dtypes": {v for v in vars(_C).values() if isinstance(v, _C.dtype)}}
