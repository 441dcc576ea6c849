"""Linear algebra under PyTorch's names: the rows of the op table that are called "linalg.…"."""
from . import _C

LinAlgError = _C.LinAlgError
_functions = {name.partition(".")[2]: f for name, f in _C.functions.items() if name.startswith("linalg.")}
globals().update(_functions)
__all__ = ["LinAlgError", *sorted(_functions)]
