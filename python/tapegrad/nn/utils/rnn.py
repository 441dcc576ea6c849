"""Sequences of different lengths as one tensor: padded, or packed step by step."""
from collections import namedtuple

from ... import _C
from ..._ops import op

__all__ = ["PackedSequence", "invert_permutation", "pack_padded_sequence", "pad_packed_sequence", "pad_sequence", "unpad_sequence",
           "pack_sequence", "unpack_sequence"]

_pad = op("pad")
_Packed = namedtuple("PackedSequence", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"])


def _optional(f, x):
    return None if x is None else f(x)


class PackedSequence(_Packed):
    """Sequences of different lengths without padding, as pack_padded_sequence makes them.

    data: the first elements of all sequences, longest sequence first, then the second ones ...; batch_sizes: how many sequences have
    an element 0, 1, ...; sorted_indices: where the sorted sequences were, None if they were sorted; unsorted_indices: its inverse.
    """
    __slots__ = ()

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if batch_sizes is None:
            data, batch_sizes = data
        if batch_sizes.device.type != "cpu":
            raise ValueError(f"batch_sizes should always be on CPU, got a tensor on {batch_sizes.device}")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        """The same with data.to(...); indices follow to the device."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        device = data.device
        return type(self)(data, self.batch_sizes, _optional(lambda x: x.to(device), self.sorted_indices),
                          _optional(lambda x: x.to(device), self.unsorted_indices))

    def cpu(self):
        """Everything on the CPU."""
        return self.to("cpu")

    def cuda(self, *args, **kwargs):
        """Everything on a CUDA device."""
        return self.to(*(args or ("cuda",)), **kwargs)

    def double(self):
        """data in float64."""
        return self.to(_C.float64)

    def float(self):
        """data in float32."""
        return self.to(_C.float32)

    def half(self):
        """data in float16."""
        return self.to(_C.float16)

    def long(self):
        """data in int64."""
        return self.to(_C.int64)

    def int(self):
        """data in int32."""
        return self.to(_C.int32)

    @property
    def is_cuda(self):
        """Whether data is on a CUDA device."""
        return self.data.device.type == "cuda"

    def is_pinned(self):
        """Whether data is in pinned memory."""
        return self.data.is_pinned()

    def pin_memory(self):
        """The same with data in pinned memory."""
        return type(self)(self.data.pin_memory(), self.batch_sizes, self.sorted_indices, self.unsorted_indices)


def invert_permutation(permutation):
    """The inverse of a permutation of 0 … n - 1; None stays None."""
    if permutation is None:
        return None
    return _C.empty_like(permutation).scatter_(0, permutation, _C.arange(permutation.numel(), device=permutation.device))


def _places(batch_sizes, batch, steps):
    """Where the rows of packed data are among the steps * batch rows of a padded tensor, time first."""
    return (_C.arange(batch) < batch_sizes.unsqueeze(1)).reshape(steps * batch).nonzero().squeeze(1)


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """The PackedSequence of a padded tensor (T, N, ...), or (N, T, ...) with batch_first.

    lengths: of the N sequences, in a list or a CPU tensor, each at least 1. They must fall unless enforce_sorted is False, which sorts.
    """
    lengths = _C.as_tensor(lengths, dtype=_C.int64)
    x = input.transpose(0, 1) if batch_first else input
    if x.dim() < 2:
        raise RuntimeError(f"pack_padded_sequence: input must have at least 2 dimensions, got {x.dim()}")
    steps, batch = x.shape[:2]
    if lengths.dim() != 1 or lengths.numel() != batch:
        raise RuntimeError(f"pack_padded_sequence: Expected `len(lengths)` to be equal to batch_size {batch}, got lengths of shape "
                           f"{tuple(lengths.shape)}")
    if not batch or int(lengths.min()) <= 0:
        raise RuntimeError("pack_padded_sequence: Length of all samples has to be greater than 0")
    if int(lengths.max()) > steps:
        raise RuntimeError(f"pack_padded_sequence: a length of {int(lengths.max())} is more than the {steps} steps of input")
    order = None
    if not enforce_sorted:
        lengths, order = _C.sort(lengths, descending=True)
        x = x.index_select(1, order)
    elif bool((lengths[1:] > lengths[:-1]).any()):
        raise RuntimeError("pack_padded_sequence: `lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
                           "enforce_sorted=False sorts them")
    longest = int(lengths[0])
    batch_sizes = (lengths > _C.arange(longest).unsqueeze(1)).sum(1)
    rows = x[:longest].flatten(0, 1).index_select(0, _places(batch_sizes, batch, longest))
    return PackedSequence(rows, batch_sizes, order, None)


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """(padded tensor (T, N, ...) or (N, T, ...), lengths) of a PackedSequence; total_length fills up to more steps."""
    data, batch_sizes, _, inverse = sequence
    longest, batch = batch_sizes.numel(), int(batch_sizes[0])
    steps = longest if total_length is None else total_length
    if steps < longest:
        raise ValueError("Expected total_length to be at least the length of the longest sequence in input, but got "
                         f"total_length={total_length} and max sequence length being {longest}")
    empty = _C.full((steps * batch, *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    padded = empty.index_copy(0, _places(batch_sizes, batch, longest), data).unflatten(0, (steps, batch))
    lengths = (batch_sizes.unsqueeze(1) > _C.arange(batch)).sum(0)
    if batch_first:
        padded = padded.transpose(0, 1)
    if inverse is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, inverse), lengths[inverse]


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


def pack_sequence(sequences, enforce_sorted=True):
    """The PackedSequence of tensors (L_i, *); longest first unless enforce_sorted is False."""
    return pack_padded_sequence(pad_sequence(sequences), [s.shape[0] for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """The list of tensors that pack_sequence packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
