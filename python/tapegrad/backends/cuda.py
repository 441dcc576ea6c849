"""CUDA's switches. Those of float32 products count; the others only remember what they are set to."""
import contextlib
from types import SimpleNamespace as _Space

from .. import _C
from ..settings import get_float32_matmul_precision, set_float32_matmul_precision

__all__ = ["is_built", "matmul", "sdp_kernel", "flash_sdp_enabled", "enable_flash_sdp", "mem_efficient_sdp_enabled",
           "enable_mem_efficient_sdp", "math_sdp_enabled", "enable_math_sdp", "cudnn_sdp_enabled", "enable_cudnn_sdp",
           "preferred_linalg_library", "preferred_blas_library"]


class _Matmul:
    """How matrices are multiplied. Sums of float16 and bfloat16 products are always made in float32, whatever is set here."""

    allow_fp16_reduced_precision_reduction = allow_bf16_reduced_precision_reduction = True
    allow_fp16_accumulation = False

    @property
    def allow_tf32(self):
        """May float32 products round their operands to TF32's 10 bits? The switch of set_float32_matmul_precision("high")."""
        return get_float32_matmul_precision() != "highest"

    @allow_tf32.setter
    def allow_tf32(self, allow):
        set_float32_matmul_precision("high" if allow else "highest")

    @property
    def fp32_precision(self):
        """"ieee", or "tf32" when that is allowed."""
        return "tf32" if self.allow_tf32 else "ieee"

    @fp32_precision.setter
    def fp32_precision(self, precision):
        if precision not in ("ieee", "tf32", "none"):
            raise RuntimeError(f"fp32_precision must be 'ieee' or 'tf32', got {precision!r}")
        self.allow_tf32 = precision == "tf32"


matmul = _Matmul()
cufft_plan_cache = _Space(size=0, max_size=0, clear=lambda: None)
_sdp = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built():
    """Was the package built with CUDA? Then the only reasons against it are the machine's."""
    return "no CUDA backend" not in _C._cuda.why_not()


def _switch(name):
    def enabled():
        return _sdp[name]

    def enable(enabled):
        _sdp[name] = bool(enabled)
    enabled.__doc__ = f"Is the {name} attention of a GPU allowed?"
    enable.__doc__ = f"Allows or forbids the {name} attention of a GPU."
    return enabled, enable


flash_sdp_enabled, enable_flash_sdp = _switch("flash")
mem_efficient_sdp_enabled, enable_mem_efficient_sdp = _switch("mem_efficient")
math_sdp_enabled, enable_math_sdp = _switch("math")
cudnn_sdp_enabled, enable_cudnn_sdp = _switch("cudnn")


@contextlib.contextmanager
def sdp_kernel(enable_flash=True, enable_math=True, enable_mem_efficient=True, enable_cudnn=True):
    """Within it the switches are as given. The CPU has one attention kernel, which they do not concern."""
    before = dict(_sdp)
    _sdp.update(flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn)
    try:
        yield {}
    finally:
        _sdp.update(before)


def preferred_linalg_library(backend=None):
    """"default": there is no choice."""
    return "default"


def preferred_blas_library(backend=None):
    """"default": there is no choice."""
    return "default"
