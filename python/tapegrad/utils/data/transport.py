"""Answers of worker processes: a pickle through the pipe, and the memory of each larger tensor as a file descriptor beside it.

The receiver maps the memory and closes the descriptor, so a program may keep any number of batches. Nothing has a name that could stay
behind when a process is killed.
"""
import io
import os
import pickle
import socket
import struct
import threading

from ... import _C
from ...nn.parameter import Buffer, Parameter

__all__ = ["send", "receive", "pack"]

_INLINE = 4096  # smaller tensors travel in the pickle: a mapping costs more
_DESCRIPTORS = 200  # in one message: the system allows 253
_arriving = threading.local()


class _Pickler(pickle.Pickler):
    def __init__(self, file, memories):
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.memories = memories

    def reducer_override(self, x):
        if type(x) not in (_C.Tensor, Parameter, Buffer):
            return NotImplemented
        if x.requires_grad and not x.is_leaf:
            raise RuntimeError("a tensor with history cannot be sent to another process; return x.detach() from the dataset or collate_fn")
        if x.nbytes < _INLINE:
            return NotImplemented
        stride = _C.empty_like(x).stride()  # dense strides are kept
        memory = _C.shared_empty(x.nbytes)
        memory.view(x.dtype).as_strided(x.shape, stride).copy_(x.detach())
        self.memories.append(memory)
        return _take, (len(self.memories) - 1, type(x), x.nbytes, x.dtype, tuple(x.shape), stride, x.requires_grad, dict(x.__dict__))


def _take(number, cls, size, dtype, shape, stride, requires_grad, attributes):
    fd, _arriving.descriptors[number] = _arriving.descriptors[number], None
    data = _C.shared_map(fd, size, False).view(dtype).as_strided(shape, stride).detach()
    out = data if cls is _C.Tensor else _C.make_subclass(cls, data, requires_grad)
    for name, value in attributes.items():
        setattr(out, name, value)
    return out.requires_grad_() if requires_grad else out


def pack(x):
    """(bytes, memories) of x, to send. Raises what pickling raises; then nothing has been sent."""
    file, memories = io.BytesIO(), []
    file.write(b"\0\0\0\0")
    _Pickler(file, memories).dump(x)
    file.seek(0)
    file.write(struct.pack("<I", len(memories)))
    return file.getbuffer(), memories


def send(conn, packed):
    """Sends what pack() gave through a connection of multiprocessing."""
    data, memories = packed
    conn.send_bytes(data)
    if memories:
        with socket.socket(fileno=os.dup(conn.fileno())) as s:
            for at in range(0, len(memories), _DESCRIPTORS):
                socket.send_fds(s, [b"m"], [_C.shared_fd(m) for m in memories[at:at + _DESCRIPTORS]])


def receive(conn):
    """The object that the other side has sent. EOFError when it died on the way."""
    data = conn.recv_bytes()
    count = struct.unpack_from("<I", data)[0]
    _arriving.descriptors = []
    try:
        if count:
            _receive_descriptors(conn, count)
        return pickle.loads(memoryview(data)[4:])
    finally:
        for fd in _arriving.descriptors:
            if fd is not None:
                os.close(fd)
        _arriving.descriptors = None


def _receive_descriptors(conn, count):
    with socket.socket(fileno=os.dup(conn.fileno())) as s:
        while len(_arriving.descriptors) < count:
            wanted = min(_DESCRIPTORS, count - len(_arriving.descriptors))
            message, descriptors, _, _ = socket.recv_fds(s, 1, wanted)
            _arriving.descriptors += descriptors
            if not message:
                raise EOFError
            if len(descriptors) != wanted:
                raise RuntimeError("DataLoader: no file descriptor is free to receive a batch (see ulimit -n)")
