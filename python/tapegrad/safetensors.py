"""Files of named tensors in the safetensors format: a length, a JSON header, then the bytes. Nothing in such a file is ever executed.

Reading checks everything that the header claims before any tensor is made: lengths, names, dtypes, shapes, offsets without gaps or
overlaps. Writing goes to a temporary file that replaces the old one only when it is complete and on the disk.
"""
import contextlib
import json
import math
import mmap
import os
import struct
from collections import OrderedDict

from . import _C

__all__ = ["save_file", "load_file", "save", "load", "safe_open", "SafetensorError"]

_MAX_HEADER = 100_000_000
_NAMES = {"BOOL": _C.bool, "U8": _C.uint8, "I8": _C.int8, "I16": _C.int16, "I32": _C.int32, "I64": _C.int64, "F16": _C.float16,
          "BF16": _C.bfloat16, "F32": _C.float32, "F64": _C.float64, "U16": _C.uint16, "U32": _C.uint32, "U64": _C.uint64,
          "C64": _C.complex64}
_CODES = {dtype: name for name, dtype in _NAMES.items()}
_KNOWN_ELSEWHERE = {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4", "C128"}


class SafetensorError(ValueError):
    """A file that is not valid safetensors; the text says where."""


def _header(data, total):
    """(entries {name: (dtype, shape, begin, end)}, metadata, start of the bytes) of a file of `total` bytes that begins with `data`."""
    if total < 8:
        raise SafetensorError(f"file of {total} bytes is too short: a header length takes 8")
    length = struct.unpack("<Q", data[:8])[0]
    if length > _MAX_HEADER:
        raise SafetensorError(f"header of {length} bytes is longer than the allowed {_MAX_HEADER}")
    if 8 + length > total:
        raise SafetensorError(f"header of {length} bytes does not fit into a file of {total}")
    text = bytes(data[8:8 + length])
    if text[:1] != b"{":
        raise SafetensorError("header does not begin with {")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except SafetensorError:
        raise
    except (ValueError, RecursionError) as e:  # also numbers of thousands of digits
        raise SafetensorError(f"header is not JSON: {e}") from None
    if not isinstance(header, dict):
        raise SafetensorError("header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise SafetensorError("__metadata__ must map names to strings")
    entries = {name: _entry(name, entry) for name, entry in header.items()}
    at = 0
    for name, (_, _, begin, end) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if begin != at:
            raise SafetensorError(f"tensor {name!r} begins at {begin}, expected {at}: tensors must follow each other without gap or "
                                  f"overlap")
        at = end
    if 8 + length + at != total:
        raise SafetensorError(f"tensors take {at} bytes, the file has {total - 8 - length} for them")
    return entries, metadata, 8 + length


def _no_duplicates(pairs):
    out = dict(pairs)
    if len(out) != len(pairs):
        raise SafetensorError("header has the same name twice")
    return out


def _entry(name, entry):
    """(dtype, shape, begin, end), checked."""
    def fail(text):
        raise SafetensorError(f"tensor {name!r}: {text}")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        fail("entry must have dtype, shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in _NAMES:
        fail(f"dtype {code!r} is {'not supported' if isinstance(code, str) and code in _KNOWN_ELSEWHERE else 'unknown'}")
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 2 ** 63 for n in shape):
        fail(f"shape {shape!r} must be a list of sizes")
    if len(shape) > 16:
        fail(f"has {len(shape)} dimensions, at most 16 are supported")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(n) is int and 0 <= n < 2 ** 63 for n in offsets):
        fail(f"data_offsets {offsets!r} must be two positions")
    begin, end = offsets
    size = _NAMES[code].itemsize
    for n in shape:
        size *= n
    if 0 in shape and math.prod(max(n, 1) for n in shape) >= 2 ** 63:
        fail(f"shape {shape} has strides beyond 2^63")
    if end - begin != size:
        fail(f"{code} of shape {shape} takes {size} bytes, data_offsets give {end - begin}")
    return _NAMES[code], shape, begin, end


def _tensor(buffer, start, entry):
    """A tensor over its bytes in a writable buffer, no copy where they are aligned; it keeps the buffer alive."""
    dtype, shape, begin, end = entry
    if begin == end:
        return _C.empty(shape, dtype=dtype)
    data = _C.frombuffer(buffer, dtype=_C.uint8, offset=start + begin, count=end - begin)
    if data.data_ptr() % dtype.itemsize:
        data = data.clone()
    if dtype == _C.bool and bool((data > 1).any()):
        raise SafetensorError("a bool is neither 0 nor 1")
    return data.view(dtype).reshape(shape)


class _Slice:
    """A tensor of a file that is read in parts: part[2:4] touches only those rows."""

    def __init__(self, tensor):
        self._tensor = tensor

    def get_shape(self):
        """Its sizes."""
        return list(self._tensor.shape)

    def get_dtype(self):
        """Its name in the format: "F32"."""
        return _CODES[self._tensor.dtype]

    def __getitem__(self, index):
        return self._tensor[index].clone()


class safe_open:
    """A file opened for reading single tensors: `with safe_open(path) as f: f.keys(); f.get_tensor(name); f.metadata()`.

    The file is mapped, not read: a tensor's bytes come from the disk when they are used, and writes to it never reach the file.
    """

    def __init__(self, filename, framework="tapegrad", device="cpu"):
        if framework not in ("tapegrad", "pt", "torch", "pytorch"):
            raise NotImplementedError(f"safe_open gives tapegrad's tensors, not those of framework={framework!r}; use .numpy()")
        self._device = _C.device("cuda", device) if isinstance(device, int) else _C.device(device)
        self._file = open(filename, "rb")
        try:
            total = os.fstat(self._file.fileno()).st_size
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_COPY) if total else b""
            self._entries, self._metadata, self._start = _header(self._map, total)
        except BaseException:
            self._file.close()
            raise

    def keys(self):
        """The names, in the order of the file."""
        if self._entries is None:
            raise ValueError(f"{self._file.name} is closed")
        return list(self._entries)

    def metadata(self):
        """The file's string to string metadata."""
        return dict(self._metadata)

    def _entry(self, name):
        if self._entries is None:
            raise ValueError(f"{self._file.name} is closed")
        if name not in self._entries:
            raise KeyError(f"no tensor {name!r} in {self._file.name}")
        return self._entries[name]

    def get_shape(self, name):
        """A tensor's shape, without reading it."""
        return list(self._entry(name)[1])

    def get_tensor(self, name):
        """One tensor. KeyError when there is none of that name."""
        tensor = _tensor(self._map, self._start, self._entry(name))
        return tensor if self._device.type == "cpu" else tensor.to(self._device)

    def get_slice(self, name):
        """One tensor to be read in parts: f.get_slice(name)[:10]."""
        return _Slice(self.get_tensor(name))

    def close(self):
        """Closes the file; tensors that were got from it stay."""
        self._map = self._entries = None
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def load_file(filename, device="cpu"):
    """All tensors of a file, {name: tensor}. SafetensorError when it is not valid."""
    with safe_open(filename, device=device) as f:
        return OrderedDict((name, f.get_tensor(name)) for name in f.keys())


def load(data):
    """All tensors of bytes in the format, over one copy of them."""
    entries, _, start = _header(data, len(data))
    data = bytearray(data)
    return OrderedDict((name, _tensor(data, start, entry)) for name, entry in entries.items())


def _parts(tensors, metadata):
    """The pieces of a file in order."""
    header, blobs, at = {}, [], 0
    if metadata:
        if not all(isinstance(k, str) and isinstance(v, str) for k, v in metadata.items()):
            raise TypeError("metadata must map strings to strings")
        header["__metadata__"] = dict(metadata)
    for name, t in tensors.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise TypeError(f"tensor names must be strings other than '__metadata__', got {name!r}")
        if not isinstance(t, _C.Tensor):
            raise TypeError(f"{name!r} must be a Tensor, got {type(t).__name__}")
        if t.dtype not in _CODES:
            raise TypeError(f"{name!r}: {t.dtype} cannot be saved")
    for name, t in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):  # large elements first: all stay aligned
        size = t.numel() * t.dtype.itemsize
        header[name] = {"dtype": _CODES[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + size]}
        at += size
        blobs.append(t)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield struct.pack("<Q", len(text)) + text
    for t in blobs:
        yield _C.to_bytes(t.detach().cpu())


def save(tensors, metadata=None):
    """The bytes of a file of these tensors."""
    return b"".join(_parts(tensors, metadata))


def save_file(tensors, filename, metadata=None):
    """Writes {name: tensor} to a file, atomically: the old file stays until the new one is complete.

    Tensors that share memory are written once for each name. TypeError for what is not a tensor or has no name in the format.
    """
    with replacing(filename) as f:
        for part in _parts(tensors, metadata):
            f.write(part)


@contextlib.contextmanager
def replacing(filename):
    """A file to write; it takes the name of the old one when the block ends without an error and all is on the disk. The target of a link
    is replaced, not the link; what is no ordinary file, such as a pipe, is written to."""
    filename = os.path.realpath(filename)
    if os.path.exists(filename) and not os.path.isfile(filename):
        with open(filename, "wb") as f:
            yield f
        return
    folder, temporary = os.path.dirname(filename), f"{filename}.{os.urandom(8).hex()}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(fd, "wb") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        if os.path.exists(filename):
            os.chmod(temporary, os.stat(filename).st_mode & 0o777)
        os.replace(temporary, filename)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder):
    """The new name itself is on the disk once its folder is. Some file systems cannot flush a folder: then there is no more to do."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
