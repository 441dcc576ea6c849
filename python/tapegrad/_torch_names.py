"""The names that PyTorch's files may hold, and what each stands for. What is not here is refused."""
import math
import re
from collections import Counter, OrderedDict

from . import _C
from ._pickle import Builder, UnpicklingError, hashable
from .nn.parameter import Parameter

_STORAGES = {"FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
             "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
             "BoolStorage": "bool", "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128"}
STORAGE_OF = {getattr(_C, dtype): name for name, dtype in _STORAGES.items()}
_DTYPES = {name: getattr(_C, name) for name in (*_STORAGES.values(), "uint16", "uint32", "uint64")}
_NO_DTYPES = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "complex32", "quint8", "qint8", "qint32")
_MAX_DIMS = 16


class Storage:
    """Bytes of a file as a 1-d uint8 tensor, and the dtype that its name claims."""

    def __init__(self, data, dtype):
        self.data, self.dtype, self.views = data, dtype, {}

    def view(self, dtype):
        """Its whole memory as elements of a dtype; the same tensor each time."""
        if dtype not in self.views:
            size = dtype.itemsize
            if self.data.numel() % size:
                raise UnpicklingError(f"a storage of {self.data.numel()} bytes holds no whole number of {dtype}")
            if self.data.numel() and self.data.data_ptr() % size:
                self.data = self.data.clone()
            self.views[dtype] = self.data.view(dtype) if self.data.numel() else _C.empty(0, dtype=dtype)
        return self.views[dtype]


class StorageType:
    """The name of a storage's class in a file: its dtype."""

    def __init__(self, dtype):
        self.dtype = dtype


# ---- names ---------------------------------------------------------------------------------------------------------

def int_list(values, what):
    """A list of sizes out of a file, checked."""
    if not isinstance(values, (tuple, list)) or len(values) > _MAX_DIMS or not all(type(n) is int and 0 <= n < 2 ** 63 for n in values):
        raise UnpicklingError(f"the {what} of a tensor must be at most {_MAX_DIMS} sizes")
    return list(values)


def _rebuild(storage, offset, size, stride, requires_grad=False, hooks=None, metadata=None, dtype=None):
    if not isinstance(storage, Storage):
        raise UnpicklingError("a tensor without a storage")
    size, stride, (offset,) = int_list(size, "size"), int_list(stride, "stride"), int_list([offset], "offset")
    elements = storage.view(dtype or storage.dtype)
    if len(size) != len(stride) or math.prod(size) * elements.itemsize >= 2 ** 63:
        raise UnpicklingError(f"a tensor of size {size} with strides {stride}")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride))
    if 0 in size:
        tensor = _C.empty(size, dtype=elements.dtype)
    elif last >= elements.numel():
        raise UnpicklingError(f"a tensor of size {size} with strides {stride} and offset {offset} reaches element {last} of a storage of "
                              f"{elements.numel()}")
    else:
        tensor = elements.as_strided(size, stride, offset).detach()
    if metadata and metadata.get("conj"):
        tensor = tensor.conj().resolve_conj()
    if metadata and metadata.get("neg"):
        tensor = tensor.neg()
    return tensor.requires_grad_() if requires_grad else tensor


def _rebuild_v3(storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None):
    if not isinstance(dtype, _C.dtype):
        raise UnpicklingError("a tensor without a dtype")
    return _rebuild(storage, offset, size, stride, requires_grad, hooks, metadata, dtype)


def _parameter(data, requires_grad=True, hooks=None, state=None):
    if not isinstance(data, _C.Tensor):
        raise UnpicklingError("a Parameter without a tensor")
    out = Parameter(data, bool(requires_grad))
    _set_attributes(out, state)
    return out


def _with_attributes(make, kind, args, state):
    """A tensor with attributes, or of a subclass: the subclass is kept only where it is Parameter."""
    if not isinstance(make, Builder) or make.name not in _TENSORS or not isinstance(args, tuple):
        raise UnpicklingError("attributes for what is no tensor")
    out = make.call(*args)
    if isinstance(kind, Builder) and kind.value is Parameter and not isinstance(out, Parameter):
        out = Parameter(out, out.requires_grad)
    _set_attributes(out, state)
    return out


def _set_attributes(tensor, state):
    if isinstance(state, tuple) and len(state) == 2:
        state = {**(state[0] or {}), **(state[1] or {})}
    for name, value in (state or {}).items():
        if isinstance(name, str) and not name.startswith("__") and not hasattr(type(tensor), name):
            setattr(tensor, name, value)


def _from_parts(data, dtype, device, requires_grad):
    """Tensors of devices that PyTorch reaches through the CPU."""
    tensor = data if isinstance(data, _C.Tensor) else _C.from_numpy(data)
    return tensor.to(dtype).requires_grad_(bool(requires_grad))


def _encode(text, encoding="utf-8"):
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8"):
        raise UnpicklingError("_codecs.encode of what is no text")
    return text.encode(encoding)


def _bytearray(*args):
    if len(args) == 2:
        args = (_encode(*args),)
    if args and not isinstance(args[0], bytes):
        raise UnpicklingError("a bytearray that is not made of bytes")
    return bytearray(*args)


def _counter(items=()):
    return Counter(_ordered(items.items() if isinstance(items, dict) else items))


def _ordered(items=()):
    return OrderedDict((hashable(k), v) for k, v in items)


def _set(items=()):
    return set(map(hashable, items))


def _set_dict(made, state):
    if not isinstance(state, dict) or not all(isinstance(k, str) and not k.startswith("__") for k in state):
        raise UnpicklingError("attributes that are no dict")
    made.__dict__.update(state)


_TENSORS = {
    "torch._utils._rebuild_tensor": _rebuild, "torch._utils._rebuild_tensor_v2": _rebuild, "torch._utils._rebuild_tensor_v3": _rebuild_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_device_tensor_from_numpy": _from_parts, "torch._utils._rebuild_xla_tensor": _from_parts,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _from_parts,
}
_BUILDERS = {
    **_TENSORS,
    "torch._tensor._rebuild_from_type_v2": _with_attributes,
    "torch.Size": lambda sizes=(): _C.Size(int_list(sizes, "size")),
    "torch.device": lambda kind, index=None: _C.device(kind) if index is None else _C.device(kind, index),
    "torch.serialization._get_layout": lambda name: _C.strided if name == "torch.strided" else _unsupported(f"the layout {name}"),
    "collections.Counter": _counter, "_codecs.encode": _encode, "builtins.bytearray": _bytearray,
    "builtins.bytes": lambda: b"", "builtins.set": _set,
    "builtins.frozenset": lambda items=(): frozenset(_set(items)), "builtins.complex": complex,
}


def _unsupported(what):
    raise NotImplementedError(f"load: the file holds {what}, which tapegrad does not have")


def find_name(module, name, safe):
    """The object for a name in a file; UnpicklingError for all that is not listed here or in the caller's `safe`."""
    module = {"__builtin__": "builtins", "torch.cuda": "torch", "torch.storage": "torch", "numpy._core.multiarray": "numpy.core.multiarray",
              "tapegrad": "torch", "torch.tensor": "torch"}.get(module, module)
    full = f"{module}.{name}"
    if full in safe:
        return _user_builder(full, safe[full])
    if full in _BUILDERS:
        return Builder(full, _BUILDERS[full])
    if full == "collections.OrderedDict":
        return Builder(full, _ordered, _set_dict)
    if module == "torch":
        if name in _STORAGES:
            return StorageType(_DTYPES[_STORAGES[name]])
        if name in ("UntypedStorage", "TypedStorage"):
            return StorageType(_C.uint8)
        if name in _DTYPES:
            return _DTYPES[name]
        if name == "Tensor" or (name.endswith("Tensor") and name.removesuffix("Tensor") + "Storage" in _STORAGES):
            return Builder(full, lambda *args: _unsupported(f"a call of {full}"), value=_C.Tensor)
        if name in _NO_DTYPES:
            _unsupported(full)
        if name in ("strided", "contiguous_format", "channels_last", "channels_last_3d", "preserve_format"):
            return getattr(_C, name)
    if full == "torch.nn.parameter.Parameter":
        return Builder(full, lambda *args: _parameter(*args), value=Parameter)
    if module == "torch._utils" and name.startswith("_rebuild_"):
        _unsupported(f"a tensor of another kind ({full})")
    if module in ("numpy", "numpy.core.multiarray"):
        made = _numpy_name(full)
        if made is not None:
            return made
    raise UnpicklingError(
        f"load: the file wants {full}, which is not on the list of names that are safe to load. Only tensors, numbers, texts and "
        f"containers of them are read, weights_only=False or not: a pickle may run any program. Save a state_dict() instead of an object; "
        f"or, if you trust {full}, allow it with tapegrad.serialization.add_safe_globals([{name}])")


def _user_builder(full, thing):
    """What add_safe_globals() allows: it is called as the pickle says."""
    if not isinstance(thing, type):
        return Builder(full, thing)

    def set_state(made, state):
        if hasattr(made, "__setstate__"):
            made.__setstate__(state)
        else:
            made.__dict__.update(state)
    return Builder(full, thing, set_state, lambda *args: thing.__new__(thing, *args), thing)


def _numpy_name(full):
    """NumPy's scalars, arrays and dtypes of plain numbers."""
    import numpy

    def dtype(code="f8", *_):
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?[?bifcuSU]\d{0,4}", code):
            raise UnpicklingError(f"the NumPy dtype {code[:50] if isinstance(code, str) else type(code).__name__!r} is not allowed")
        return numpy.dtype(code, copy=True)

    def dtype_state(made, state):
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|", "=") or any(x is not None for x in state[2:5]):
            raise UnpicklingError("a NumPy dtype of several fields")
        made.__setstate__(state)

    def scalar(kind, data):
        if not isinstance(kind, numpy.dtype) or kind.hasobject:
            raise UnpicklingError("a NumPy scalar without a dtype")
        data = _encode(data, "latin1") if isinstance(data, str) else data
        return numpy.frombuffer(data, kind, 1)[0]

    def array_state(made, state):
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], numpy.dtype) or state[2].hasobject:
            raise UnpicklingError("a NumPy array of objects")
        data = _encode(state[4], "latin1") if isinstance(state[4], str) else state[4]
        if math.prod(int_list(state[1], "shape")) * state[2].itemsize != len(data):
            raise UnpicklingError(f"a NumPy array of shape {state[1]} with {len(data)} bytes")
        made.__setstate__((*state[:4], data))
    return {"numpy.dtype": Builder(full, dtype, dtype_state), "numpy.core.multiarray.scalar": Builder(full, scalar),
            "numpy.core.multiarray._reconstruct": Builder(full, lambda *_: numpy.empty(0), array_state),
            "numpy.ndarray": Builder(full, lambda *_: _unsupported("a call of numpy.ndarray"))}.get(full)
