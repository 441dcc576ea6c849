"""tapegrad.tape(): what was recorded, as rows."""
import sys
from collections import namedtuple

from .. import _C

Output = namedtuple("Output", "shape dtype name")       # shape and dtype are None where they are not known
Input = namedtuple("Input", "kind index output_nr")     # kind: "step", "leaf" or "constant"
Saved = namedtuple("Saved", "role tensor state")        # state: "kept", "freed", "packed" or "changed"


class Leaf(namedtuple("Leaf", "tensor name")):
    """A tensor that no step made."""

    @property
    def short(self):
        """The end of a long name: "…norm.weight" for net.blocks.0.norm.weight."""
        return self.name if len(self.name) <= 16 else "…" + ".".join(self.name.split(".")[-2:])[-20:]


class Step:
    """One recorded op: number, op, outputs, inputs, saved, saved_bytes, place, file, line, function, source, module, and its node."""

    def __init__(self, number, node, op, outputs, inputs, saved, saved_bytes, place, file, function, line, source, module):
        self.number, self.node, self.op, self.saved_bytes = number, node, op, saved_bytes
        self.outputs = [Output(*o) for o in outputs]
        self.inputs = [Input(*i) for i in inputs]
        self.saved = [Saved(*s) for s in saved]
        self.place, self.file, self.function, self.line, self.source, self.module = place, file, function, line, source, module

    @property
    def title(self):
        """The op's name without what all nodes' names have: "Addmm" for AddmmBackward0."""
        name, _, number = self.op.rpartition("Backward")
        return name.removeprefix("Native") if name and (not number or number.isdigit()) else self.op

    @property
    def where(self):
        """File and line without the folders: "train.py:12"."""
        return f"{self.file.rpartition('/')[2]}:{self.line}" if self.file else self.place

    def __repr__(self):
        return f"<step {self.number}: {self.op} from {self.where}>"


class Tape:
    """The steps behind a tensor, in the order of recording. Printed, it is a table."""

    def __init__(self, tensor, names=(), visitor=None):
        steps, leaves, self.saved_bytes, self.problem, self._text = _C._read_tape(tensor, names, visitor)
        self.tensor, self._named = tensor, names  # kept: their ids are looked up
        self.names = {id(t): name for name, t in reversed(names)}
        self.steps = [Step(k, *s) for k, s in enumerate(steps)]
        self.leaves = [Leaf(t, name or f"leaf {k}") for k, (t, name) in enumerate(leaves)]

    def __len__(self):
        return len(self.steps)

    def __iter__(self):
        return iter(self.steps)

    def __getitem__(self, k):
        return self.steps[k]

    def __repr__(self):
        return self._text.rstrip("\n")

    def name_of(self, i):
        """An input in words: the leaf's name, "#3" for the output of step 3, "-" for what needs no gradient."""
        if i.kind == "constant":
            return "-"
        if i.kind == "leaf":
            return self.leaves[i.index].name
        return f"#{i.index}" + (f".{i.output_nr}" if len(self.steps[i.index].outputs) > 1 else "")

    def _repr_html_(self):
        from .notebook import tape_html
        return tape_html(self)


def shape_text(o):
    """"h float32[2, 3]"; "?" where the sizes are not known."""
    known = "?" if o.shape is None else f"{str(o.dtype).rpartition('.')[2]}{list(o.shape)}"
    return f"{o.name} {known}".lstrip()


def tape(tensor, model=None):
    """The tape behind a tensor: print it, or go through its steps.

    Leaves are named after the variables of the calling function and the parameters of its modules, or by `model`: a module, or a dict of
    names and tensors. Sizes, which the tape does not keep, come from a backward on the side: no .grad is written and no hook called.
    """
    return Tape(tensor, find_names(model, sys._getframe(1)))


def find_names(model, frame):
    """(name, tensor) pairs: of `model` first, then of the frame's variables, its own before the module's."""
    found = []
    if model is not None:
        found += model.items() if isinstance(model, dict) else model.named_parameters()
    modules = []
    for scope in [frame.f_locals] if frame.f_locals is frame.f_globals else [frame.f_locals, frame.f_globals]:
        for name, value in list(scope.items()):
            if name.startswith("_"):
                continue
            if isinstance(value, _C.Tensor):
                found.append((name, value))
            elif isinstance(value, _C.ModuleBase):
                modules.append((name, value))
            elif isinstance(value, (list, tuple)) and len(value) <= 1000:
                found += [(f"{name}[{k}]", t) for k, t in enumerate(value) if isinstance(t, _C.Tensor)]
            elif isinstance(value, dict) and value is not scope and len(value) <= 1000:
                found += [(f"{name}[{k!r}]", t) for k, t in list(value.items()) if isinstance(t, _C.Tensor)]
    for name, module in modules:
        prefix = "" if module is model else name + "."
        found += [(prefix + path, t) for path, t in module.named_parameters()]
    return found
