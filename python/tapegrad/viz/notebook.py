"""What notebooks show: the _repr_html_ of tensors, of their grad_fn and of the tape. print() and repr() are not changed by it."""
import heapq
import html
import linecache

from .modules import Cell, cells_of, groups_of, open_up
from .pictures import svg_of
from .steps import Input, Leaf, Output, Step, shape_text

STEPS, ROWS = 40, 100  # boxes of a picture, rows of a table: the last ones
EDGE, PAGES = 4, 2     # of a long dimension the first and the last few; of the dimensions before the last two the first few


def tensor_html(t):
    """A line about the tensor and a table of its values. Reads the few elements that it shows, no others. None for a class that has a
    __repr__ of its own: that is what its user wants to see."""
    if not next(c for c in type(t).__mro__ if "__repr__" in vars(c)).__module__.startswith("tapegrad"):
        return None
    about = [str(t.dtype).rpartition(".")[2] + str(list(t.shape)), str(t.device)]
    if t.requires_grad and t.grad_fn is None:
        about.append("requires_grad")
    if t.grad_fn is not None:
        about.append(f"grad_fn={t.grad_fn.name()}")
    line = f"<b>{html.escape(type(t).__name__)}</b> {html.escape(' · '.join(about))}"
    if t.grad_fn is not None:
        file, number, source = _place(t.grad_fn)
        line += f' <span style="opacity:.65">{html.escape(file.rpartition("/")[2])}{f":{number}" if number else ""}</span>'
        line += f" <code>{html.escape(source[:80])}</code>" if source else ""
    return f'<div style="font-size:90%"><div>{line}</div>{"".join(_tables(t.detach()))}</div>'


def _tables(t):
    if not t.numel():
        yield "<div>no elements</div>"
        return
    lead, pages = t.shape[:-2], 1
    for n in lead:
        pages *= n
    for k in range(min(PAGES, pages)):
        at, rest = [], k
        for n in reversed(lead):
            at.insert(0, rest % n)
            rest //= n
        if lead:
            yield f'<div style="opacity:.65">[{", ".join(map(str, at))}]</div>'
        yield _table(t[tuple(at)] if at else t)
    if pages > PAGES:
        yield f'<div style="opacity:.65">… {pages - PAGES:,} more</div>'


def _table(t):
    t = t.reshape((1,) * (2 - t.dim()) + tuple(t.shape)) if t.dim() < 2 else t
    rows, columns = (_shown(n) for n in t.shape)

    def row(k):
        if k is None:
            return "<td>⋮</td>" * len(columns)
        if None not in columns:
            values = t[k].tolist()
        else:
            values = [*t[k][:EDGE].tolist(), None, *t[k][-EDGE:].tolist()]
        return "".join(f'<td style="text-align:right">{"…" if v is None else _number(v)}</td>' for v in values)
    return "<table>" + "".join(f"<tr>{row(k)}</tr>" for k in rows) + "</table>"


def _shown(n):
    return list(range(n)) if n <= 2 * EDGE + 1 else [*range(EDGE), None, *range(n - EDGE, n)]


def _number(v):
    return str(v) if isinstance(v, (bool, int)) else f"{v:.4g}"


def tape_html(tape):
    """A picture of the last steps, modules as boxes, and a table."""
    def row(cells, tag="td"):
        return "<tr>" + "".join(f'<{tag} style="text-align:left">{html.escape(str(c))}</{tag}>' for c in cells) + "</tr>"
    groups = groups_of(tape)
    open_up(groups, tape)
    cells = cells_of(tape, groups)
    rows = [row(("step", "op", "output", "inputs", "saved bytes", "module", "line"), "th")]
    for s in tape.steps[-ROWS:]:
        outputs, inputs = "; ".join(map(shape_text, s.outputs)), ", ".join(map(tape.name_of, s.inputs))
        rows.append(row((s.number, s.op, outputs, inputs, s.saved_bytes or "", s.module, f"{s.where}  {s.source}")))
    left_out = f"<div>the last {ROWS} of {len(tape):,} steps</div>" if len(tape) > ROWS else ""
    return _picture(tape.leaves, cells, groups) + left_out + "<table>" + "".join(rows) + "</table>"


def node_html(node):
    """A picture of the last steps that lead to a node. Runs no backward, so there are lines but no sizes."""
    if node.name() == "AccumulateGrad":
        return tensor_html(node.variable)
    nodes, seen, queue = [], {node}, [(-node._sequence_nr(), 0, node)]
    while queue and len(nodes) <= STEPS:
        nodes.append(heapq.heappop(queue)[2])  # the youngest: those that read it have been seen
        for n, _ in nodes[-1].next_functions:
            if n is not None and n.name() != "AccumulateGrad" and n not in seen:
                seen.add(n)
                heapq.heappush(queue, (-n._sequence_nr(), len(seen), n))
    nodes.reverse()
    number, leaves, leaf_of, cells = {n: k for k, n in enumerate(nodes)}, [], {}, []
    for k, n in enumerate(nodes):
        file, line, source = _place(n)
        step = Step(k, n, n.name(), [Output(None, None, "")], [], [], 0, n.place, file, "", line, source, "")
        cells.append(Cell(step, None))
        for after, nr in n.next_functions:
            if after in number:
                cells[k].inputs.append(Input("step", number[after], nr))
            elif after is not None and after.name() == "AccumulateGrad":
                if after not in leaf_of:
                    leaf_of[after] = len(leaves)
                    leaves.append(Leaf(after.variable, type(after.variable).__name__))
                cells[k].inputs.append(Input("leaf", leaf_of[after], nr))
    return _picture(leaves, cells, [])


def _picture(leaves, cells, groups):
    if not cells:
        return ""
    before = max(0, len(cells) - STEPS)
    shown = cells[before:]
    for c in shown:
        c.inputs = [i if i.kind == "leaf" else Input("step", i.index - before, i.output_nr)
                    for i in c.inputs if i.kind == "leaf" or i.index >= before]
    svg = svg_of(leaves, shown, [g for g in groups if g.first >= shown[0].step.number])
    note = '<div style="opacity:.65">steps before these are left out</div>' if before else ""
    return f'{note}<div style="max-height:480px;overflow:auto">{svg}</div>'


def _place(node):
    """(file, line, source text) of the call; (what is known, 0, "") where that is no file."""
    file, colon, number = node.place.rpartition(" in ")[0].rpartition(":")
    if not colon or not number.isdigit():
        return node.place, 0, ""
    return file, int(number), linecache.getline(file, int(number)).strip()
