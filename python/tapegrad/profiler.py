"""Times of named ranges. `profile` keeps what `record_function` marks; single ops are not recorded (use `perf`, docs/install.md).

    with profile() as prof:
        with record_function("forward"):
            model(x)
    print(prof.key_averages().table())
"""
import contextlib
import functools
import json
import os
import socket
import time
from enum import Enum

__all__ = ["profile", "record_function", "schedule", "tensorboard_trace_handler", "ProfilerActivity", "ProfilerAction",
           "supported_activities", "kineto_available"]


class ProfilerActivity(Enum):
    """What to profile; there is only the CPU."""
    CPU, CUDA, XPU, MTIA, HPU, PrivateUse1 = range(6)


class ProfilerAction(Enum):
    """What a step of a schedule does."""
    NONE, WARMUP, RECORD, RECORD_AND_SAVE = range(4)


def supported_activities():
    """{ProfilerActivity.CPU}."""
    return {ProfilerActivity.CPU}


def kineto_available():
    """False: its library is not used."""
    return False


_active = []  # running profiles


class record_function(contextlib.ContextDecorator):
    """Marks a range of time with a name; a running profile keeps it."""

    def __init__(self, name, args=None):
        self.name, self.args = name, args

    def __call__(self, f):
        @functools.wraps(f)
        def wrapped(*args, **kwargs):
            with record_function(self.name, self.args):
                return f(*args, **kwargs)
        return wrapped

    def __enter__(self):
        self.start = time.perf_counter_ns()
        return self

    def __exit__(self, *exc):
        end = time.perf_counter_ns()
        for p in _active:
            p._add(self.name, self.start, end)


def schedule(*, wait, warmup, active, repeat=0, skip_first=0, skip_first_wait=0):
    """From a step's number to what it does: wait steps of nothing, warmup steps, active ones that are recorded; over again."""
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


class Range:
    """All ranges of one name: count, cpu_time_total and cpu_time in microseconds."""

    def __init__(self, key):
        self.key, self.count, self.cpu_time_total = key, 0, 0.0

    @property
    def cpu_time(self):
        """The mean."""
        return self.cpu_time_total / max(self.count, 1)


class RangeList(list):
    """What key_averages() gives."""

    def table(self, sort_by=None, row_limit=100, **options):
        """A text table, the longest first."""
        rows = sorted(self, key=lambda r: -getattr(r, sort_by if sort_by in ("count", "cpu_time") else "cpu_time_total"))[:row_limit]
        width = max([len(r.key) for r in rows] + [4])
        line = "-" * (width + 45)
        text = [line, f"{'Name':<{width}}  {'CPU total':>13}  {'CPU time avg':>13}  {'# of Calls':>11}", line]
        text += [f"{r.key:<{width}}  {_time(r.cpu_time_total):>13}  {_time(r.cpu_time):>13}  {r.count:>11}" for r in rows]
        return "\n".join([*text, line]) + "\n"

    __str__ = table

    def total_average(self):
        """All ranges together."""
        out = Range("Total")
        for r in self:
            out.count, out.cpu_time_total = out.count + r.count, out.cpu_time_total + r.cpu_time_total
        return out


def _time(us):
    return f"{us / 1e6:.3f}s" if us >= 1e6 else f"{us / 1e3:.3f}ms" if us >= 1e3 else f"{us:.3f}us"


class profile:
    """Keeps the ranges that record_function marks while it runs.

    Args:
        schedule: from step() numbers to ProfilerAction; without one everything is kept.
        on_trace_ready: called with the profile when a schedule's active steps, or the whole, are done.
        The other arguments are accepted and mean nothing here.
    """

    def __init__(self, *, activities=None, schedule=None, on_trace_ready=None, record_shapes=False, profile_memory=False, with_stack=False,
                 with_flops=False, with_modules=False, experimental_config=None, execution_trace_observer=None, acc_events=False,
                 use_cuda=None, custom_trace_id_callback=None):
        self.schedule, self.on_trace_ready, self.step_num, self._ranges = schedule, on_trace_ready, 0, []
        self.current_action = ProfilerAction.RECORD_AND_SAVE if schedule is None else schedule(0)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def start(self):
        """Begins to keep ranges."""
        _active.append(self)
        self._step_start = time.perf_counter_ns()

    def stop(self):
        """Ends; calls on_trace_ready if recorded ranges wait for it."""
        _active.remove(self)
        if self.on_trace_ready and self.current_action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE):
            self.on_trace_ready(self)

    def step(self):
        """The next step of the schedule begins."""
        now = time.perf_counter_ns()
        if self.schedule is not None:
            self._add(f"ProfilerStep#{self.step_num}", self._step_start, now)
        before, self._step_start = self.current_action, now
        self.step_num += 1
        if self.schedule is None:
            return
        self.current_action = self.schedule(self.step_num)
        if before is ProfilerAction.RECORD_AND_SAVE:
            if self.on_trace_ready:
                self.on_trace_ready(self)
            self._ranges = []

    def _add(self, name, start, end):
        if self.current_action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE):
            self._ranges.append((name, start, end))

    def events(self):
        """The ranges: (name, start, end) in nanoseconds."""
        return list(self._ranges)

    def key_averages(self, group_by_input_shape=False, group_by_stack_n=0, group_by_overload_name=False):
        """Ranges by name."""
        out = {}
        for name, start, end in self._ranges:
            r = out.setdefault(name, Range(name))
            r.count, r.cpu_time_total = r.count + 1, r.cpu_time_total + (end - start) / 1e3
        return RangeList(out.values())

    def export_chrome_trace(self, path):
        """Writes the ranges as a trace that chrome://tracing and Perfetto read; gzip if the name ends in .gz."""
        events = [{"name": n, "ph": "X", "ts": s / 1e3, "dur": (e - s) / 1e3, "pid": os.getpid(), "tid": 0} for n, s, e in self._ranges]
        if str(path).endswith(".gz"):
            import gzip
            with gzip.open(path, "wt") as f:
                json.dump({"traceEvents": events}, f)
        else:
            with open(path, "w") as f:
                json.dump({"traceEvents": events}, f)
