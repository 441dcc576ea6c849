"""What a program spends its time on: ops, nodes of the tape, named ranges, with PyTorch's API.

    with profile(record_shapes=True) as prof:
        with record_function("forward"):
            loss = model(x).sum()
        loss.backward()
    print(prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=10))
    prof.export_chrome_trace("trace.json")     # for ui.perfetto.dev
    prof.export_step_picture("step.html")

Only ops are timed, and only while a profile runs (docs/insight.md has the cost). Times are of the wall clock, as PyTorch's.
"""
import contextlib
import functools
import json
import os
import socket
import time
from enum import Enum

from . import _C

__all__ = ["profile", "record_function", "schedule", "tensorboard_trace_handler", "ProfilerActivity", "ProfilerAction",
           "supported_activities", "kineto_available"]


class ProfilerActivity(Enum):
    """What to profile; there is only the CPU."""
    CPU, CUDA, XPU, MTIA, HPU, PrivateUse1 = range(6)


class ProfilerAction(Enum):
    """What a step of a schedule does."""
    NONE, WARMUP, RECORD, RECORD_AND_SAVE = range(4)


_RECORDS = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities():
    """{ProfilerActivity.CPU}."""
    return {ProfilerActivity.CPU}


def kineto_available():
    """False: its library is not used."""
    return False


class record_function(contextlib.ContextDecorator):
    """Marks a range of time with a name; running profiles keep it."""

    def __init__(self, name, args=None):
        self.name, self.args = name, args

    def __call__(self, f):
        @functools.wraps(f)
        def wrapped(*args, **kwargs):
            with record_function(self.name, self.args):
                return f(*args, **kwargs)
        return wrapped

    def __enter__(self):
        _C._profile_enter(self.name, self)
        return self

    def __exit__(self, *exc):
        _C._profile_exit(self)


def schedule(*, wait, warmup, active, repeat=0, skip_first=0, skip_first_wait=0):
    """From a step's number to what it does: wait steps of nothing, warmup steps, active ones that are recorded; over again."""
    numbers = dict(wait=wait, warmup=warmup, active=active, repeat=repeat, skip_first=skip_first)
    if active < 1 or min(numbers.values()) < 0:
        raise AssertionError("Invalid profiler schedule arguments: active must be at least 1 and the others at least 0, got "
                             + ", ".join(f"{name}={n}" for name, n in numbers.items()))

    def action(step):
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        length = wait + warmup + active
        if repeat > 0 and step // length >= repeat:
            return ProfilerAction.NONE
        at = step % length
        if at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if at < length - 1 else ProfilerAction.RECORD_AND_SAVE
    return action


def tensorboard_trace_handler(dir_name, worker_name=None, use_gzip=False):
    """An on_trace_ready that writes a trace into a folder."""
    def handler(prof):
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        prof.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json" + (".gz" if use_gzip else "")))
    return handler


class profile:
    """Records the ops of all threads while it runs.

    Args:
        schedule: from step() numbers to ProfilerAction; without one everything is kept.
        on_trace_ready: called with the profile when a schedule's active steps, or the whole, are done.
        record_shapes: keep the shapes of the tensors that ops called from Python, and nodes, were given.
        profile_memory: show the memory that ops took and gave back, in blocks of more than 512 bytes.
        with_stack: keep the Python stack of each op.
        The others are accepted and mean nothing here; modules are always kept.
    """

    def __init__(self, *, activities=None, schedule=None, on_trace_ready=None, record_shapes=False, profile_memory=False, with_stack=False,
                 with_flops=False, with_modules=False, experimental_config=None, execution_trace_observer=None, acc_events=False,
                 use_cuda=None, custom_trace_id_callback=None):
        self.activities = set(activities) if activities is not None else supported_activities()
        self.schedule, self.on_trace_ready, self.step_num = schedule, on_trace_ready, 0
        self.record_shapes, self.profile_memory, self.with_stack = record_shapes, profile_memory, with_stack
        self.with_flops, self.with_modules, self.custom_trace_id_callback = with_flops, with_modules, custom_trace_id_callback
        self.acc_events = acc_events
        self.current_action = ProfilerAction.RECORD_AND_SAVE if schedule is None else schedule(0)
        self._recorder = self._step = self._events = None
        self._metadata, self._trace_id, self._wanted = {}, "", True

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def start(self):
        """Begins to record, or to follow the schedule."""
        self._transit(None, self.current_action)
        self._begin_step()

    def stop(self):
        """Ends; calls on_trace_ready if recorded events wait for it."""
        if self.current_action in _RECORDS and self._recorder is None:
            raise RuntimeError("profile: stop() of a profile that was not started")
        self._end_step()
        self._transit(self.current_action, None)

    def step(self):
        """The next step of the schedule begins."""
        self._end_step()
        before = self.current_action
        self.step_num += 1
        if self.schedule is not None:
            self.current_action = self.schedule(self.step_num)
            self._transit(before, self.current_action)
        self._begin_step()

    def _begin_step(self):
        if self.schedule is not None:
            self._step = record_function(f"ProfilerStep#{self.step_num}").__enter__()

    def _end_step(self):
        if self._step is not None:
            self._step.__exit__()
            self._step = None

    def _transit(self, before, now):
        if before in _RECORDS and (now not in _RECORDS or before is ProfilerAction.RECORD_AND_SAVE):
            self._end()
            if self.on_trace_ready:
                self.on_trace_ready(self)
        if now in _RECORDS and self._recorder is None:
            self._recorder = _C._profile_new(bool(self.record_shapes), bool(self.with_stack))
            self._trace_id = self.custom_trace_id_callback() if self.custom_trace_id_callback else f"{time.time_ns():032X}"
            if self._wanted:
                _C._profile_start(self._recorder)

    def _end(self):
        from .profiler_events import events_of
        rows = _C._profile_stop(self._recorder)
        before = self._events if self.acc_events and self._events else []
        self._events = events_of(rows, self.profile_memory, before)
        self._recorder = None

    def toggle_collection_dynamic(self, enable, activities):
        """Stops or goes on recording within a trace."""
        self._wanted = bool(enable)
        if self._recorder is not None:
            raise NotImplementedError("toggle_collection_dynamic: a trace cannot be interrupted; use a schedule, or two profiles")

    def events(self):
        """All events, an EventList."""
        if self._events is None:
            raise RuntimeError("Profiler didn't finish running: nothing has been recorded to its end yet")
        return self._events

    def key_averages(self, group_by_input_shape=False, group_by_stack_n=0, group_by_overload_name=False, group_by_line=False):
        """Events by name (and by shapes, innermost stack frames, or line and module), an EventList of sums."""
        return self.events().key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name, group_by_line)

    def export_chrome_trace(self, path):
        """Writes a trace that Perfetto and chrome://tracing read; gzip if the name ends in .gz."""
        self.events().export_chrome_trace(path, self._metadata)

    def export_stacks(self, path, metric="self_cpu_time_total"):
        """Writes the stacks with their time in microseconds, as flame graph tools read them. Needs with_stack=True."""
        if not self.with_stack:
            raise RuntimeError("export_stacks() needs a profile made with_stack=True")
        self.events().export_stacks(path, metric)

    def export_step_picture(self, path):
        """Writes an HTML page: the last step (or all) as bars on lanes for forward, backward and optimizer."""
        self.events().export_step_picture(path)

    def export_memory_timeline(self, path, device=None):
        """Not here: see tapegrad.memory.timeline()."""
        raise NotImplementedError("export_memory_timeline: use tapegrad.memory.record() and tapegrad.memory.timeline(path)")

    # ---- metadata of the trace

    def add_metadata(self, key, value):
        """A text that the trace carries."""
        self._metadata[key] = value

    def add_metadata_json(self, key, value):
        """The same; `value` is JSON."""
        self._metadata[key] = json.loads(value)

    def preset_metadata_json(self, key, value):
        """The same, before the start."""
        self.add_metadata_json(key, value)

    def get_trace_id(self):
        """The running or last trace's."""
        return self._trace_id

    def set_custom_trace_id_callback(self, callback):
        """`callback()` names the traces from now on."""
        self.custom_trace_id_callback = callback
