"""save and load: state dicts, and nested dicts and lists of tensors and plain values, as PyTorch's files or safetensors.

PyTorch's format is in _torch_file.py. In safetensors a flat {name: tensor} becomes an ordinary file that any reader takes; anything
nested keeps its structure as JSON in the metadata. Loading never runs code from a file, whatever its format.
"""
import json
import math
import os
from collections import OrderedDict

from . import _C, cuda, safetensors

__all__ = ["save", "load", "add_safe_globals", "get_safe_globals", "clear_safe_globals", "safe_globals"]

_STRUCTURE = "tapegrad.structure"


def save(obj, f, pickle_module=None, pickle_protocol=2, _use_new_zipfile_serialization=True, *, metadata=None):
    """Writes tensors, or dicts, lists, tuples and sets of tensors, numbers, texts and None, to the file f (path or binary file).

    The file is PyTorch's zip format, which torch.load(weights_only=True) takes; a path that ends in .safetensors gives a safetensors
    file (`metadata`: texts for its header). Storages are written whole and once, so views stay views. TypeError for anything else: save a
    module's state_dict() instead of the module. The file is replaced atomically.
    """
    if hasattr(obj, "state_dict") and not isinstance(obj, dict):
        raise TypeError(f"save: {type(obj).__name__} cannot be saved itself; save its state_dict()")
    if getattr(pickle_module, "__name__", "pickle") != "pickle":
        raise NotImplementedError(f"save: pickle_module={pickle_module.__name__}: tapegrad writes its pickles itself; leave it out")
    if pickle_protocol not in range(6):
        raise ValueError(f"save: pickle_protocol={pickle_protocol!r} is unknown; protocol 2 is written, whichever of 0 to 5 is asked for")
    if not _use_new_zipfile_serialization:
        raise NotImplementedError("save: the format from before PyTorch 1.6 is only read; leave _use_new_zipfile_serialization out")
    if not hasattr(f, "write") and os.fspath(f).endswith(".safetensors"):
        _save_safetensors(obj, f, metadata)
        return
    if metadata is not None:
        raise TypeError("save: metadata is for safetensors files; put it into the object")
    from . import _torch_file
    if hasattr(f, "write"):
        _torch_file.write_zip(obj, f)
    else:
        with safetensors.replacing(f) as file:
            _torch_file.write_zip(obj, file)


def _save_safetensors(obj, f, metadata):
    metadata = dict(metadata or {})
    if isinstance(obj, dict) and obj and all(_plain_entry(k, v) for k, v in obj.items()):
        tensors = dict(obj)
        metadata["tapegrad.order"] = json.dumps(list(obj))
    else:
        tensors = {}
        metadata[_STRUCTURE] = json.dumps(_pack(obj, "", tensors, {}), allow_nan=False)
    safetensors.save_file(tensors, f, metadata)


def _plain_entry(name, value):
    return isinstance(name, str) and name != "__metadata__" and isinstance(value, _C.Tensor)


def load(f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None, **pickle_load_args):
    """What save(), or PyTorch's, wrote to the file f (path or seekable binary file): .pt and .pth of any age, and safetensors.

    Args:
        map_location: where storages go: None (where they were), "cpu", "cuda:1", a device, a dict {location: location}, or f(storage,
            location), which gives the storage to leave it on the CPU. Without a GPU files from one need it.
        weights_only: True and False are the same: a file is data and never runs code. What may be in it is a fixed list of names and
            those of add_safe_globals().
        pickle_load_args: encoding and the other options of pickle.Unpickler are accepted; texts are always read as UTF-8.
        mmap: True maps the file instead of reading it (paths only): tensors are paged in when they are used, and writes stay private.
    pickle.UnpicklingError for names that are not allowed and broken pickles, RuntimeError for broken archives, SafetensorError.
    """
    if getattr(pickle_module, "__name__", "pickle") != "pickle":
        raise NotImplementedError(f"load: pickle_module={pickle_module.__name__}: tapegrad reads pickles itself; leave it out")
    for name in pickle_load_args:
        if name not in ("encoding", "errors", "fix_imports", "buffers"):
            raise TypeError(f"load() got an unexpected keyword argument {name!r}")
    restore = _restorer(map_location)
    if hasattr(f, "read"):
        if mmap:
            raise ValueError("load: mmap=True needs the path of a file, got an open file")
        if not hasattr(f, "seek"):
            raise AttributeError(f"load: the file ({type(f).__name__}) cannot seek; read it into an io.BytesIO first")
        return _load_file(f, restore, False)
    path = os.fspath(f)
    with open(path, "rb") as file:
        return _load_file(file, restore, bool(mmap), path)


def _load_file(file, restore, use_mmap, path=None):
    start = file.tell()
    head = file.read(9)
    if not isinstance(head, bytes):
        raise TypeError(f"load: the file gives {type(head).__name__}, not bytes; open it in binary mode")
    file.seek(start)
    if head[:4] == b"PK\x03\x04":
        from . import _torch_file
        if start:  # positions in a zip archive count from its first byte
            import io
            file = io.BytesIO(file.read())
        return _torch_file.read_zip(file, restore, _safe, use_mmap)
    if head[:1] == b"\x80" and head[4:] != b"\0\0\0\0{":  # a safetensors header of 128, 384 ... bytes begins so too
        from . import _torch_file
        if use_mmap:
            raise RuntimeError("load: mmap=True needs the zip format of PyTorch 1.6 and later; this file is older")
        return _torch_file.read_legacy(file.read(), restore, _safe)
    if path is not None:
        with safetensors.safe_open(path) as f:
            return _structured(OrderedDict((k, f.get_tensor(k)) for k in f.keys()), f.metadata())
    data = file.read()
    if data[257:262] == b"ustar":
        raise NotImplementedError("load: the tar format from before PyTorch 0.2 is not read; load and save the file with PyTorch once")
    return _structured(safetensors.load(data), safetensors._header(data, len(data))[1])


def _restorer(map_location):
    """f(storage's tensor, location) -> tensor where it belongs."""
    def place(data, location, asked):
        kind, _, index = str(location).partition(":")
        if kind == "cpu":
            return data
        who = f"load: {'map_location wants' if asked else 'the file has'} tensors on {str(location)!r}"
        if kind != "cuda" or not cuda.is_available():
            raise RuntimeError(f"{who}, but there is only the CPU: use map_location='cpu'")
        if index and int(index) >= cuda.device_count():
            raise RuntimeError(f"{who}, but there is no such device, there are {cuda.device_count()}: use map_location='cuda:0'")
        return data.to(str(location))

    def restore(data, location):
        if map_location is None:
            return place(data, location, False)
        if isinstance(map_location, dict):
            return place(data, map_location.get(location, location), True)
        if callable(map_location):
            return data if map_location(data.untyped_storage(), location) is not None else place(data, location, False)
        return place(data, f"cuda:{map_location}" if isinstance(map_location, int) else map_location, True)
    return restore


# ---- names that users allow

_safe = {}  # "module.name" -> class or function


def add_safe_globals(safe_globals):
    """Lets files name these classes and functions: each the thing itself, or (thing, "module.name"). load() may then call them."""
    for thing in safe_globals:
        thing, name = thing if isinstance(thing, tuple) else (thing, None)
        _safe[name or f"{thing.__module__}.{thing.__qualname__}"] = thing


def get_safe_globals():
    """What add_safe_globals() has added."""
    return list(_safe.values())


def clear_safe_globals():
    """Forgets what add_safe_globals() has added."""
    _safe.clear()


class safe_globals:
    """with safe_globals([Thing]): load(...) allows them for a while."""

    def __init__(self, safe_globals):
        self.things = safe_globals

    def __enter__(self):
        self.before = dict(_safe)
        add_safe_globals(self.things)

    def __exit__(self, *exc):
        _safe.clear()
        _safe.update(self.before)


# ---- nested things in a safetensors file

def _structured(tensors, metadata):
    if _STRUCTURE in metadata:
        try:
            return _unpack(json.loads(metadata[_STRUCTURE]), tensors)
        except (KeyError, IndexError, TypeError, ValueError, OverflowError, RecursionError) as e:
            raise safetensors.SafetensorError(f"the structure in the metadata is not valid: {type(e).__name__}: {e}") from None
    try:
        order = json.loads(metadata.get("tapegrad.order", "null"))
    except (ValueError, RecursionError):
        order = None
    if isinstance(order, list) and all(isinstance(k, str) for k in order) and set(order) == set(tensors):
        tensors = OrderedDict((k, tensors[k]) for k in order)
    return tensors


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
