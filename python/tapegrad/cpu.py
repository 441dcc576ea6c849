"""The CPU seen as a device: streams and events do nothing, work is done when a call returns."""
import contextlib
import os

__all__ = ["is_available", "is_initialized", "device_count", "current_device", "set_device", "synchronize", "current_stream", "stream",
           "Stream", "StreamContext", "Event", "get_capabilities"]


class Stream:
    """A stand-in for a stream; all work is already done."""

    def __init__(self, priority=-1):
        self.priority = priority

    def wait_stream(self, stream):
        """Nothing to wait for."""

    def record_event(self, event=None):
        """An event."""
        return Event() if event is None else event

    def wait_event(self, event):
        """Nothing to wait for."""

    def synchronize(self):
        """Nothing to wait for."""


class Event:
    """A stand-in for an event that has happened."""

    def query(self):
        """True."""
        return True

    def record(self, stream=None):
        """Nothing to record."""

    def synchronize(self):
        """Nothing to wait for."""

    def wait(self, stream=None):
        """Nothing to wait for."""


_current = Stream()


def is_available():
    """True."""
    return True


def is_initialized():
    """True."""
    return True


def device_count():
    """1."""
    return 1


def current_device():
    """"cpu"."""
    return "cpu"


def set_device(device):
    """Nothing to choose."""


def synchronize(device=None):
    """Nothing to wait for."""


def current_stream(device=None):
    """The stand-in stream."""
    return _current


class StreamContext(contextlib.nullcontext):
    """A context that does nothing."""


def stream(stream):
    """A context that does nothing."""
    return StreamContext(stream)


def get_capabilities():
    """What the processor is: its architecture and number of cores."""
    import platform
    return {"architecture": platform.machine(), "num_sockets": 1, "num_physical_cores": os.cpu_count()}
