"""tapegrad: tensors, a tape, neural networks. The names and semantics are PyTorch's: `import tapegrad as torch` is the test.

The functions here are the C++ ones (`tapegrad._C`), one object each; `help(tapegrad.softmax)` shows signature and shapes.
"""
import math as _math
import os as _os

from . import _C
from ._C import (Generator, Size, Tensor, default_generator, device, dtype, enable_grad, get_default_dtype, inference_mode,  # noqa: F401
                 is_grad_enabled, is_inference_mode_enabled, memory_format, no_grad, set_default_dtype, set_grad_enabled)

_C.set_internal_prefix(_os.path.dirname(_os.path.abspath(__file__)))  # errors name the user's line, not ours

from ._ops import lazy  # noqa: E402
from .version import __version__  # noqa: E402,F401


def _export():
    """All of _C that is public: functions of the op table, dtypes, memory formats, errors, factories."""
    names = globals()
    for name, f in _C.functions.items():
        if not name.startswith("_") and "." not in name:
            names.setdefault(name, f)
    for name in dir(_C):
        if not name.startswith("_") and name not in ("functions", "functional"):
            names.setdefault(name, getattr(_C, name))


_export()
_addmm_activation = _C._addmm_activation  # PyTorch has it under this name

# Names that C++ and Python both have for a dtype win over builtins only as attributes of this module.
float, double, half, short, int, long, bool = (_C.float32, _C.float64, _C.float16, _C.int16, _C.int32, _C.int64, _C.bool)

pi, inf, nan, e, newaxis = _math.pi, _math.inf, _math.nan, _math.e, None

from .creation import (BFloat16Tensor, BoolTensor, ByteTensor, CharTensor, DoubleTensor, FloatTensor, HalfTensor,  # noqa: E402,F401
                       IntTensor, LongTensor, ShortTensor, dsmm, get_rng_state, initial_seed, is_nonzero, is_storage,
                       is_tensor, manual_seed, scalar_tensor, seed, set_default_tensor_type, set_rng_state, spmm, typename)
from .dtypes import can_cast, finfo, iinfo, promote_types, result_type  # noqa: E402,F401
from . import autograd, nn, optim, special, linalg, testing, utils  # noqa: E402,F401
from .settings import *  # noqa: E402,F401,F403
from . import accelerator, amp, cuda, random, types  # noqa: E402,F401
from .amp.autocast_mode import (autocast, autocast_decrement_nesting, autocast_increment_nesting, clear_autocast_cache,  # noqa: E402,F401
                                get_autocast_cpu_dtype, get_autocast_dtype, get_autocast_gpu_dtype, is_autocast_available,
                                is_autocast_cache_enabled, is_autocast_cpu_enabled, is_autocast_enabled, set_autocast_cache_enabled,
                                set_autocast_cpu_dtype, set_autocast_cpu_enabled, set_autocast_dtype, set_autocast_enabled,
                                set_autocast_gpu_dtype)
from .autograd import is_anomaly_check_nan_enabled, set_anomaly_enabled  # noqa: E402,F401
from .amp.grad_scaler import GradScaler, _amp_foreach_non_finite_check_and_unscale_  # noqa: E402,F401
from .positional import *  # noqa: E402,F401,F403
from .functional import *  # noqa: E402,F401,F403
from . import legacy  # noqa: E402,F401  (methods of Tensor)
from .legacy import *  # noqa: E402,F401,F403
from .serialization import load, save  # noqa: E402,F401

# What is imported when first asked for. (CPython does not specialise attribute loads of modules that define __getattr__; PyTorch's has
# one too, so a look-up costs the same.)
__getattr__, __dir__ = lazy(globals(), {
    "__config__": [], "array_api": [], "backends": [], "checkpoint": [], "compiler": [], "cpu": [], "datasets": [], "distributed": [],
    "distributions": [], "fft": [], "func": ["vmap"], "jit": ["fork", "wait"], "lowrank": ["lobpcg", "pca_lowrank", "svd_lowrank"],
    "memory": [], "multiprocessing": [], "profiler": [], "safetensors": [], "signal": [], "viz": ["tape"]})
