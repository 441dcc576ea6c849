"""autocast: ops of PyTorch's lists cast their arguments. The lists and casts are in python/src/autocast.cpp; this switches them."""
import functools
import warnings

from .. import _C

__all__ = ["autocast", "is_autocast_available", "is_autocast_enabled", "get_autocast_dtype", "set_autocast_enabled", "set_autocast_dtype",
           "is_autocast_cpu_enabled", "get_autocast_cpu_dtype", "get_autocast_gpu_dtype", "is_autocast_cache_enabled",
           "clear_autocast_cache", "custom_fwd", "custom_bwd", "set_autocast_cpu_enabled", "set_autocast_cpu_dtype",
           "set_autocast_gpu_dtype", "set_autocast_cache_enabled", "autocast_increment_nesting", "autocast_decrement_nesting"]

_cache, _nesting = True, 0


def _device(device_type, who):
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if device_type not in ("cpu", "cuda"):
        raise RuntimeError(f"{who}: device type {device_type!r} is not known; there are 'cpu' and 'cuda'")
    return device_type


def is_autocast_available(device_type):
    """Can autocast be asked for on the device?"""
    return device_type in ("cpu", "cuda")


def is_autocast_enabled(device_type="cuda"):
    """Is this thread within an autocast of the device?"""
    return _C.autocast_state(_device(device_type, "is_autocast_enabled") == "cuda")[0]


def get_autocast_dtype(device_type):
    """What it casts to: bfloat16 on the CPU, float16 on CUDA unless said otherwise."""
    return _C.autocast_state(_device(device_type, "get_autocast_dtype") == "cuda")[1]


def set_autocast_enabled(device_type, enabled=None):
    """Switches it without a `with`."""
    if enabled is None:
        device_type, enabled = "cuda", device_type
    on_cuda = _device(device_type, "set_autocast_enabled") == "cuda"
    if on_cuda and enabled and _C._cuda.why_not():
        raise RuntimeError("set_autocast_enabled: CUDA is not available")
    _C.set_autocast(on_cuda, enabled, _C.autocast_state(on_cuda)[1])


def set_autocast_dtype(device_type, dtype):
    """Sets what it casts to from now on."""
    on_cuda = _device(device_type, "set_autocast_dtype") == "cuda"
    _C.set_autocast(on_cuda, _C.autocast_state(on_cuda)[0], dtype)


def is_autocast_cpu_enabled():
    """is_autocast_enabled("cpu")."""
    return is_autocast_enabled("cpu")


def get_autocast_cpu_dtype():
    """get_autocast_dtype("cpu")."""
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype():
    """get_autocast_dtype("cuda")."""
    return get_autocast_dtype("cuda")


def set_autocast_cpu_enabled(enabled):
    """set_autocast_enabled("cpu", enabled)."""
    set_autocast_enabled("cpu", enabled)


def set_autocast_cpu_dtype(dtype):
    """set_autocast_dtype("cpu", dtype)."""
    set_autocast_dtype("cpu", dtype)


def set_autocast_gpu_dtype(dtype):
    """set_autocast_dtype("cuda", dtype)."""
    set_autocast_dtype("cuda", dtype)


def is_autocast_cache_enabled():
    """What set_autocast_cache_enabled() was given last; no cast is kept either way."""
    return _cache


def set_autocast_cache_enabled(enabled):
    """Kept, without effect: casts of parameters are made anew."""
    global _cache
    _cache = bool(enabled)


def autocast_increment_nesting():
    """Counts one autocast more, for programs that enter it by hand."""
    global _nesting
    _nesting += 1
    return _nesting


def autocast_decrement_nesting():
    """And one less."""
    global _nesting
    _nesting -= 1
    return _nesting


def clear_autocast_cache():
    """Nothing to forget."""


class autocast:
    """with autocast("cpu") or autocast("cuda"): matrix products, linear, convolutions, attention and recurrent layers compute in dtype.

    It is bfloat16 on the CPU and float16 on CUDA unless given (bfloat16 needs no GradScaler).
    float32 tensors are cast on the way into those ops, gradients on the way back; parameters stay as they are. Losses and other ops that
    lose too much go to float32, cat and stack to the widest of their tensors, all else follows its arguments. float64 is never cast. It may
    be nested, used as a decorator, and switched off inside by enabled=False. Without a GPU autocast("cuda") warns and does nothing.
    """

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        self.device = _device(device_type, "autocast")
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        self._enabled, self._before = bool(enabled), []
        if not isinstance(self.fast_dtype, _C.dtype):
            raise TypeError(f"autocast: dtype must be a tapegrad.dtype, not {type(dtype).__name__}")
        if self._enabled and device_type == "cuda" and _C._cuda.why_not():
            warnings.warn("User provided device_type of 'cuda', but CUDA is not available. Disabling", stacklevel=2)
            self._enabled = False
        elif self._enabled and self.fast_dtype not in (_C.bfloat16, _C.float16):
            kind = device_type.upper()
            warnings.warn(f"In {kind} autocast, but the target dtype is not supported. Disabling autocast.\n{kind} Autocast only supports "
                          f"dtype of bfloat16, float16 currently, got {self.fast_dtype}.", stacklevel=2)
            self._enabled = False

    def __enter__(self):
        on_cuda = self.device == "cuda"
        self._before.append(_C.set_autocast(on_cuda, self._enabled, self.fast_dtype if self._enabled else _C.autocast_state(on_cuda)[1]))
        return self

    def __exit__(self, *exc):
        _C.set_autocast(self.device == "cuda", *self._before.pop())
        return False

    def __call__(self, func):
        @functools.wraps(func)
        def decorated(*args, **kwargs):
            with autocast(self.device, self.fast_dtype, self._enabled):  # one for each call: calls may overlap in threads
                return func(*args, **kwargs)
        return decorated


def _cast(value, dtype):
    if isinstance(value, _C.Tensor):
        return value.to(dtype) if value.is_floating_point() and value.dtype != _C.float64 else value
    if isinstance(value, dict):
        return {_cast(k, dtype): _cast(v, dtype) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_cast(v, dtype) for v in value)
    return value


def custom_fwd(fwd=None, *, device_type, cast_inputs=None):
    """For the forward of an autograd.Function: with cast_inputs it runs without autocast on inputs of that dtype when autocast is on."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    _device(device_type, "custom_fwd")

    @functools.wraps(fwd)
    def decorated(ctx, *args, **kwargs):
        on = is_autocast_enabled(device_type)
        ctx._dtype, ctx._fwd_used_autocast = get_autocast_dtype(device_type), on and cast_inputs is None
        if not on or cast_inputs is None:
            return fwd(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            return fwd(ctx, *_cast(args, cast_inputs), **_cast(kwargs, cast_inputs))
    return decorated


def custom_bwd(bwd=None, *, device_type):
    """For the backward of a Function with custom_fwd: it runs in the autocast of its forward."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    _device(device_type, "custom_bwd")

    @functools.wraps(bwd)
    def decorated(ctx, *args, **kwargs):
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(ctx, *args, **kwargs)
    return decorated
