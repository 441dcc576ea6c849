"""Mixed precision: autocast lets matrix products, convolutions and attention compute in bfloat16; GradScaler is for float16 gradients."""
from .autocast_mode import (autocast, custom_bwd, custom_fwd, get_autocast_dtype, is_autocast_available, is_autocast_enabled)  # noqa: F401
from .grad_scaler import GradScaler  # noqa: F401
