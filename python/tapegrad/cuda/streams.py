"""Streams: lines of work on a device that run beside each other. Events: points in them."""
from .. import _C, cuda

_cuda = _C._cuda


class Stream:
    """A line of work of a device, from a pool of its streams.

    Args:
        device: whose (default: the current one). priority: negative before others.
    """

    def __init__(self, device=None, priority=0, **others):
        self.device_index = cuda._index(device, "Stream")
        self.cuda_stream = others.get("stream_ptr") or _cuda.new_stream(self.device_index, priority)
        self.priority = priority

    @classmethod
    def _at(cls, device_index, address):
        s = cls.__new__(cls)
        s.device_index, s.cuda_stream, s.priority = device_index, address, 0
        return s

    @property
    def device(self):
        """Its device."""
        return _C.device("cuda", self.device_index)

    stream_id = property(lambda self: self.cuda_stream, doc="A number of its own.")
    _as_parameter_ = property(lambda self: __import__("ctypes").c_void_p(self.cuda_stream))

    def query(self):
        """Is all its work done?"""
        return _cuda.stream_done(self.device_index, self.cuda_stream)

    def synchronize(self):
        """Waits until all its work is done."""
        _cuda.stream_synchronize(self.device_index, self.cuda_stream)

    def record_event(self, event=None):
        """Puts an event behind what it has been given; returns the event."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event):
        """What it is given from now on begins after the event."""
        event.wait(self)

    def wait_stream(self, stream):
        """What it is given from now on begins after what the other stream has now been given."""
        self.wait_event(stream.record_event())

    def __enter__(self):
        self._context = StreamContext(self)
        return self._context.__enter__() or self

    def __exit__(self, *exc):
        return self._context.__exit__(*exc)

    def __eq__(self, other):
        return isinstance(other, Stream) and (self.device_index, self.cuda_stream) == (other.device_index, other.cuda_stream)

    def __hash__(self):
        return hash((self.device_index, self.cuda_stream))

    def __repr__(self):
        return f"<tapegrad.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


class ExternalStream(Stream):
    """A stream that another library has made, by its address."""

    def __init__(self, stream_ptr, device=None, **others):
        super().__init__(device, stream_ptr=stream_ptr)


class Event:
    """A point in a stream's work. With enable_timing the time between two of them can be read."""

    def __init__(self, enable_timing=False, blocking=False, interprocess=False, external=False):
        cuda._need("Event")
        if interprocess:
            raise NotImplementedError("cuda.Event(interprocess=True) is not implemented; synchronize before another process reads")
        self._timing, self._made, self._device = bool(enable_timing), None, None

    @property
    def device(self):
        """Where it was recorded, or None."""
        return None if self._device is None else _C.device("cuda", self._device)

    @property
    def cuda_event(self):
        """Its address; 0 before it is recorded."""
        return self._made or 0

    def record(self, stream=None):
        """Puts it behind what the stream (default: the current one) has been given."""
        stream = current_stream() if stream is None else stream
        if self._made is not None and self._device != stream.device_index:
            raise RuntimeError(f"Event device cuda:{self._device} does not match recording stream's device cuda:{stream.device_index}.")
        if self._made is None:
            self._made, self._device = _cuda.new_event(stream.device_index, self._timing), stream.device_index
        _cuda.record_event(stream.device_index, stream.cuda_stream, self._made)

    def wait(self, stream=None):
        """What the stream (default: the current one) is given from now on begins after it."""
        if self._made is not None:
            stream = current_stream() if stream is None else stream
            _cuda.stream_wait(stream.device_index, stream.cuda_stream, self._made)

    def query(self):
        """Has it come?"""
        return self._made is None or _cuda.event_done(self._made)

    def synchronize(self):
        """Waits until it has come."""
        if self._made is not None:
            _cuda.event_synchronize(self._made)

    def elapsed_time(self, end_event):
        """Milliseconds from here to another event, both with enable_timing, recorded and done."""
        if not self._timing or not end_event._timing:
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self._made is None or end_event._made is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        return _cuda.event_ms(self._made, end_event._made)

    def __del__(self):
        if getattr(self, "_made", None) is not None:
            _cuda.free_event(self._made)

    def __repr__(self):
        return f"<tapegrad.cuda.Event {self.cuda_event:#x}>"


class StreamContext:
    """A context in which work goes to a stream; None changes nothing."""

    def __init__(self, stream):
        self.stream, self._before = stream, None
        if stream is not None:
            cuda._need("stream")

    def __enter__(self):
        s = self.stream
        if s is not None:
            self._before = _cuda.current_device(), _cuda.current_stream(s.device_index)
            _cuda.set_device(s.device_index)
            _cuda.set_stream(s.device_index, s.cuda_stream)

    def __exit__(self, *exc):
        if self._before is not None:
            device, stream = self._before
            _cuda.set_stream(self.stream.device_index, stream)
            _cuda.set_device(device)


def stream(stream):
    """A context in which work goes to a stream; None changes nothing."""
    return StreamContext(stream)


def current_stream(device=None):
    """The stream that this thread's work goes to."""
    index = cuda._index(device, "current_stream")
    return Stream._at(index, _cuda.current_stream(index))


def default_stream(device=None):
    """The stream that work goes to when nothing else is said."""
    index = cuda._index(device, "default_stream")
    return Stream._at(index, _cuda.default_stream(index))


def set_stream(stream):
    """Makes a stream the one that this thread's work goes to; None changes nothing."""
    if stream is not None:
        cuda._need("set_stream")
        _cuda.set_device(stream.device_index)
        _cuda.set_stream(stream.device_index, stream.cuda_stream)
