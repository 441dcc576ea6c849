"""Names for annotations."""
from typing import Any, List, Sequence, Tuple, Union  # noqa: F401

from . import _C

Tensor, Device, Number = _C.Tensor, Union[_C.device, str, int, None], Union[int, float, bool]
_size = Union[_C.Size, List[int], Tuple[int, ...]]
