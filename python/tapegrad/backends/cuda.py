"""CUDA's switches; there is no CUDA here, so they only remember what they are set to."""
import contextlib
from types import SimpleNamespace as _Space

__all__ = ["is_built", "matmul", "sdp_kernel", "flash_sdp_enabled", "enable_flash_sdp", "mem_efficient_sdp_enabled",
           "enable_mem_efficient_sdp", "math_sdp_enabled", "enable_math_sdp", "cudnn_sdp_enabled", "enable_cudnn_sdp",
           "preferred_linalg_library", "preferred_blas_library"]

matmul = _Space(allow_tf32=False, allow_fp16_reduced_precision_reduction=True, allow_bf16_reduced_precision_reduction=True,
                fp32_precision="none")
cufft_plan_cache = _Space(size=0, max_size=0, clear=lambda: None)
_sdp = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built():
    """Was the package built with CUDA?"""
    return False


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
