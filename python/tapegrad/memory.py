"""Who owns the memory: every block of more than 512 bytes knows the op, the line, the nn module and the role it was made for.

    print(tapegrad.memory.summary())
    with tapegrad.memory.record():
        train_one_epoch()
    tapegrad.memory.timeline("memory.html")

Roles: parameter, gradient (made while a backward runs), optimizer (state, and what a step makes), saved (an op kept it for its
backward) and working (all else). The blocks add up to what `_C.memory_stats()` calls in_use.
"""
import contextlib
from html import escape

from . import _C

__all__ = ["stats", "summary", "snapshot", "record", "timeline"]

ROLES = {"parameter": "#4e79a7", "optimizer": "#b07aa1", "gradient": "#f28e2b", "saved": "#59a14f", "working": "#bab0ac"}


def stats():
    """Bytes in use, at peak and kept for reuse (of blocks of more than 512 bytes); live tensors and nodes."""
    return _C.memory_stats()


def summary(rows=20):
    """A text table of the memory in use by role, and of its largest owners."""
    return _C._memory_summary(rows)


def snapshot():
    """{"blocks": [{"bytes", "role", "op", "line", "module"}, ...], "small": {bytes: how many}}: all memory in use now."""
    blocks, small = _C._memory_ledger()
    keys = ("bytes", "role", "op", "line", "module")
    return {"blocks": [dict(zip(keys, b)) for b in blocks], "small": {64 * (k + 1): n for k, n in enumerate(small)}}


@contextlib.contextmanager
def _until_the_end():
    try:
        yield
    finally:
        _C._record_memory(False)


def record(on=True):
    """From now on what blocks come and go is kept for timeline(), about 50 bytes of memory each; as a context manager, until its end."""
    _C._record_memory(bool(on))
    return _until_the_end()


def _curve(events):
    """Bytes in use by role after each event, and the owners at the peak."""
    live, now, points, peak, peak_time, at_peak = {}, dict.fromkeys(ROLES, 0), [], -1, 0, {}
    for time, block, made, row in events:
        if made:
            live[block] = row
            now[row[1]] += row[0]
        elif (gone := live.pop(block, None)) is not None:
            now[gone[1]] -= gone[0]
        points.append((time, *now.values()))
        if sum(now.values()) > peak:
            peak, peak_time = sum(now.values()), time
    live.clear()
    for time, block, made, row in events:  # a second walk is cheaper than a copy of what lives at each new peak
        if made:
            live[block] = row
        else:
            live.pop(block, None)
        if time == peak_time:
            at_peak = dict(live)
            break
    return points, peak, peak_time, at_peak


def _thinned(points, n):
    """At most about n points; of each group the one with the most bytes."""
    size = max(1, -(-len(points) // n))
    return [max(points[k:k + size], key=lambda p: sum(p[1:])) for k in range(0, len(points), size)]


def timeline(path):
    """Writes an HTML page: the bytes in use over the recorded time by role, and the largest owners at the peak.

    A block counts by the role that it had last, from when it was made: what an op saves for a backward is "saved" from the beginning.
    """
    from .profiler_events import memory_text, time_text
    from .profiler_picture import STYLE
    events = _C._memory_events()
    if not events:
        raise RuntimeError("memory.timeline(): nothing has been recorded; call memory.record() before what is to be seen")
    points, peak, peak_time, at_peak = _curve(events)
    begin, end, width, height, left = points[0][0], max(points[-1][0], points[0][0] + 1), 1400, 420, 80
    shown = _thinned(points, 2000)

    def x(t):
        return left + (t - begin) / (end - begin) * (width - left - 10)

    def y(b):
        return 10 + (1 - b / max(peak, 1)) * (height - 40)
    svg, base = [], [0] * len(shown)
    for k in range(5):
        b = peak * k / 4
        svg.append(f'<line x1="{left}" x2="{width - 10}" y1="{y(b):.1f}" y2="{y(b):.1f}" stroke="#eee"/>'
                   f'<text x="4" y="{y(b) + 4:.1f}" fill="#888">{memory_text(int(b))}</text>')
    for k, (role, colour) in enumerate(ROLES.items()):
        top = [b + p[k + 1] for b, p in zip(base, shown)]
        if any(p[k + 1] for p in shown):
            line = " ".join(f"{x(p[0]):.1f},{y(t):.1f}" for p, t in zip(shown, top))
            back = " ".join(f"{x(p[0]):.1f},{y(b):.1f}" for p, b in reversed(list(zip(shown, base))))
            most = memory_text(max(p[k + 1] for p in shown))
            svg.append(f'<polygon points="{line} {back}" fill="{colour}"><title>{role}: up to {most}</title></polygon>')
        base = top
    svg.append(f'<line x1="{x(peak_time):.1f}" x2="{x(peak_time):.1f}" y1="8" y2="{height - 30}" stroke="#d33" stroke-dasharray="3 3"/>')
    keys = " &nbsp; ".join(f'<span class=key style="background:{c}"></span>{role}' for role, c in ROLES.items())
    owners = {}
    for bytes_, role, op, line, module in at_peak.values():
        row = owners.setdefault((role, op, module, line), [0, 0])
        row[0] += bytes_
        row[1] += 1
    table = [f'<tr><td class=n>{memory_text(b)}<td class=n>{n}<td>{role}<td>{escape(op)}<td>{escape(module)}<td>{escape(line)}'
             for (role, op, module, line), (b, n) in sorted(owners.items(), key=lambda item: -item[1][0])[:40]]
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join([
            f"<!doctype html><html><head><meta charset=utf-8><title>memory</title><style>{STYLE}</style></head><body>",
            f"<h1>Memory in use: peak {memory_text(peak)}</h1><p>{len(events)} events in {time_text((end - begin) / 1e3)}; the peak is at "
            f"{time_text((peak_time - begin) / 1e3)} (dashed)</p>",
            f'<svg width="{width}" height="{height}">', *svg, "</svg>", f"<p>{keys}</p>",
            "<table><tr><th>at the peak<th>blocks<th>role<th>op<th>module<th>line", *table, "</table></body></html>"]))
