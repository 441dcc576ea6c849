"""CUDA devices. Where there is none questions are answered, counters are 0, and what needs one raises NoCudaError saying why.

The CUDA part of the library is loaded when it is first asked for, and takes no memory of a device before a tensor is there.
"""
import functools
from types import SimpleNamespace as _Space

from .. import _C
from .._ops import lazy
from . import amp  # noqa: F401

OutOfMemoryError = _C.OutOfMemoryError
CudaError = AcceleratorError = RuntimeError
has_half, has_magma = True, False
_cuda = _C._cuda


class NoCudaError(AssertionError, RuntimeError):
    """There is no CUDA device. PyTorch raises AssertionError or RuntimeError, which this is, both."""


def is_available():
    """Can tensors live on a GPU?"""
    return not _cuda.why_not()


def why_not():
    """Why is_available() is False, in one sentence; empty when it is True."""
    return _cuda.why_not()


def summary():
    """A text for bug reports: the devices, the driver's memory, and which of NVIDIA's libraries are in use from where."""
    if not is_available():
        return f"CUDA: not available: {why_not()}"
    lines = []
    for k in range(device_count()):
        p, (free, total) = get_device_properties(k), _cuda.memory_info(k)
        lines.append(f"cuda:{k}: {p.name}, capability {p.major}.{p.minor}, {p.multi_processor_count} SMs, "
                     f"{free / 2 ** 30:.1f} of {total / 2 ** 30:.1f} GiB free")
    return "\n".join(lines + [f"  {line}" for line in _cuda.libraries().splitlines()])


def _need(name):
    """Raises NoCudaError in the name of a function where there is no device."""
    reason = _cuda.why_not()
    if reason:
        raise NoCudaError(f"cuda.{name}: no CUDA device: {reason}")


def _index(device, name, optional=True):
    """A device's number: of an int, a str, a device, or the current one for None."""
    _need(name)
    if device is None and optional:
        return _cuda.current_device()
    if not isinstance(device, int):
        device = _C.device(device)
        if device.type != "cuda":
            raise ValueError(f"Expected a cuda device, but got: {device}")
        device = _cuda.current_device() if device.index is None else device.index
    if not 0 <= device < _cuda.device_count():
        raise RuntimeError(f"cuda.{name}: there is no device cuda:{device}; there are {_cuda.device_count()}")
    return device


def device_count():
    """How many GPUs there are."""
    return _cuda.device_count() if is_available() else 0


def is_initialized():
    """Is the CUDA part of the library in use?"""
    return is_available()


def init():
    """Loads the CUDA part of the library; the first use does that, too."""
    _need("init")


def current_device():
    """The number of the device that work without one goes to."""
    return _index(None, "current_device")


def set_device(device):
    """Makes a GPU the current one; a negative number changes nothing."""
    if not (isinstance(device, int) and device < 0):
        _cuda.set_device(_index(device, "set_device"))


class device:
    """A context with another current GPU; None or a negative number changes nothing."""

    def __init__(self, device):
        self.idx = device if isinstance(device, int) else None if device is None else _index(device, "device")
        self.prev_idx = -1

    def __enter__(self):
        if self.idx is not None and self.idx >= 0:
            index = _index(self.idx, "device")
            self.prev_idx = _cuda.current_device()
            _cuda.set_device(index)

    def __exit__(self, *exc):
        if self.prev_idx >= 0:
            _cuda.set_device(self.prev_idx)
        return None


class device_of(device):
    """A context on a tensor's GPU; one on the CPU changes nothing."""

    def __init__(self, obj):
        super().__init__(obj.get_device() if obj.is_cuda else -1)


def synchronize(device=None):
    """Waits until all work given to the device is done."""
    _cuda.synchronize(_index(device, "synchronize"))


# ---- what a device is

class _Properties(_Space):
    """What a device is: name, major, minor, total_memory, multi_processor_count and more."""

    def __repr__(self):
        return (f"_CudaDeviceProperties(name='{self.name}', major={self.major}, minor={self.minor}, "
                f"total_memory={self.total_memory >> 20}MB, multi_processor_count={self.multi_processor_count}, uuid={self.uuid}, "
                f"pci_bus_id={self.pci_bus_id}, pci_device_id={self.pci_device_id}, pci_domain_id={self.pci_domain_id}, "
                f"L2_cache_size={self.L2_cache_size >> 20}MB)")


@functools.cache
def _properties(index):
    import uuid
    found = _cuda.properties(index)
    found["uuid"] = str(uuid.UUID(bytes=found["uuid"]))
    found["gcnArchName"] = f"sm_{found['major']}{found['minor']}"
    return _Properties(**found)


def get_device_properties(device=None):
    """What a device is: name, major, minor, total_memory, multi_processor_count and more."""
    return _properties(_index(device, "get_device_properties"))


def get_device_name(device=None):
    """The name of a device."""
    return _properties(_index(device, "get_device_name")).name


def get_device_capability(device=None):
    """(major, minor): 9, 0 for Hopper."""
    p = _properties(_index(device, "get_device_capability"))
    return p.major, p.minor


def can_device_access_peer(device, peer_device):
    """May kernels of a device read the memory of another?"""
    if not is_available():
        return False
    return _cuda.can_access_peer(_index(device, "can_device_access_peer"), _index(peer_device, "can_device_access_peer"))


def is_bf16_supported(including_emulation=True):
    """Does the GPU compute in bfloat16? By itself from capability 8.0 on."""
    return is_available() and (including_emulation or get_device_capability()[0] >= 8)


def is_tf32_supported():
    """Has the GPU TF32 products?"""
    return is_available() and get_device_capability()[0] >= 8


def get_arch_list():
    """Architectures of the devices."""
    return sorted({f"sm_{p.major}{p.minor}" for p in map(get_device_properties, range(device_count()))})


def get_gencode_flags():
    """nvcc's flags for them."""
    numbers = (arch[3:] for arch in get_arch_list())
    return " ".join(f"-gencode compute=compute_{n},code=sm_{n}" for n in numbers)


def clock_rate(device=None):
    """The highest clock of the device's processors in MHz."""
    return _properties(_index(device, "clock_rate")).clock_rate // 1000


def is_current_stream_capturing():
    """False: graphs are not captured."""
    _need("is_current_stream_capturing")
    return False


def ipc_collect():
    """Nothing to collect: device memory is not shared between processes."""
    _need("ipc_collect")


def get_sync_debug_mode():
    """0: nothing warns of waiting."""
    _need("get_sync_debug_mode")
    return 0


def _not_there(name, instead):
    def f(*args, **kwargs):
        _need(name)
        raise NotImplementedError(f"cuda.{name} is not implemented; {instead}")
    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"Raises NotImplementedError: {instead}."
    return f


set_sync_debug_mode = _not_there("set_sync_debug_mode", "run with TAPEGRAD_CUDA_SYNC=1 to have every op waited for")
cudart = _not_there("cudart", "the functions of tapegrad.cuda stand for what it is used for")
current_blas_handle = _not_there("current_blas_handle", "products go through cuBLASLt, whose handle is not shared")
_nvml = "run nvidia-smi"
utilization, memory_usage, temperature, power_draw, list_gpu_processes = (
    _not_there(name, _nvml) for name in ("utilization", "memory_usage", "temperature", "power_draw", "list_gpu_processes"))


class CUDAGraph:
    """Graphs of kernels are not captured: NotImplementedError."""

    def __new__(cls, *args, **kwargs):
        _need("CUDAGraph")
        raise NotImplementedError("cuda.CUDAGraph is not implemented; call the function itself")


class _Typed(type):
    """The class of the old constructors on a GPU: FloatTensor(…) makes a tensor there, and isinstance() asks for dtype and device."""

    def __instancecheck__(cls, obj):
        return isinstance(obj, _C.Tensor) and obj.is_cuda and obj.dtype == cls._dtype

    def __call__(cls, *args, **kwargs):
        if not is_available():
            raise TypeError(f"type tapegrad.cuda.{cls.__name__} not available: {why_not()}")
        from .. import creation
        return getattr(creation, cls.__name__)(*args, **kwargs).cuda()


for _name, _dtype in {"Bool": _C.bool, "Byte": _C.uint8, "Char": _C.int8, "Short": _C.int16, "Int": _C.int32, "Long": _C.int64,
                      "Half": _C.float16, "BFloat16": _C.bfloat16, "Float": _C.float32, "Double": _C.float64}.items():
    _name += "Tensor"
    globals()[_name] = _Typed(_name, (), {"__doc__": f"{_name} on a GPU.", "__module__": __name__, "_dtype": _dtype})

__getattr__, __dir__ = lazy(globals(), {
    "memory": ["empty_cache", "memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved", "memory_cached",
               "max_memory_cached", "memory_stats", "memory_stats_as_nested_dict", "memory_summary", "memory_snapshot", "mem_get_info",
               "device_memory_used", "reset_peak_memory_stats", "reset_max_memory_allocated", "reset_max_memory_cached",
               "reset_accumulated_memory_stats", "set_per_process_memory_fraction", "get_per_process_memory_fraction",
               "get_allocator_backend"],
    "streams": ["Stream", "Event", "ExternalStream", "StreamContext", "stream", "current_stream", "default_stream", "set_stream"],
    "random": ["manual_seed", "manual_seed_all", "seed", "seed_all", "initial_seed", "get_rng_state", "set_rng_state",
               "get_rng_state_all", "set_rng_state_all"],
    "nvtx": []})
