"""PyTorch's .pt files: a zip archive of a pickle and one entry for each storage; before 1.6, pickles followed by the storages.

Reading goes through tapegrad's own pickle machine with the names of _torch_names.py; nothing else in a file is ever called, and
nothing is allocated that the file does not hold. Writing gives what `torch.load(weights_only=True, mmap=True)` takes.
"""
import io
import mmap
import struct
import sys
import zipfile
import zlib
from collections import OrderedDict

from . import _C
from ._pickle import Reader, UnpicklingError, Writer
from ._torch_names import STORAGE_OF, Storage, StorageType, find_name, int_list
from .nn.parameter import Parameter

_MAGIC, _PROTOCOL = 0x1950a86a20f9469cfc6c, 1001


# ---- reading -------------------------------------------------------------------------------------------------------

class _Loader:
    """What both formats share: names, persistent ids and the places that storages go to."""

    def __init__(self, restore, safe):
        self.restore, self.safe, self.storages = restore, safe, {}

    def find(self, module, name):
        return find_name(module, name, self.safe)

    def parts(self, saved, n):
        """The fields of a persistent id, checked."""
        if not isinstance(saved, tuple) or len(saved) != n or saved[0] != "storage" or not isinstance(saved[1], StorageType) or \
                not isinstance(saved[2], (str, int)) or not isinstance(saved[3], str) or type(saved[4]) is not int or saved[4] < 0:
            raise UnpicklingError(f"persistent id {str(saved)[:100]} is not of a storage")
        return saved[1].dtype, str(saved[2]), saved[3], saved[4]


def read_zip(file, restore, safe, use_mmap):
    """The object of a zip archive in a seekable file. restore(storage, location) puts storages where map_location says."""
    total = file.seek(0, io.SEEK_END)
    try:
        archive = zipfile.ZipFile(file)
        entries = {i.filename: i for i in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error) as e:
        raise RuntimeError(f"load: not a valid zip archive, maybe cut short: {e}") from None
    pickles = [n for n in entries if n == "data.pkl" or n.endswith("/data.pkl")]
    if not pickles:
        raise RuntimeError("load: the zip archive holds no data.pkl, so PyTorch did not write it")
    root = pickles[0].removesuffix("data.pkl")
    if root + "constants.pkl" in entries:
        raise NotImplementedError("load: the file is a TorchScript archive, which is a program; save the model's state_dict() instead")
    if sum(i.file_size for i in entries.values()) > total:
        raise RuntimeError("load: the entries of the zip archive take more bytes than the file has")
    memory = None
    if use_mmap:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def entry(name, claimed=None):
        """(position, size) of an entry that is stored uncompressed within the file."""
        info = entries.get(root + name)
        if info is None:
            raise RuntimeError(f"load: the zip archive holds no {name}")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise RuntimeError(f"load: {name} is compressed or encrypted; PyTorch stores plain bytes")
        if claimed is not None and info.file_size != claimed:
            raise RuntimeError(f"load: {name} has {info.file_size} bytes, the pickle says {claimed}")
        file.seek(max(0, info.header_offset))
        header = file.read(30)
        if info.header_offset < 0 or len(header) != 30 or header[:4] != b"PK\x03\x04":
            raise RuntimeError(f"load: {name} has no valid header in the zip archive")
        at = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
        if at + info.file_size > total:
            raise RuntimeError(f"load: {name} reaches beyond the end of the file")
        file.seek(at)
        return at, info

    def read_bytes(name):
        _, info = entry(name)
        data = file.read(info.file_size)
        _check_sum(name, data, info)
        return data

    if root + "byteorder" in entries and read_bytes("byteorder").strip() != sys.byteorder.encode():
        raise NotImplementedError("load: the file has the other byte order than this machine")
    loader = _Loader(restore, safe)

    def persistent(saved):
        dtype, key, location, numel = loader.parts(saved, 5)
        if key not in loader.storages:
            at, info = entry(f"data/{key}", numel * dtype.itemsize)
            if info.file_size == 0:
                data = _C.empty(0, dtype=_C.uint8)
            elif memory is not None:
                data = _C.frombuffer(memory, dtype=_C.uint8, offset=at, count=info.file_size)
            else:
                data = _C.empty(info.file_size, dtype=_C.uint8)
                _read_into(file, data)
                _check_sum(f"data/{key}", memoryview(data), info)
            loader.storages[key] = Storage(restore(data, location), dtype)
        return loader.storages[key]

    return Reader(read_bytes("data.pkl"), loader.find, persistent).read()


def _read_into(file, tensor):
    view, at = memoryview(tensor), 0
    while at < len(view):
        n = file.readinto(view[at:]) if hasattr(file, "readinto") else _copy_into(view[at:], file.read(len(view) - at))
        if not n:
            raise RuntimeError(f"load: the file ends {len(view) - at} bytes too early")
        at += n


def _copy_into(view, data):
    view[:len(data)] = data
    return len(data)


def _check_sum(name, data, info):
    if zlib.crc32(data) != info.CRC:
        raise RuntimeError(f"load: {name} is damaged: its checksum is wrong")


def read_legacy(data, restore, safe):
    """The object of a file from before PyTorch 1.6: five pickles, then the storages in the order of the last one."""
    loader, views = _Loader(restore, safe), {}

    def persistent(saved):
        if isinstance(saved, tuple) and saved[:1] == ("module",) and len(saved) > 1:
            return saved[1]
        view = saved[5] if isinstance(saved, tuple) and len(saved) == 6 else None
        dtype, key, location, numel = loader.parts(saved, 6)
        if numel * dtype.itemsize > len(data):
            raise UnpicklingError(f"a storage of {numel} {dtype} in a file of {len(data)} bytes")
        if key not in loader.storages:
            if sum(s.data.numel() for s in loader.storages.values()) + numel * dtype.itemsize > len(data):
                raise UnpicklingError(f"the storages take more bytes than the {len(data)} of the file")
            loader.storages[key] = Storage(restore(_C.empty(numel * dtype.itemsize, dtype=_C.uint8), location), dtype)
        whole = loader.storages[key]
        if view is None:
            return whole
        if not isinstance(view, tuple) or len(view) != 3:
            raise UnpicklingError("a storage's view that is no triple")
        name, (offset, size) = str(view[0]), int_list(view[1:], "view")
        if (offset + size) * dtype.itemsize > whole.data.numel():
            raise UnpicklingError("a storage's view reaches beyond it")
        if name not in views:
            views[name] = Storage(whole.data[offset * dtype.itemsize:(offset + size) * dtype.itemsize], dtype)
        return views[name]

    def next_pickle(at, persistent=None):
        reader = Reader(data, loader.find, persistent, at)
        return reader.read(), reader.at

    magic, at = next_pickle(0)
    if magic != _MAGIC:
        raise RuntimeError("load: neither one of PyTorch's files nor safetensors: a pickle with another beginning")
    protocol, at = next_pickle(at)
    if protocol != _PROTOCOL:
        raise RuntimeError(f"load: protocol version {str(protocol)[:20]} is unknown")
    system, at = next_pickle(at)
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise NotImplementedError("load: the file has the other byte order than this machine")
    result, at = next_pickle(at, persistent)
    keys, at = next_pickle(at)
    if not isinstance(keys, list):
        raise UnpicklingError("the list of storages is no list")
    for key in map(str, keys):
        storage = loader.storages.get(key)
        if storage is None:
            raise UnpicklingError(f"storage {key[:50]} belongs to no tensor")
        size = storage.data.numel()
        if at + 8 + size > len(data):
            raise RuntimeError(f"load: the file ends within storage {key[:50]}")
        if struct.unpack("<q", data[at:at + 8])[0] * storage.dtype.itemsize != size:
            raise RuntimeError(f"load: storage {key[:50]} has another size than its tensors say")
        if size and storage.data.is_cuda:
            storage.data.copy_(_C.frombuffer(bytearray(data[at + 8:at + 8 + size]), dtype=_C.uint8))
        elif size:
            memoryview(storage.data)[:] = data[at + 8:at + 8 + size]
        at += 8 + size
    return result


# ---- writing -------------------------------------------------------------------------------------------------------

def write_zip(obj, file):
    """The archive of obj into a binary file."""
    storages = {}  # storage -> (key, a tensor over it)
    data = Writer(lambda writer, x, path: _write_object(writer, x, path, storages)).pickle(obj)
    archive = _Zip(file)
    archive.add("data.pkl", data)
    archive.add(".format_version", b"1")
    archive.add(".storage_alignment", b"64")
    archive.add("byteorder", sys.byteorder.encode())
    for key, tensor in storages.values():
        whole = tensor.detach().as_strided([tensor.untyped_storage().nbytes() // tensor.itemsize], [1], 0)
        archive.add(f"data/{key}", memoryview(whole.cpu().view(_C.uint8)) if whole.numel() else b"")
    archive.add("version", b"3\n")
    archive.finish()


def _write_object(writer, x, path, storages):
    """Tensors and what belongs to them, as calls of the functions by which PyTorch rebuilds them."""
    if isinstance(x, Parameter):
        writer.call("torch._utils", "_rebuild_parameter", _Data(x), x.requires_grad, OrderedDict(), path=path)
    elif isinstance(x, _C.Tensor):
        _write_tensor(writer, x, x.requires_grad, storages)
    elif type(x) is _Data:
        _write_tensor(writer, x.tensor.detach(), False, storages)
    elif isinstance(x, _C.Size):
        writer.call("torch", "Size", tuple(x))
    elif isinstance(x, _C.dtype):
        writer.name("torch", str(x).rsplit(".", 1)[-1])
    elif isinstance(x, _C.device):
        writer.call("torch", "device", x.type, *(() if x.index is None else (x.index,)))
    elif type(x).__module__ == "numpy" and hasattr(x, "item") and getattr(x, "ndim", None) == 0:
        writer.write(x.item(), path)  # as a plain number: PyTorch takes NumPy's scalars on demand only
        return True
    elif type(x) is _StorageId:
        writer.name("torch", x.kind) if x.kind != "UntypedStorage" else writer.name("torch.storage", x.kind)
        return True
    else:
        return False
    writer.remember(x)
    return True


class _Data:
    """The tensor inside a Parameter."""

    def __init__(self, tensor):
        self.tensor = tensor


class _StorageId:
    """The name of a storage's class."""

    def __init__(self, kind):
        self.kind = kind


def _write_tensor(writer, x, requires_grad, storages):
    storage = x.untyped_storage()
    key, first = storages.setdefault(storage, (str(len(storages)), x.detach()))
    if first.dtype != x.dtype:
        raise RuntimeError(f"save: tensors of {first.dtype} and {x.dtype} share their memory, which the format cannot say; clone() one")
    kind = STORAGE_OF.get(x.dtype, "UntypedStorage")
    count = storage.nbytes() // (1 if kind == "UntypedStorage" else x.itemsize)
    extra = (x.dtype,) if kind == "UntypedStorage" else ()
    writer.name("torch._utils", "_rebuild_tensor_v3" if extra else "_rebuild_tensor_v2")
    writer.put(b"(")
    writer.write(("storage", _StorageId(kind), key, str(x.device), count), "")
    writer.put(b"Q")
    for part in (x.storage_offset(), tuple(x.shape), tuple(x.stride()), requires_grad, OrderedDict(), *extra):
        writer.write(part, "")
    writer.put(b"tR")


class _Zip:
    """Writes a zip archive of uncompressed entries, each beginning at a multiple of 64 bytes. It never seeks."""

    def __init__(self, file):
        self.file, self.at, self.index = file, 0, []

    def put(self, data):
        self.file.write(data)
        self.at += len(data)

    def add(self, name, data):
        name, size, at = f"archive/{name}".encode(), len(data), self.at
        big = _wide(size, size)
        pad = -(at + 30 + len(name) + len(big) + 4) % 64
        common = (zlib.crc32(data), *(2 * [min(size, _MAX32)]), len(name))
        extra = big + struct.pack("<HH", 0x4246, pad) + b"Z" * pad
        self.put(struct.pack("<4s5H3I2H", b"PK\x03\x04", 45, 0x800, 0, 0, 0x21, *common, len(extra)) + name + extra)
        big = _wide(size, size, at)
        entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 45, 45, 0x800, 0, 0, 0x21, *common, len(big), 0, 0, 0, 0, min(at, _MAX32))
        self.index.append(entry + name + big)
        self.put(data)

    def finish(self):
        start, n = self.at, len(self.index)
        self.put(b"".join(self.index))
        end, size = self.at, self.at - start
        if n >= 0xFFFF or end >= _MAX32:
            self.put(struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, n, n, size, start))
            self.put(struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1))
        few = min(n, 0xFFFF)
        self.put(struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, few, few, min(size, _MAX32), min(start, _MAX32), 0))


_MAX32 = 0xFFFFFFFF


def _wide(*numbers):
    """The zip64 field for those of the numbers that do not fit into 32 bits."""
    large = [n for n in numbers if n >= _MAX32]
    return struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
