"""Marks in the timeline of NVIDIA's profilers. Without a device, or when no profiler listens, they cost next to nothing."""
import contextlib

from .. import _C, cuda

__all__ = ["range_push", "range_pop", "mark", "range", "annotate"]

_cuda = _C._cuda
_depth = 0


def range_push(msg):
    """Begins a range within those begun before; returns how deep it lies."""
    global _depth
    if cuda.is_available():
        _cuda.range_push(msg)
    _depth += 1
    return _depth - 1


def range_pop():
    """Ends the innermost range; returns how deep it lay."""
    global _depth
    if cuda.is_available():
        _cuda.range_pop()
    _depth -= 1
    return _depth


def mark(msg):
    """A point in the timeline."""
    if cuda.is_available():
        _cuda.mark(msg)


@contextlib.contextmanager
def range(msg, *args, **kwargs):
    """A context, or a decorator, that is a range: its name is msg.format(*args, **kwargs)."""
    range_push(msg.format(*args, **kwargs))
    try:
        yield
    finally:
        range_pop()


annotate = range
