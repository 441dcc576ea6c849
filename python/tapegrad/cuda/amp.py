"""The old names of mixed precision on a GPU: amp.autocast("cuda") and amp.GradScaler("cuda")."""
import functools

from .. import _C
from .. import amp as _amp
from ..amp import grad_scaler  # noqa: F401

custom_fwd = functools.partial(_amp.custom_fwd, device_type="cuda")
custom_bwd = functools.partial(_amp.custom_bwd, device_type="cuda")


class autocast(_amp.autocast):
    """amp.autocast("cuda"), which without a GPU warns and does nothing."""

    def __init__(self, enabled=True, dtype=_C.float16, cache_enabled=True):
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(_amp.GradScaler):
    """amp.GradScaler("cuda"), which without a GPU warns and does nothing."""

    def __init__(self, init_scale=2.0 ** 16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True):
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
