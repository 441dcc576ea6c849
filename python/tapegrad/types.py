"""Names for annotations."""
import os
from typing import IO

from . import _C

Tensor, Device, Number = _C.Tensor, _C.device | str | int | None, int | float | bool
_size = _C.Size | list[int] | tuple[int, ...]
FileLike = str | os.PathLike | IO[bytes]
