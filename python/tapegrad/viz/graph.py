"""viz.graph(): the tape as a page to step through, as a picture (SVG), or for Graphviz (DOT)."""
import functools
import gc
import html
import json
import linecache
import os
import sys
from pathlib import Path

from .chain import formula_of
from .modules import cells_of, groups_of, open_up
from .pictures import BOX, dot_of, leaf_width, step_width, svg_of
from .recording import values_of
from .steps import Tape, find_names
from .values import summary

LONGEST_FILE = 4000  # lines; of longer files only the part that was run is in the page


class _Gradients:
    """Sees the backward on the side."""

    def __init__(self):
        self.of_step, self.of_leaf = {}, {}

    def step(self, index, outputs, inputs):
        self.of_step[index] = [None if g is None else summary(g) for g in outputs]

    def leaf(self, index, gradient):
        self.of_leaf[index] = summary(gradient)


class Graph:
    """A drawn tape. `html`, `svg` and `dot` are its texts, save(path) writes one of them by the path's ending; notebooks show it."""

    def __init__(self, tensor, names, collapse=None):
        self.gradients = _Gradients()
        self.tape = tape = Tape(tensor, names, self.gradients)
        self.groups = groups_of(tape)
        open_up(self.groups, tape, collapse)
        self.title = next((o.name for o in reversed(tape.steps[-1].outputs) if o.name), "loss") if tape.steps else tape.leaves[0].name

    def __repr__(self):
        return f"<graph of {len(self.tape)} steps and {len(self.tape.leaves)} leaves; .save('graph.html') writes it>"

    def _repr_html_(self):
        return (f'<iframe srcdoc="{html.escape(self.html)}" style="width:100%;height:640px;border:1px solid #ddd;border-radius:6px" '
                'title="tape"></iframe>')

    def save(self, path):
        kind = os.path.splitext(os.fspath(path))[1].lower()
        if kind not in (".html", ".svg", ".dot"):
            raise ValueError(f"graph: the path must end in .html, .svg or .dot, got {os.fspath(path)!r}")
        Path(path).write_text(getattr(self, kind[1:]), encoding="utf-8")
        return self

    # ---- the page

    @property
    def html(self):
        data = json.dumps(self._data(), separators=(",", ":"), ensure_ascii=False)
        data = data.replace("</", "<\\/").replace("<!--", "<\\u0021--")  # nothing in it may end the script
        page, layout = ((Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("page.html", "page_layout.js"))
        return page.replace("/*LAYOUT*/", layout).replace("/*TAPE*/", data)

    def _data(self):
        tape, files, first_lines = self.tape, {}, {}
        for s in tape:
            if s.file:
                low, high = first_lines.get(s.file, (s.line, s.line))
                first_lines[s.file] = min(low, s.line), max(high, s.line)
        sources = []
        for path, (low, high) in first_lines.items():
            lines = [line.rstrip("\n") for line in linecache.getlines(path)]
            first = 1
            if len(lines) > LONGEST_FILE:
                first = max(1, low - 20)
                lines = lines[first - 1:min(high + 20, first + LONGEST_FILE)]
            if lines:
                files[path] = len(sources)
                sources.append([path.rpartition("/")[2], lines, first])
        values, at = self._values(), {id(g): k for k, g in enumerate(self.groups)}
        return {
            "title": self.title, "savedBytes": tape.saved_bytes, "problem": tape.problem, "files": sources, "boxHeight": BOX,
            "groups": [[g.path, at.get(id(g.parent), -1), g.first, g.last, g.open] for g in self.groups],
            "steps": [self._step(s, values[s.number], files) for s in tape],
            "leaves": [{"name": leaf.name, "short": leaf.short, "width": leaf_width(leaf), "value": summary(leaf.tensor),
                        "grad": self.gradients.of_leaf.get(k), "total": None if leaf.tensor.grad is None else summary(leaf.tensor.grad)}
                       for k, leaf in enumerate(tape.leaves)]}

    def _values(self):
        """What is known of each step's outputs: recorded, or saved by the step itself or by one that reads it."""
        tape = self.tape
        values = [{**values_of(s.node)} for s in tape]
        for s in tape:
            for saved in s.saved:
                kind, _, number = saved.role.partition(" ")
                if saved.state != "kept" or kind == "saved":
                    continue
                of = (s.number, int(number))
                if kind == "input":
                    i = s.inputs[int(number)]
                    if i.kind != "step":
                        continue
                    of = (i.index, i.output_nr)
                if of[1] not in values[of[0]]:
                    values[of[0]][of[1]] = summary(saved.tensor)
        if tape.steps:
            nr = next((k for k, o in enumerate(tape[-1].outputs) if o.shape is not None), 0)
            values[-1].setdefault(nr, summary(tape.tensor))
        return values

    def _step(self, s, values, files):
        def known(o):
            return None if o.shape is None else {"shape": list(o.shape), "dtype": str(o.dtype).rpartition(".")[2]}

        saved = [[v.role, v.state, v.tensor.numel() * v.tensor.element_size() if v.state in ("kept", "changed") else 0,
                  summary(v.tensor) if v.state == "kept" and v.role.startswith("saved") else None] for v in s.saved]
        return {"op": s.op, "title": s.title, "width": step_width(s), "formula": formula_of(s.op), "out": [[o.name] for o in s.outputs],
                "known": [known(o) for o in s.outputs], "in": s.inputs,
                "file": files.get(s.file, -1), "line": s.line, "fn": s.function, "module": s.module,
                "saved": saved, "value": [values.get(k) for k in range(len(s.outputs))],
                "grad": self.gradients.of_step.get(s.number, [None] * len(s.outputs))}

    # ---- the pictures

    @functools.cached_property
    def cells(self):
        return cells_of(self.tape, self.groups)

    @property
    def svg(self):
        return svg_of(self.tape.leaves, self.cells, self.groups)

    @property
    def dot(self):
        return dot_of(self.tape.leaves, self.cells, self.groups)


def graph(tensor, path=None, model=None, *, collapse=None):
    """Draws the tape behind `tensor`. With a path, writes it: "g.html" is a page without any other file, to step through forward and
    backward with values, gradients and source lines; "g.svg" a picture; "g.dot" for Graphviz. Returns the Graph, which notebooks show.

    Gradients come from a backward on the side; values of steps are known where the tape saved them, and all of them under viz.record().
    `model` names the leaves, as for tapegrad.tape(). The steps of an nn module are one box where all of them would be too many to read;
    collapse=True closes all such boxes, False opens them. On the page a click opens and closes each.
    """
    names, collecting = find_names(model, sys._getframe(1)), gc.isenabled()
    gc.disable()  # it would look at all the new objects, which stay, again and again: a third of the time
    try:
        drawn = Graph(tensor, names, collapse)
        return drawn if path is None else drawn.save(path)
    finally:
        if collecting:
            gc.enable()
