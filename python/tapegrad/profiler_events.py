"""The events of a profile, their sums by name, and what is made of them: tables, traces, stacks, the picture of a step."""
import gzip
import json
import os
from operator import attrgetter

__all__ = ["EventList", "FunctionEvent", "FunctionEventAvg", "Interval", "events_of"]

OP, NODE, RANGE = range(3)


class Interval:
    """start and end in microseconds."""
    __slots__ = ("start", "end")

    def __init__(self, start, end):
        self.start, self.end = start, end

    def elapsed_us(self):
        """Its length."""
        return self.end - self.start


def time_text(us):
    """1.234ms"""
    return f"{us / 1e6:.3f}s" if us >= 1e6 else f"{us / 1e3:.3f}ms" if us >= 1e3 else f"{us:.3f}us"


def memory_text(n):
    """1.50 MB"""
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if abs(n) >= size:
            return f"{n / size:.2f} {unit}"
    return f"{n} B"


class _Timed:
    """What events and their sums have in common. There are no times of other devices: those are 0."""
    device_time_total = self_device_time_total = device_memory_usage = self_device_memory_usage = device_time = 0
    cuda_time_total = self_cuda_time_total = cuda_time = flops = 0
    is_async = is_remote = is_legacy = False
    use_device, overload_name, node_id, device_type, scope = None, "", 0, "CPU", 0

    @property
    def cpu_time(self):
        """The mean, in microseconds."""
        return self.cpu_time_total / max(self.count, 1)

    cpu_time_str = property(lambda self: time_text(self.cpu_time))
    cpu_time_total_str = property(lambda self: time_text(self.cpu_time_total))
    self_cpu_time_total_str = property(lambda self: time_text(self.self_cpu_time_total))


class FunctionEvent(_Timed):
    """One op, node or range that ran once. `line` is where Python (or C++) called it: of a node, where its forward was called.
    `maker` is the event of the op that recorded a node."""
    count, kernels = 1, ()

    def __init__(self, number, row):
        name, start, end, bytes_, parent, thread, sequence, kind, line, module, shapes, stack, maker = row
        self.id, self.name, self.key, self.trace_name = number, name, name, name
        self.time_range = Interval(start / 1e3, end / 1e3)
        self.thread, self.sequence_nr, self.kind, self.line, self.module = thread, int(sequence) or -1, kind, line, module
        self.cpu_memory_usage = bytes_
        self.input_shapes = json.loads(shapes) if shapes else []
        self.stack = stack.split("\n") if stack else []
        self.is_user_annotation = kind == RANGE
        self.cpu_parent, self.cpu_children, self.maker = parent, [], maker

    @property
    def cpu_time_total(self):
        """Microseconds, those inside included."""
        return self.time_range.end - self.time_range.start

    @property
    def self_cpu_time_total(self):
        """Microseconds, without the events inside."""
        return max(self.cpu_time_total - sum(c.cpu_time_total for c in self.cpu_children), 0.0)

    @property
    def self_cpu_memory_usage(self):
        """Bytes, without those of the events inside."""
        return self.cpu_memory_usage - sum(c.cpu_memory_usage for c in self.cpu_children)

    def __repr__(self):
        return f"<FunctionEvent {self.name} {time_text(self.cpu_time_total)} at {self.line or '?'}>"


class FunctionEventAvg(_Timed):
    """The sum of events with one name."""

    def __init__(self):
        self.key = self.input_shapes = self.stack = self.cpu_parent = None
        self.count, self.cpu_time_total, self.self_cpu_time_total, self.cpu_memory_usage, self.self_cpu_memory_usage = 0, 0.0, 0.0, 0, 0
        self.cpu_children, self.is_user_annotation, self.module = [], False, ""
        self.lines = {}  # line -> microseconds

    def add(self, other):
        """Adds an event or another sum."""
        if self.key is None:
            self.key, self.input_shapes, self.stack, self.module = other.key, other.input_shapes, other.stack, other.module
            self.is_user_annotation = other.is_user_annotation
        self.count += other.count
        self.cpu_time_total += other.cpu_time_total
        own = other.self_cpu_time_total
        self.self_cpu_time_total += own
        self.cpu_memory_usage += other.cpu_memory_usage
        self.self_cpu_memory_usage += other.self_cpu_memory_usage
        for line, us in other.lines.items() if isinstance(other, FunctionEventAvg) else ((other.line, own),):
            self.lines[line] = self.lines.get(line, 0.0) + us
        return self

    __iadd__ = add

    @property
    def line(self):
        """Where it was called, the line with the most time first."""
        if not self.lines:
            return ""
        text = max(self.lines, key=self.lines.get)
        return text if len(self.lines) == 1 else f"{text} and {len(self.lines) - 1} more"

    def __repr__(self):
        times = f"self_cpu_time={self.self_cpu_time_total_str} cpu_time={self.cpu_time_str}"
        return f"<FunctionEventAvg key={self.key} {times} count={self.count}>"


_SORTS = ("count", "cpu_time", "cpu_time_total", "self_cpu_time_total", "cpu_memory_usage", "self_cpu_memory_usage", "cuda_time",
          "cuda_time_total", "self_cuda_time_total", "device_time", "device_time_total", "self_device_time_total",
          "device_memory_usage", "self_device_memory_usage")
supported_export_stacks_metrics = ["self_cpu_time_total", "self_cuda_time_total", "self_xpu_time_total", "self_privateuse1_time_total"]


class EventList(list):
    """Events, or sums of them."""
    profile_memory = False

    @property
    def self_cpu_time_total(self):
        """Of all, in microseconds."""
        return sum(e.self_cpu_time_total for e in self)

    @property
    def supported_export_stacks_metrics(self):
        """What export_stacks takes."""
        return supported_export_stacks_metrics

    def total_average(self):
        """All together."""
        total = FunctionEventAvg()
        for e in self:
            total.add(e)
        total.key = "Total"
        return total

    def key_averages(self, group_by_input_shapes=False, group_by_stack_n=0, group_by_overload_name=False, group_by_line=False):
        """Sums by name, and by what else is asked for."""
        sums = {}
        for e in self:
            key = [e.name, e.is_user_annotation]
            if group_by_input_shapes:
                key.append(str(e.input_shapes))
            if group_by_stack_n:
                key += e.stack[:group_by_stack_n]
            if group_by_line:
                key += [e.line, e.module]
            sums.setdefault(tuple(key), FunctionEventAvg()).add(e)
        out = EventList(sums.values())
        out.profile_memory = self.profile_memory
        for s in out:
            s.stack = s.stack[:group_by_stack_n] if group_by_stack_n else []
            s.input_shapes = s.input_shapes if group_by_input_shapes else []
            s.module = s.module if group_by_line else ""
        return out

    def table(self, sort_by=None, row_limit=100, max_src_column_width=75, max_name_column_width=55, max_shapes_column_width=80, header=None,
              top_level_events_only=False, time_unit=None):
        """A text table."""
        if sort_by is not None and sort_by not in _SORTS:
            raise AttributeError(f"table() sorts by one of {', '.join(_SORTS)}, not by {sort_by!r}")
        units = {"s": 1e6, "ms": 1e3, "us": 1.0, None: None}
        if time_unit not in units:
            raise ValueError(f"table(): time_unit must be 's', 'ms', 'us' or None, got {time_unit!r}")
        rows = [e for e in self if not (top_level_events_only and e.cpu_parent)]
        if sort_by:
            rows.sort(key=attrgetter(sort_by), reverse=True)
        total = sum(e.self_cpu_time_total for e in self)
        scale = units[time_unit]

        def clock(us):
            return time_text(us) if scale is None else f"{us / scale:.3f}{time_unit}"

        def cut(text, width):
            return text if not width or len(text) <= width else text[:width - 3] + "..."

        def share(us):
            return f"{100 * us / total:.2f}%" if total else "0.00%"
        columns = [("Name", lambda e: cut(e.key, max_name_column_width), "<"), ("Self CPU %", lambda e: share(e.self_cpu_time_total), ">"),
                   ("Self CPU", lambda e: clock(e.self_cpu_time_total), ">"), ("CPU total %", lambda e: share(e.cpu_time_total), ">"),
                   ("CPU total", lambda e: clock(e.cpu_time_total), ">"), ("CPU time avg", lambda e: clock(e.cpu_time), ">")]
        if self.profile_memory:
            columns += [("CPU Mem", lambda e: memory_text(e.cpu_memory_usage), ">"),
                        ("Self CPU Mem", lambda e: memory_text(e.self_cpu_memory_usage), ">")]
        columns.append(("# of Calls", lambda e: str(e.count), ">"))
        if any(e.input_shapes for e in rows):
            columns.append(("Input Shapes", lambda e: cut(str(e.input_shapes), max_shapes_column_width), "<"))
        if any(e.module for e in rows):
            columns.append(("Module", lambda e: e.module, "<"))
        if any(e.stack for e in rows):
            columns.append(("Source Location", lambda e: cut(" < ".join(e.stack), max_src_column_width), "<"))
        columns.append(("Line", lambda e: _cut_left(e.line, max_src_column_width), "<"))
        cells = [[make(e) for _, make, _ in columns] for e in (rows if row_limit < 0 else rows[:row_limit])]
        widths = [max([len(name)] + [len(row[k]) for row in cells]) for k, (name, _, _) in enumerate(columns)]
        bar = "  ".join("-" * w for w in widths)
        lines = [header] if header else []
        lines += [bar, "  ".join(f"{name:{align}{w}}" for (name, _, align), w in zip(columns, widths)), bar]
        lines += ["  ".join(f"{c:{align}{w}}" for c, (_, _, align), w in zip(row, columns, widths)).rstrip() for row in cells]
        return "\n".join([*lines, bar, f"Self CPU time total: {clock(total)}"]) + "\n"

    def __str__(self):
        return self.table()

    def export_stacks(self, path, metric="self_cpu_time_total"):
        """One line a stack, the outermost frame first, then microseconds."""
        if metric not in supported_export_stacks_metrics:
            raise ValueError(f"metric should be one of: {supported_export_stacks_metrics}")
        sums = {}
        for e in self:
            us = int(getattr(e, metric, 0))
            if e.stack and us > 0:
                stack = ";".join(frame.replace(";", ":").replace(" ", "_") for frame in [*reversed(e.stack), e.key])
                sums[stack] = sums.get(stack, 0) + us
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(f"{stack} {us}\n" for stack, us in sums.items())

    def export_chrome_trace(self, path, metadata=None):
        """Writes the events as a trace in Chrome's JSON format."""
        # Perfetto's first reader gives up at a key that it does not know, and at an escape (\u00e9) before an event's time.
        own = {"displayTimeUnit": "ms", "traceEvents": _chrome_events(self, self.profile_memory), "schemaVersion": 1}
        with (gzip.open if str(path).endswith(".gz") else open)(path, "wt", encoding="utf-8") as f:
            json.dump({**own, **(metadata or {}), **own}, f, ensure_ascii=False)  # own ones come first, and stay

    def export_step_picture(self, path):
        """Writes the last step (or all events, where there are no steps) as a page with a picture."""
        from .profiler_picture import page
        with open(path, "w", encoding="utf-8") as f:
            f.write(page(self))


def _cut_left(text, width):
    return text if not width or len(text) <= width else "..." + text[3 - width:]


def events_of(rows, profile_memory, before=()):
    """The EventList of what the recorder kept."""
    events = EventList(before)
    first = len(events)
    events.extend(FunctionEvent(first + k, row) for k, row in enumerate(rows))
    for e in events[first:]:
        parent = e.cpu_parent
        e.cpu_parent = events[first + parent] if parent >= 0 else None
        if e.cpu_parent is not None:
            e.cpu_parent.cpu_children.append(e)
        e.maker = events[first + e.maker] if e.maker >= 0 else None
        e.fwd_thread = e.maker and e.maker.thread
    events.profile_memory = profile_memory
    return events


def _chrome_events(events, memory):
    pid = os.getpid()
    out = [{"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": "tapegrad"}}]
    for thread in sorted({e.thread for e in events}):
        name = "main thread" if thread == pid else f"thread {thread}"
        out.append({"ph": "M", "name": "thread_name", "pid": pid, "tid": thread, "args": {"name": name}})
    held = 0
    for e in events:
        args = {"Line": e.line, "Module": e.module, "Input Dims": e.input_shapes, "Sequence number": e.sequence_nr, "External id": e.id}
        kind = ("cpu_op", "backward", "user_annotation")[e.kind]
        out.append({"ph": "X", "ts": e.time_range.start, "dur": round(e.cpu_time_total, 3), "pid": pid, "tid": e.thread, "cat": kind,
                    "name": e.name, "args": {k: v for k, v in args.items() if v not in ("", [], -1)}})
        if e.maker is not None:
            flow = {"cat": "fwdbwd", "name": "fwdbwd", "id": e.id, "pid": pid}
            out.append({"ph": "s", **flow, "tid": e.maker.thread, "ts": e.maker.time_range.start})
            out.append({"ph": "f", "bp": "e", **flow, "tid": e.thread, "ts": e.time_range.start})
    if memory:
        for e in sorted((e for e in events if e.self_cpu_memory_usage), key=lambda e: e.time_range.end):
            held += e.self_cpu_memory_usage
            out.append({"ph": "C", "ts": e.time_range.end, "pid": pid, "tid": e.thread, "name": "memory since the start",
                        "args": {"bytes": held}})
    return out
