"""Process-wide switches: default device, precision, determinism, threads between ops; and `compile`, which changes nothing."""
import warnings

from . import _C

__all__ = ["compile", "set_default_device", "get_default_device", "get_device_module", "set_float32_matmul_precision",
           "get_float32_matmul_precision", "use_deterministic_algorithms", "are_deterministic_algorithms_enabled",
           "is_deterministic_algorithms_warn_only_enabled", "set_deterministic_debug_mode", "get_deterministic_debug_mode",
           "set_flush_denormal", "set_num_interop_threads", "get_num_interop_threads", "set_warn_always", "is_warn_always_enabled",
           "compiled_with_cxx11_abi", "has_lapack", "has_mkl", "has_openmp", "has_spectral", "init_num_threads", "is_vulkan_available",
           "legacy_contiguous_format"]

has_lapack, has_spectral = True, True  # linalg and fft are there, without these libraries
has_mkl, has_openmp = False, False
legacy_contiguous_format = _C.contiguous_format

_state = {"precision": "highest", "deterministic": False, "warn_only": False, "interop": 1, "warn_always": False}


def compile(model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None, disable=False, **others):
    """The function or module itself: there is no compiler, and it runs as it is. Also a decorator with arguments."""
    if model is None:
        return lambda f: f
    if not callable(model):
        raise RuntimeError(f"Unsupported model type {type(model)}")
    return model


def set_default_device(device):
    """Where factories (zeros, tensor, randn, nn.Linear …) put tensors: a device, None for the CPU, or "auto" for the first CUDA device
    where there is one and the CPU elsewhere."""
    if device == "auto":
        from . import cuda
        device = "cuda" if cuda.is_available() else "cpu"
    _C.set_default_device("cpu" if device is None else device)


def get_default_device():
    """Where factories put tensors."""
    return _C.get_default_device()


def get_device_module(device=None):
    """The module for a device's type: tapegrad.cpu, tapegrad.cuda."""
    import importlib
    kind = "cpu" if device is None else _C.device(device).type
    if kind not in ("cpu", "cuda"):
        raise RuntimeError(f"Invalid device_module name, got device_module '{kind}'")
    return importlib.import_module(f"{__package__}.{kind}")


def set_float32_matmul_precision(precision):
    """"highest": products of float32 are computed in float32. "high" and "medium" let CUDA round their operands to TF32's 10 bits."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"precision must be 'highest', 'high' or 'medium', got {precision!r}")
    _state["precision"] = precision
    _C._cuda.set_tf32(precision != "highest")


def get_float32_matmul_precision():
    """What set_float32_matmul_precision() was given last."""
    return _state["precision"]


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Kept: all results are the same for the same input and any number of threads anyway."""
    _state.update(deterministic=bool(mode), warn_only=bool(warn_only and mode))


def are_deterministic_algorithms_enabled():
    """What use_deterministic_algorithms() was given last."""
    return _state["deterministic"]


def is_deterministic_algorithms_warn_only_enabled():
    """And its warn_only."""
    return _state["warn_only"]


def set_deterministic_debug_mode(debug_mode):
    """0 or "default", 1 or "warn", 2 or "error": the old form of use_deterministic_algorithms()."""
    names = ("default", "warn", "error")
    if debug_mode not in (0, 1, 2, *names):
        raise RuntimeError(f"invalid value of debug_mode, expected 'default', 'warn' or 'error', but got {debug_mode}")
    level = names.index(debug_mode) if isinstance(debug_mode, str) else debug_mode
    use_deterministic_algorithms(level > 0, warn_only=level == 1)


def get_deterministic_debug_mode():
    """0, 1 or 2."""
    return 0 if not _state["deterministic"] else 1 if _state["warn_only"] else 2


def set_flush_denormal(mode):
    """False: denormal numbers are always computed with."""
    return False


def set_num_interop_threads(n):
    """Kept: ops run one after another."""
    if not isinstance(n, int) or n < 1:
        raise RuntimeError(f"set_num_interop_threads expects a positive integer, got {n!r}")
    _state["interop"] = n


def get_num_interop_threads():
    """What set_num_interop_threads() was given last."""
    return _state["interop"]


def set_warn_always(b):
    """Shall a warning be shown each time it arises?"""
    _state["warn_always"] = bool(b)
    if b:
        warnings.filterwarnings("always", module="tapegrad")


def is_warn_always_enabled():
    """What set_warn_always() was given last."""
    return _state["warn_always"]


def init_num_threads():
    """Nothing to do: the number of threads is set from the start."""


def is_vulkan_available():
    """False."""
    return False


def compiled_with_cxx11_abi():
    """True."""
    return True
