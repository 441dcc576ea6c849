"""viz.record(): keeps what every step computed, which the tape itself forgets."""
from .. import _C
from .values import summary

_recorded = {}  # key of node -> {output number: summary}, of the last recording


class record:
    """Context manager: while it is open, the value of every recorded op is kept for viz.graph(), in full when it is small, as a summary
    (range, mean, histogram) otherwise. A recording replaces the one before."""

    def __enter__(self):
        _recorded.clear()
        self.before = _C._observe_tape(self._keep)
        return self

    def __exit__(self, *exc):
        _C._observe_tape(self.before)

    @staticmethod
    def _keep(node, output_nr, value):
        _recorded.setdefault(_key(node), {}).setdefault(output_nr, summary(value))


def _key(node):
    """Says which node it is without keeping it."""
    return hash(node), node._sequence_nr()


def values_of(node):
    """{output number: summary} of a node of the last recording."""
    return _recorded.get(_key(node), {})
