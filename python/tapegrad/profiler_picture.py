"""The picture of a step: an HTML page without a script, ops as bars on lanes for forward, backward and optimizer."""
from html import escape
from zlib import crc32

from .profiler_events import NODE, RANGE, time_text

__all__ = ["page", "colour", "STYLE"]

STYLE = """body{font:13px system-ui,sans-serif;margin:24px;color:#222;background:#fff}
h1{font-size:17px;margin:0 0 2px}p{color:#666;margin:2px 0 14px}
svg text{font:11px system-ui,sans-serif;pointer-events:none}rect:hover{stroke:#000}table{border-collapse:collapse;margin-top:18px}
td,th{padding:2px 12px 2px 0;text-align:left;font-weight:normal}th{color:#666;border-bottom:1px solid #ccc}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.key{display:inline-block;width:10px;height:10px;margin-right:6px;border-radius:2px}"""
WIDTH, LEFT, ROW, LANES = 1400, 90, 18, ("forward", "backward", "optimizer")


def colour(name):
    """A colour of its own for each name, the same on every page."""
    h = crc32(name.encode())
    return f"hsl({h % 360} {52 + (h >> 10) % 20}% {62 + (h >> 16) % 14}%)"


def _chain(e):
    while e is not None:
        yield e
        e = e.cpu_parent


def _lane(e):
    for at in _chain(e):
        if at.kind == RANGE and at.name.startswith("Optimizer."):
            return "optimizer"
        if at.kind == NODE or at.name == "backward":
            return "backward"
    return "forward"


def _last_step(events):
    steps = [e for e in events if e.kind == RANGE and e.name.startswith("ProfilerStep#")]
    if not steps:
        return "all events", list(events)
    last = max(steps, key=lambda e: e.time_range.start)
    a, b = last.time_range.start, last.time_range.end
    return last.name, [e for e in events if e is not last and a <= e.time_range.start and e.time_range.end <= b]


def _ruler(begin, scale, total, height):
    step = next((s * 10 ** k for k in range(9) for s in (1, 2, 5) if s * 10 ** k * scale >= 90), total)
    out, t = [], 0.0
    while t <= total:
        x = LEFT + t * scale
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{height}" stroke="#eee"/>'
                   f'<text x="{x:.1f}" y="12" fill="#888">{time_text(t)}</text>')
        t += step
    return out


def page(events):
    """The text of the page."""
    title, bars = _last_step(events)
    if not bars:
        return f"<!doctype html><meta charset=utf-8><title>step</title><h1>{escape(title)}</h1><p>nothing was recorded</p>"
    begin, end = min(e.time_range.start for e in bars), max(e.time_range.end for e in bars)
    total = max(end - begin, 1e-3)
    scale = (WIDTH - LEFT - 10) / total
    inside = {id(e) for e in bars}
    depth, lanes = {}, {}
    for e in sorted(bars, key=lambda e: (e.time_range.start, -e.time_range.end)):
        lane = (e.thread, _lane(e))
        parent = next((p for p in _chain(e.cpu_parent) if id(p) in inside and (p.thread, _lane(p)) == lane), None)
        depth[id(e)] = depth[id(parent)] + 1 if parent is not None else 0
        lanes.setdefault(lane, []).append(e)
    threads = sorted({t for t, _ in lanes})
    svg, y = [], 26
    for thread, name in sorted(lanes, key=lambda lane: (threads.index(lane[0]), LANES.index(lane[1]))):
        rows = lanes[thread, name]
        label = name if len(threads) == 1 else f"{name} {threads.index(thread)}"
        height = (max(depth[id(e)] for e in rows) + 1) * ROW
        svg.append(f'<text x="4" y="{y + 13}" fill="#444" style="font-weight:600">{label}</text>')
        for e in rows:
            x, w = LEFT + (e.time_range.start - begin) * scale, max(e.cpu_time_total * scale, 0.4)
            top = y + depth[id(e)] * ROW
            times = f"{e.name}  {time_text(e.cpu_time_total)} (self {time_text(e.self_cpu_time_total)})"
            about = "\n".join(t for t in (times, e.line, e.module, f"shapes {e.input_shapes}" if e.input_shapes else "") if t)
            svg.append(f'<rect x="{x:.2f}" y="{top}" width="{w:.2f}" height="{ROW - 2}" rx="2" fill="{colour(e.name)}">'
                       f"<title>{escape(about)}</title></rect>")
            if w > 7 * len(e.name):
                svg.append(f'<text x="{x + 4:.2f}" y="{top + 12}" fill="#222">{escape(e.name)}</text>')
        y += height + 14
    return "\n".join([
        f"<!doctype html><html><head><meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1><p>{time_text(total)}, {len(bars)} events; point at a bar for its line, module and shapes</p>",
        f'<svg width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}">', *_ruler(begin, scale, total, y), *svg, "</svg>",
        *_largest(bars), "</body></html>"])


def _largest(bars):
    sums = {}
    for e in bars:
        row = sums.setdefault((e.name, _lane(e), e.line), [0.0, 0])
        row[0] += e.self_cpu_time_total
        row[1] += 1
    yield "<table><tr><th>op<th>lane<th>self time<th>calls<th>line"
    for (name, lane, line), (us, n) in sorted(sums.items(), key=lambda item: -item[1][0])[:25]:
        key = f'<span class=key style="background:{colour(name)}"></span>'
        yield f"<tr><td>{key}{escape(name)}<td>{lane}<td class=n>{time_text(us)}<td class=n>{n}<td>{escape(line)}"
    yield "</table>"
