"""The tape as SVG and as DOT."""
import html

from .layout import Layout
from .steps import shape_text

BOX = 46.0  # height of a box

HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"
 font-family="system-ui, sans-serif" font-size="12.5" text-anchor="middle">
<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0L8 4L0 8z" fill="#8a94a6"/></marker></defs>
<rect width="100%" height="100%" fill="#f6f7f9"/>
<g transform="translate({margin:.0f} {top:.0f})">
"""
EDGE = '<path d="{path}" fill="none" stroke="#8a94a6" stroke-width="1.2" marker-end="url(#a)"/>\n'
NODE = """<g class="{kind}"><title>{hint}</title>
<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height}" rx="{radius}" fill="#fff" stroke="{color}" stroke-width="1.3"/>
<text x="{x:.1f}" y="{y:.1f}" font-weight="600" fill="{color}">{title}</text>
<text x="{x:.1f}" y="{below:.1f}" font-size="10.5" fill="#687386">{detail}</text></g>
"""


FRAME = """<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="12"
 fill="#1c2330" fill-opacity=".035" stroke="#b4bcc9"/>
<text x="{right:.1f}" y="{below:.1f}" font-size="11" font-weight="600" fill="#687386" text-anchor="start">{path}</text>
"""


def steps_text(group):
    return f"{len(group)} steps"


def width_of(title, detail):
    return round(max(64.0, 36 + 7.6 * len(title), 18 + 6.5 * len(detail)), 1)


def step_width(s):
    return width_of(s.title, step_detail(s))


def leaf_width(leaf):
    return width_of(leaf.short, str(list(leaf.tensor.shape)))


def step_detail(s):
    return shape_text(s.outputs[0]) if s.outputs[0].shape is not None else s.where


def svg_of(leaves, cells, groups):
    widths = [step_width(c.step) if c.group is None else width_of("▸ " + c.group.title, steps_text(c.group)) for c in cells]
    layout = Layout(cells, widths, [leaf_width(leaf) for leaf in leaves])
    frames, right = _frames(cells, groups, layout)
    margin = max([20] + [24 + 9 * g.depth for g in groups])  # room for frames
    size = {"width": max(layout.width, right) + 2 * margin, "height": layout.height + BOX + margin}
    parts = [HEAD.format(**size, margin=margin, top=BOX / 2 + margin), *frames]
    for points in layout.paths:
        x, y = points[0][0], points[0][1] + BOX / 2
        path = f"M{x:.1f} {y:.1f}"
        for k, (nx, ny) in enumerate(points[1:], 2):
            ny -= BOX / 2 if k == len(points) else 0
            m = (ny - y) / 2
            path += f"C{x:.1f} {y + m:.1f} {nx:.1f} {ny - m:.1f} {nx:.1f} {ny:.1f}"
            x, y = nx, ny
        parts.append(EDGE.format(path=path))
    for k, box in enumerate(layout.boxes):
        if k >= len(cells):
            leaf = leaves[layout.drawn[k - len(cells)]]
            look = {"kind": "leaf", "color": "#2f855a", "radius": BOX / 2, "title": leaf.short, "detail": str(list(leaf.tensor.shape)),
                    "hint": f"leaf {leaf.name}"}
        elif g := cells[k].group:
            look = {"kind": "module", "color": "#475569", "radius": 3, "title": "▸ " + g.title, "detail": steps_text(g),
                    "hint": f"steps {g.first} to {g.last}: {g.path}"}
        else:
            s = cells[k].step
            look = {"kind": "step", "color": "#2563eb", "radius": 8, "title": s.title, "detail": step_detail(s),
                    "hint": f"step {s.number}: {s.op} from {s.where}"}
        look.update({name: html.escape(look[name]) for name in ("title", "detail", "hint")})
        parts.append(NODE.format(left=box.x - box.width / 2, top=box.y - BOX / 2, width=box.width, height=BOX, x=box.x, y=box.y - 3,
                                 below=box.y + 13, **look))
    return "".join(parts) + "</g></svg>\n"


def _frames(cells, groups, layout):
    """The frames of the open groups, and how far to the right they go."""
    out, furthest = [], 0.0
    for g in groups:
        inside = [k for k, c in enumerate(cells) if g.first <= c.step.number <= g.last] if g.open else []
        if not inside or cells[inside[0]].group in _around(g):
            continue
        pad = 14 + 9 * (max(other.depth for other in groups if g.first <= other.first and other.last <= g.last) - g.depth)
        left, top, right, bottom = layout.frame(inside)
        x, y = left - pad, top - BOX / 2 - pad
        out.append(FRAME.format(x=x, y=y, width=right - left + 2 * pad, height=bottom + BOX / 2 + pad - y, right=right + pad + 7,
                                below=y + 12, path=html.escape(g.path)))
        furthest = max(furthest, right + pad + 14 + 6.5 * len(g.path))
    return out, furthest


def _around(g):
    """The groups that g is in."""
    while g.parent is not None:
        yield g.parent
        g = g.parent


def dot_of(leaves, cells, groups):
    def quoted(*lines):
        return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines) + '"'

    lines = ["digraph tape {", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    for k in sorted({i.index for c in cells for i in c.inputs if i.kind == "leaf"}) if cells else [0]:
        leaf = leaves[k]
        lines.append(f"  leaf{k} [shape=ellipse, label={quoted(leaf.name, str(list(leaf.tensor.shape)))}];")
    edges, around, starts = [], [], {}
    for k, g in enumerate(groups):
        starts.setdefault(g.first, []).append((k, g))
    for k, c in enumerate(cells):
        while around and around[-1].last < c.step.number:
            around.pop()
            lines.append("  }")
        for number, g in starts.get(c.step.number, ()):
            if g.open and all(outer.open for outer in _around(g)):
                lines.append(f"  subgraph cluster{number} {{ label={quoted(g.path)};")
                around.append(g)
        if g := c.group:
            lines.append(f"  step{k} [shape=box3d, label={quoted(g.title, steps_text(g))}, tooltip={quoted(g.path)}];")
        else:
            lines.append(f"  step{k} [label={quoted(c.step.title, step_detail(c.step))}, tooltip={quoted(c.step.where)}];")
        edges += [f"  {i.kind}{i.index} -> step{k};" for i in c.inputs]
    return "\n".join([*lines, *["  }"] * len(around), *edges, "}", ""])
