"""save and load: state dicts, and nested dicts and lists of tensors and plain values, as safetensors files.

A flat {name: tensor} becomes an ordinary safetensors file that any reader takes. Anything nested (an optimizer's state, a checkpoint
of several parts) keeps its structure as JSON in the metadata. No pickle is read or written: loading runs no code.
"""
import json
import math
import os
from collections import OrderedDict

from . import _C, safetensors

__all__ = ["save", "load"]

_STRUCTURE = "tapegrad.structure"


def save(obj, f, *, metadata=None):
    """Writes tensors, or dicts, lists and tuples of tensors, numbers, strings, bools and None, to the file f (path or binary file).

    TypeError for anything else: save a module's state_dict() instead of the module. The file is replaced atomically.
    """
    if hasattr(obj, "state_dict") and not isinstance(obj, dict):
        raise TypeError(f"save: {type(obj).__name__} cannot be saved itself; save its state_dict()")
    metadata = dict(metadata or {})
    if isinstance(obj, dict) and obj and all(_plain_entry(k, v) for k, v in obj.items()):
        tensors = dict(obj)
        metadata["tapegrad.order"] = json.dumps(list(obj))
    else:
        tensors = {}
        metadata[_STRUCTURE] = json.dumps(_pack(obj, "", tensors, {}), allow_nan=False)
    if hasattr(f, "write"):
        f.write(safetensors.save(tensors, metadata))
    else:
        if os.fspath(f).endswith((".pt", ".pth")):
            raise NotImplementedError(f"save: {os.fspath(f)!r}: PyTorch's pickle format (.pt, .pth) is not implemented; use a name "
                                      f"ending in .safetensors")
        safetensors.save_file(tensors, f, metadata)


def _plain_entry(name, value):
    return isinstance(name, str) and name != "__metadata__" and isinstance(value, _C.Tensor)


def load(f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None):
    """What save() wrote to the file f (path or binary file); flat files come back as an OrderedDict {name: tensor}.

    SafetensorError (a ValueError) for invalid files, NotImplementedError for PyTorch's pickles.
    """
    if map_location not in (None, "cpu") and str(getattr(map_location, "type", map_location)) != "cpu" and not callable(map_location):
        raise NotImplementedError(f"load: map_location={map_location!r}: only the CPU; move the tensors with .to(device)")
    if hasattr(f, "read"):
        data = f.read()
        _refuse_pickle(data[:8], getattr(f, "name", "the file"))
        tensors, metadata = safetensors.load(data), safetensors._header(data, len(data))[1]
    else:
        with open(f, "rb") as file:
            _refuse_pickle(file.read(8), os.fspath(f))
        with safetensors.safe_open(f) as file:
            tensors, metadata = OrderedDict((k, file.get_tensor(k)) for k in file.keys()), file.metadata()
    if _STRUCTURE in metadata:
        try:
            return _unpack(json.loads(metadata[_STRUCTURE]), tensors)
        except (KeyError, IndexError, TypeError, ValueError, RecursionError) as e:
            raise safetensors.SafetensorError(f"the structure in the metadata is not valid: {type(e).__name__}: {e}") from None
    try:
        order = json.loads(metadata.get("tapegrad.order", "null"))
    except ValueError:
        order = None
    if isinstance(order, list) and set(map(str, order)) == set(tensors):
        tensors = OrderedDict((k, tensors[k]) for k in order)
    return tensors


def _refuse_pickle(head, name):
    if head[:4] == b"PK\x03\x04" or head[:2] in (b"\x80\x02", b"\x80\x04"):
        raise NotImplementedError(f"load: {name!r} is in PyTorch's pickle format (.pt, .pth), which is not implemented: save the "
                                  "state_dict as safetensors from PyTorch (safetensors.torch.save_file) and load that")


# The structure: null, true, 1, "text" stand for themselves; {"t": name} a tensor; {"f": text} a float (exact, with inf and nan);
# {"l": [...]} a list; {"u": [...]} a tuple; {"d": [[key, value], ...]} a dict; {"o": ...} an OrderedDict; {"y": name} a dtype.

def _pack(x, path, tensors, seen):
    if x is None or isinstance(x, (bool, str)):
        return x
    if isinstance(x, _C.Tensor):
        if id(x) not in seen:
            name = path or "value"
            while name in tensors:
                name += "_"
            seen[id(x)] = name
            tensors[name] = x
        return {"t": seen[id(x)]}
    if isinstance(x, int):
        return int(x)
    if isinstance(x, float):
        return {"f": float(x).hex() if math.isfinite(x) else repr(float(x))}
    if isinstance(x, _C.dtype):
        return {"y": str(x).rsplit(".", 1)[-1]}

    def inner(key, value):
        return _pack(value, f"{path}.{key}" if path else str(key), tensors, seen)
    if isinstance(x, dict):
        return {"o" if isinstance(x, OrderedDict) else "d": [[_pack(k, path, tensors, seen), inner(k, v)] for k, v in x.items()]}
    if isinstance(x, (list, tuple)):
        return {"u" if isinstance(x, tuple) else "l": [inner(i, v) for i, v in enumerate(x)]}
    raise TypeError(f"save: {path or 'the object'} is a {type(x).__name__}; only tensors, numbers, strings, None, dicts, lists and "
                    f"tuples can be saved")


def _unpack(x, tensors):
    if not isinstance(x, dict):
        if isinstance(x, list):
            raise ValueError("a bare list")
        return x
    (kind, value), = x.items()
    if kind == "t":
        return tensors[value]
    if kind == "f":
        return float(value) if value in ("inf", "-inf", "nan") else float.fromhex(value)
    if kind == "y":
        if value not in safetensors_dtypes():
            raise ValueError(f"unknown dtype {value!r}")
        return getattr(_C, value)
    if kind in ("l", "u"):
        return (tuple if kind == "u" else list)(_unpack(v, tensors) for v in value)
    if kind in ("d", "o"):
        return (OrderedDict if kind == "o" else dict)((_unpack(k, tensors), _unpack(v, tensors)) for k, v in value)
    raise ValueError(f"unknown kind {kind!r}")


def safetensors_dtypes():
    """The names of the dtypes that a file can hold."""
    return {str(d).rsplit(".", 1)[-1] for d in safetensors._CODES}
