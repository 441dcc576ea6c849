"""Exchange of memory with other libraries by DLPack."""
from .. import _C

from_dlpack = _C.from_dlpack


def to_dlpack(tensor):
    """A capsule over the tensor's memory, for one taker."""
    return tensor.__dlpack__()
