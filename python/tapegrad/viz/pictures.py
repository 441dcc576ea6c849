"""The tape as SVG and as DOT."""
import html

from .steps import shape_text

HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"
 font-family="system-ui, sans-serif" font-size="12.5" text-anchor="middle">
<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0L8 4L0 8z" fill="#8a94a6"/></marker></defs>
<rect width="100%" height="100%" fill="#f6f7f9"/>
<g transform="translate(20 {box:.0f})">
"""
EDGE = '<path d="{path}" fill="none" stroke="#8a94a6" stroke-width="1.2" marker-end="url(#a)"/>\n'
NODE = """<g class="{kind}"><title>{hint}</title>
<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height}" rx="{radius}" fill="#fff" stroke="{color}" stroke-width="1.3"/>
<text x="{x:.1f}" y="{y:.1f}" font-weight="600" fill="{color}">{title}</text>
<text x="{x:.1f}" y="{below:.1f}" font-size="10.5" fill="#687386">{detail}</text></g>
"""


def svg_of(tape, layout, height):
    parts = [HEAD.format(width=layout.width + 40, height=layout.height + height + 20, box=height)]
    for *_, points in layout.edges:
        x, y = points[0][0], points[0][1] + height / 2
        path = f"M{x:.1f} {y:.1f}"
        for k, (nx, ny) in enumerate(points[1:], 2):
            ny -= height / 2 if k == len(points) else 0
            m = (ny - y) / 2
            path += f"C{x:.1f} {y + m:.1f} {nx:.1f} {ny - m:.1f} {nx:.1f} {ny:.1f}"
            x, y = nx, ny
        parts.append(EDGE.format(path=path))
    for k, box in enumerate(layout.boxes):
        if k < len(tape):
            s = tape[k]
            look = {"kind": "step", "color": "#2563eb", "radius": 8, "title": s.title, "detail": shape_text(s.outputs[0]),
                    "hint": f"step {k}: {s.op} from {s.where}"}
        else:
            leaf = tape.leaves[layout.drawn[k - len(tape)]]
            look = {"kind": "leaf", "color": "#2f855a", "radius": height / 2, "title": leaf.short, "detail": str(list(leaf.tensor.shape)),
                    "hint": f"leaf {leaf.name}"}
        look.update({name: html.escape(look[name]) for name in ("title", "detail", "hint")})
        parts.append(NODE.format(left=box.x - box.width / 2, top=box.y - height / 2, width=box.width, height=height, x=box.x, y=box.y - 3,
                                 below=box.y + 13, **look))
    return "".join(parts) + "</g></svg>\n"


def dot_of(tape):
    def quoted(*lines):
        return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines) + '"'

    lines = ["digraph tape {", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    for k, leaf in enumerate(tape.leaves):
        lines.append(f"  leaf{k} [shape=ellipse, label={quoted(leaf.name, str(list(leaf.tensor.shape)))}];")
    for s in tape:
        lines.append(f"  step{s.number} [label={quoted(s.title, shape_text(s.outputs[0]))}, tooltip={quoted(s.where)}];")
        lines += [f"  {i.kind}{i.index} -> step{s.number};" for i in s.inputs if i.kind != "constant"]
    return "\n".join([*lines, "}", ""])
