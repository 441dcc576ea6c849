"""The steps of an nn module as one box of a drawing: which there are, which stand open, and the cells that are drawn then.

Steps that follow each other and whose module paths begin alike are a group; groups nest. A module that ran twice, with other steps
between, is two groups: so no group reads what comes from its own steps through others, and a drawing never goes in circles.
"""
from .steps import Input

READABLE = 60  # a picture of more boxes starts with its modules closed


class Group:
    """Steps first … last, of one call of the module with this path. parent: the group around it, or None; depth: how many are around."""

    def __init__(self, path, first, parent):
        self.path, self.first, self.last, self.parent = path, first, first, parent
        self.depth, self.open = 0 if parent is None else parent.depth + 1, False

    def __len__(self):
        return self.last - self.first + 1

    @property
    def title(self):
        """The end of the path: "layers.0" for Net.encoder.layers.0."""
        return ".".join(self.path.split(".")[-2:])


def groups_of(steps):
    """The groups, outer ones first, in the order of their steps. A step alone is none, nor is nearly the whole tape; a module whose
    steps are all of one module in it counts as that one."""
    found, around = [], []
    for s in steps:
        parts = s.module.split(".") if s.module else []
        same = 0
        while same < min(len(parts), len(around)) and around[same].path.rpartition(".")[2] == parts[same]:
            same += 1
        around = around[:same]
        for n in range(same + 1, len(parts) + 1):
            around.append(Group(".".join(parts[:n]), s.number, around[-1] if around else None))
            found.append(around[-1])
        for g in around:
            g.last = s.number
    alike = {(g.first, g.last): g for g in found}  # the innermost of those with the same steps
    kept = [g for g in found if 1 < len(g) < 0.9 * len(steps) and alike[g.first, g.last] is g]
    stays = set(map(id, kept))
    for g in kept:
        while g.parent is not None and id(g.parent) not in stays:
            g.parent = g.parent.parent
        g.depth = 0 if g.parent is None else g.parent.depth + 1
    return kept


def open_up(groups, steps, collapse=None):
    """Marks the groups that stand open. None: as many levels as stay readable; True: none; False: all."""
    deepest = max((g.depth for g in groups), default=-1)
    for depth in range(deepest + 1):
        level = [g for g in groups if g.depth == depth]
        for g in level:
            g.open = collapse is not True
        if collapse is None and len(cells_of(steps, groups)) > READABLE:
            for g in level:
                g.open = False
            return


class Cell:
    """What is drawn as one box: a step, or a closed group; its inputs are those of the steps that come from outside of it."""

    def __init__(self, step, group):
        self.step, self.group, self.inputs = step, group, []


def cells_of(steps, groups):
    """The cells, in the order of their steps. A leaf that only one closed group reads stays inside of it."""
    closed = {}
    for g in groups:
        if not g.open and g.first not in closed:  # outer ones come first
            closed.update(dict.fromkeys(range(g.first, g.last + 1), g))
    cells, cell_of, readers = [], [], {}
    for s in steps:
        g = closed.get(s.number)
        if g is None or g.first == s.number:
            cells.append(Cell(s, g))
        cell_of.append(len(cells) - 1)
        for i in s.inputs:
            if i.kind == "leaf":
                readers.setdefault(i.index, set()).add(cell_of[-1])
    for s in steps:
        here = cell_of[s.number]
        cell = cells[here]
        for i in s.inputs:
            if i.kind == "step" and cell_of[i.index] != here:
                i = Input("step", cell_of[i.index], i.output_nr)
            elif i.kind != "leaf" or cell.group is not None and readers[i.index] == {here}:
                continue
            if cell.group is None or i not in cell.inputs:
                cell.inputs.append(i)
    return cells
