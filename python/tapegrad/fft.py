"""Discrete Fourier transforms under PyTorch's names: the rows of the op table that are called "fft.…"."""
from . import _C

_functions = {name.partition(".")[2]: f for name, f in _C.functions.items() if name.startswith("fft.")}
globals().update(_functions)
__all__ = sorted(_functions)
