"""The default generator's state, and keeping it."""
import contextlib

from . import _C
from .creation import get_rng_state, initial_seed, manual_seed, seed, set_rng_state  # noqa: F401


@contextlib.contextmanager
def fork_rng(devices=None, enabled=True, device_type="cuda"):
    """Within it random numbers are drawn as always; afterwards the generator is where it was before."""
    state = _C.default_generator.get_state() if enabled else None
    try:
        yield
    finally:
        if enabled:
            _C.default_generator.set_state(state)
