"""Switches of recording, under their second name."""
import contextlib

from .._C import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = ["no_grad", "enable_grad", "set_grad_enabled", "inference_mode", "set_multithreading_enabled"]


class set_multithreading_enabled(contextlib.nullcontext):
    """backward() runs its nodes on the thread that calls it: nothing to switch."""

    def __init__(self, mode):
        super().__init__()
        self.mode = mode
