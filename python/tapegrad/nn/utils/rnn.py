"""Sequences of different lengths as one tensor."""
from ... import _C
from ..._ops import op

__all__ = ["pad_sequence", "unpad_sequence"]

_pad = op("pad")


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Tensors (L_i, *) as one (T, B, *), or (B, T, *) with batch_first, filled up with padding_value."""
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"padding_side must be 'left' or 'right', got {padding_side!r}")
    sequences = list(sequences.unbind(0)) if isinstance(sequences, _C.Tensor) else list(sequences)
    if not sequences:
        raise RuntimeError("pad_sequence: received an empty list of sequences")
    longest = max(s.shape[0] for s in sequences)
    out = []
    for s in sequences:
        missing = longest - s.shape[0]
        sides = (missing, 0) if padding_side == "left" else (0, missing)
        out.append(_pad(s, (0, 0) * (s.ndim - 1) + sides, "constant", padding_value) if missing else s)
    return _C.stack(out, 0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The list of tensors that pad_sequence joined, given their lengths."""
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:int(n)] for row, n in zip(x, lengths)]
