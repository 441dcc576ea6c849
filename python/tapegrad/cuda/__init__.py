"""CUDA devices. This build has none: questions are answered, counters are 0, and what needs a device raises NoCudaError."""
import contextlib

from .. import _C
from . import amp  # noqa: F401

_REASON = "tapegrad was built without CUDA"


class NoCudaError(AssertionError, RuntimeError):
    """There is no CUDA device. PyTorch raises AssertionError or RuntimeError, which this is, both."""


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


is_tf32_supported = can_device_access_peer = is_bf16_supported


def get_arch_list():
    """Architectures that the build has code for: none."""
    return []


def get_gencode_flags():
    """Flags of that code: none."""
    return ""


# ---- random numbers: nothing to do without a GPU, as in PyTorch

def manual_seed(seed):
    """Seeds the GPU's generator; nothing to do without one, as in PyTorch."""


def manual_seed_all(seed):
    """Seeds all GPUs' generators; nothing to do without one, as in PyTorch."""


def seed():
    """Seeds the GPU's generator from the system; nothing to do without one."""


def seed_all():
    """Seeds all GPUs' generators from the system; nothing to do without one."""


def get_rng_state_all():
    """The states of all GPUs' generators: none."""
    return []


def set_rng_state_all(new_states):
    """Restores the states of all GPUs' generators; nothing to do without one."""


# ---- memory

def empty_cache():
    """Gives cached GPU memory back; nothing to do without one, as in PyTorch."""


def memory_allocated(device=None):
    """Bytes in use on the GPU: 0."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_cached = max_memory_cached = memory_allocated


def memory_stats(device=None):
    """Counters of the GPU's memory: none."""
    return {}


def memory_summary(device=None, abbreviated=False):
    """A text about the GPU's memory: one line."""
    return f"no CUDA memory is in use: {_REASON}"


def memory_snapshot(mempool_id=None):
    """Blocks of GPU memory: none."""
    return []


def reset_peak_memory_stats(device=None):
    """Nothing to reset."""


reset_max_memory_allocated = reset_max_memory_cached = reset_accumulated_memory_stats = reset_peak_memory_stats


# ---- devices and streams: a negative index or None means "none", everything else needs a GPU

def _needs_device(name):
    def f(*args, **kwargs):
        raise NoCudaError(f"cuda.{name}: no CUDA device: {_REASON}")
    f.__name__, f.__doc__ = name, "Needs a device: raises NoCudaError here."
    return f


for _name in ("synchronize", "current_device", "get_device_name", "get_device_properties", "get_device_capability", "mem_get_info",
              "current_stream", "default_stream", "set_stream", "init", "ipc_collect", "utilization", "get_rng_state", "set_rng_state",
              "is_current_stream_capturing", "current_blas_handle", "set_per_process_memory_fraction", "cudart"):
    globals()[_name] = _needs_device(_name)


def _index(device):
    return -1 if device is None else device if isinstance(device, int) else _C.device(device).index or 0


def set_device(device):
    """Makes a GPU the current one: NoCudaError, unless the index is negative."""
    if _index(device) >= 0:
        _needs_device("set_device")()


class device:
    """A context with another current GPU: NoCudaError, unless the index is negative or None."""

    def __init__(self, device):
        self.idx = _index(device)

    def __enter__(self):
        if self.idx >= 0:
            _needs_device("device")()

    def __exit__(self, *exc):
        return None


class device_of(device):
    """A context on a tensor's GPU; tensors are on the CPU, so it does nothing."""

    def __init__(self, obj):
        super().__init__(obj.get_device() if obj.is_cuda else -1)


def stream(stream):
    """A context on a stream; None does nothing, and there are no others."""
    if stream is not None:
        _needs_device("stream")()
    return contextlib.nullcontext()


class Stream:
    """Needs a device: NoCudaError here."""

    def __new__(cls, *args, **kwargs):
        _needs_device(cls.__name__)()


class Event(Stream):
    """Needs a device: NoCudaError here."""


class ExternalStream(Stream):
    """Needs a device: NoCudaError here."""


class CUDAGraph(Stream):
    """Needs a device: NoCudaError here."""


StreamContext = stream


class _Typed(type):
    """The class of the old constructors on a GPU: no tensor is an instance, and there is no making one."""

    def __instancecheck__(cls, obj):
        return False

    def __call__(cls, *args, **kwargs):
        raise TypeError(f"type tapegrad.cuda.{cls.__name__} not available: {_REASON}")


for _name in ("Bool", "Byte", "Char", "Short", "Int", "Long", "Half", "BFloat16", "Float", "Double"):
    _name += "Tensor"
    globals()[_name] = _Typed(_name, (), {"__doc__": f"{_name} on a GPU: TypeError here.", "__module__": __name__})


def __getattr__(name):
    from .._compat import missing
    raise missing(__name__, name)
