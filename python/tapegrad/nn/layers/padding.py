"""Padding layers: they extend the last one, two or three dimensions."""
from .. import functional as F
from ..module import Module
from .conv import tuple_of

__all__ = [f"{kind}Pad{n}d" for kind in ("Circular", "Constant", "Reflection", "Replication", "Zero") for n in (1, 2, 3)]


class _Pad(Module):
    _mode = "constant"

    def __init__(self, padding):
        super().__init__()
        self.padding = tuple_of(padding, 2 * self._dims)

    def forward(self, input):
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self):
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        return f"{self.padding}"


def _make(kind, base, dims, doc, mode="constant"):
    name = f"{kind}Pad{dims}d"
    sides = "(left, right)", "(left, right, top, bottom)", "(left, right, top, bottom, front, back)"
    text = f"{doc} Extends the last {dims} dimension(s); padding: a number or {sides[dims - 1]}."
    return type(name, (base,), {"__doc__": text, "__module__": __name__, "_dims": dims, "_mode": mode})


for _n in (1, 2, 3):
    globals()[f"CircularPad{_n}d"] = _make("Circular", _Pad, _n, "Continues periodically.", "circular")
    globals()[f"ReflectionPad{_n}d"] = _make("Reflection", _Pad, _n, "Mirrors at the border element.", "reflect")
    globals()[f"ReplicationPad{_n}d"] = _make("Replication", _Pad, _n, "Repeats the border element.", "replicate")
    globals()[f"ConstantPad{_n}d"] = _make("Constant", _ConstantPad, _n, "Fills with a value.")
    globals()[f"ZeroPad{_n}d"] = _make("Zero", _ZeroPad, _n, "Fills with zeros.")
