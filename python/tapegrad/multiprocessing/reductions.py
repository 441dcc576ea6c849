"""How tensors are pickled for another process: as a file descriptor of their memory, and sizes, strides and offset."""
from multiprocessing.context import get_spawning_popen
from multiprocessing.reduction import DupFd, ForkingPickler

from .. import _C
from ..nn.parameter import Buffer, Parameter

__all__ = ["register", "reduce_tensor", "rebuild_tensor"]


def reduce_tensor(tensor):
    """What ForkingPickler asks for. RuntimeError for results of recorded operations, whose history cannot go along."""
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError("a tensor with history cannot be sent to another process, where its gradient would not know the way back; "
                           "send x.detach()")
    if tensor.numel() == 0 or tensor.device.type != "cpu":
        return tensor.__reduce_ex__(2)
    popen = get_spawning_popen()
    if _C.shared_fd(tensor) < 0:
        if popen is None or tensor.is_shared():
            tensor = _like(tensor, tensor.detach().clone())  # another thread may be using it, or its memory cannot move
        tensor.share_memory_()
    if popen is not None:  # its descriptors are passed on when all is pickled
        popen.__dict__.setdefault("sent_tensors", []).append(tensor)
    where = DupFd(_C.shared_fd(tensor)), tensor.untyped_storage().nbytes()
    return rebuild_tensor, (type(tensor), *where, tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.storage_offset(),
                            tensor.requires_grad, dict(tensor.__dict__))


def _like(tensor, data):
    """Data as a tensor of the class and with the attributes of another."""
    out = _C.make_subclass(type(tensor), data, tensor.requires_grad) if type(tensor) is not _C.Tensor else data
    out.__dict__.update(tensor.__dict__)
    return out if out.requires_grad == tensor.requires_grad else out.requires_grad_(tensor.requires_grad)


def rebuild_tensor(cls, descriptor, size, dtype, shape, stride, offset, requires_grad, attributes):
    """The tensor in the receiving process."""
    memory = _C.shared_map(descriptor.detach(), size, True)
    itemsize = dtype.itemsize
    data = memory[:size // itemsize * itemsize].view(dtype).as_strided(shape, stride, offset).detach()
    out = _C.make_subclass(cls, data, requires_grad) if cls is not _C.Tensor else data
    for name, value in attributes.items():
        setattr(out, name, value)
    return out.requires_grad_() if requires_grad else out


def register():
    """Teaches the standard library's pickler tensors."""
    for cls in (_C.Tensor, Parameter, Buffer):
        ForkingPickler.register(cls, reduce_tensor)
