"""From a list of samples to one batch."""
import copy
from collections.abc import Mapping, MutableMapping, Sequence

from ... import _C

__all__ = ["default_collate", "default_convert"]


def _is_numpy(x):
    return type(x).__module__ == "numpy"


def _from_numpy(x):
    """An array or NumPy scalar as a tensor; None for arrays of strings or objects."""
    if x.dtype.kind in "SUO":
        return None
    return _C.as_tensor(x)


def _rebuild(like, values):
    """A sequence or mapping of the type of `like`."""
    try:
        if isinstance(like, tuple) and hasattr(like, "_fields"):
            return type(like)(*values)
        if isinstance(like, MutableMapping):  # which may have more in it than its items
            out = copy.copy(like)
            out.update(values)
            return out
        return type(like)(values)
    except TypeError:
        return dict(values) if isinstance(like, Mapping) else list(values)


def default_collate(batch):
    """Stacks tensors and arrays, turns numbers into a tensor (floats: float64), and goes into mappings, tuples and lists.

    Strings stay a list. TypeError for anything else, RuntimeError for sequences of different lengths.
    """
    first = batch[0]
    if isinstance(first, _C.Tensor):
        return _C.stack(list(batch))
    if isinstance(first, (str, bytes)):  # NumPy's, too
        return batch
    if _is_numpy(first) and hasattr(first, "dtype"):
        tensors = [_from_numpy(x) for x in batch]
        if tensors[0] is None:
            raise TypeError(f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {first.dtype}")
        return _C.stack(tensors)
    if isinstance(first, bool):
        return _C.tensor(batch)
    if isinstance(first, float):
        return _C.tensor(batch, dtype=_C.float64)
    if isinstance(first, int):
        return _C.tensor(batch)
    if isinstance(first, Mapping):
        return _rebuild(first, {k: default_collate([x[k] for x in batch]) for k in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(list(xs)) for xs in zip(*batch)))
    if isinstance(first, Sequence):
        if any(len(x) != len(first) for x in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [default_collate(list(xs)) for xs in zip(*batch)]
        return columns if isinstance(first, tuple) else _rebuild(first, columns)
    raise TypeError(f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(first)}")


def default_convert(data):
    """Arrays become tensors, also inside mappings and sequences; all else stays."""
    if isinstance(data, _C.Tensor) or isinstance(data, (str, bytes)):
        return data
    if _is_numpy(data) and hasattr(data, "dtype"):
        tensor = _from_numpy(data)
        return data if tensor is None else tensor
    if isinstance(data, Mapping):
        return _rebuild(data, {k: default_convert(v) for k, v in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(x) for x in data))
    if isinstance(data, Sequence):
        values = [default_convert(x) for x in data]
        return values if isinstance(data, tuple) else _rebuild(data, values)
    return data
