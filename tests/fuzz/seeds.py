"""Files to begin fuzzing with: good ones, and one for each kind of attack that has been published against readers of models.

seeds() gives {target: {name: bytes}}; `python seeds.py FOLDER` writes them. Names of good files begin with "good". The classes come from
the reports on safetensors readers in C++ (lengths that wrap, ranges that overlap, share, leave holes or pass the end), on ONNX and GGUF
(sizes that overflow, paths outside, headers that hang), on zip archives (polyglots, two entries of a name, two sizes) and on PyTorch's
loader (CVE-2025-32434, CVE-2026-24747: calls behind an allow-list, tensors beyond their storage).
"""
import collections
import io
import json
import os
import pickle
import struct
import sys
import zipfile
import zlib

MAX64 = 2 ** 64 - 1


# ---- safetensors

def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2,), begin=0, end=8, **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end], **more}


SAFETENSORS = {
    "good": safetensors({"__metadata__": {"a": "b"}, "w": entry(shape=(2, 3), end=24), "b": entry("BF16", (), 24, 26), "n": entry("BOOL", (2, 0), 26, 26)}, bytes(26)),
    "good checkpoint": safetensors({"__metadata__": {"tapegrad.checkpoint": "1", "texts.run": "x"}, "model.w": entry(), "optimizer.step.0": entry("I64", (), 8, 16),
                                    "values.epoch": entry("F64", (), 16, 24)}, bytes(24)),
    "length wraps": safetensors({"a": entry()}, bytes(8), MAX64), "length wraps by 8": safetensors({"a": entry()}, bytes(8), MAX64 - 7),
    "header beyond the file": safetensors({"a": entry()}, b"", 99), "header over the limit": safetensors(b"{}", b"", 100_000_001), "no header": safetensors(b"", length=0),
    "overlap": safetensors({"a": entry(), "b": entry(begin=4, end=12)}, bytes(12)), "same range": safetensors({"a": entry(), "b": entry()}, bytes(8)),
    "empty tensors share": safetensors({"a": entry(), "b": entry(shape=(0,), begin=4, end=4)}, bytes(8)), "hole": safetensors({"a": entry(begin=8, end=16)}, bytes(16)),
    "polyglot tail": safetensors({"a": entry()}, bytes(8) + b"PK\5\6" + bytes(18)), "polyglot in a hole": safetensors({"a": entry(begin=22, end=30)}, b"PK\5\6" + bytes(26)),
    "duplicate name": safetensors(b'{"a":%s,"a":%s}' % (2 * (json.dumps(entry()).encode(),)), bytes(8)),
    "duplicate by escape": safetensors(b'{"a":%s,"\\u0061":%s}' % (2 * (json.dumps(entry(shape=[0], end=0)).encode(),))),
    "duplicate key": safetensors(b'{"a":{"dtype":"U8","dtype":"F64","shape":[1],"data_offsets":[0,8]}}', bytes(8)), "unknown key": safetensors({"a": entry(x=1)}, bytes(8)),
    "unknown dtype": safetensors({"a": entry("F7")}, bytes(8)), "dtype is a number": safetensors({"a": entry(7)}, bytes(8)), "long dtype": safetensors({"a": entry("F" * 5000)}),
    "product wraps to 0": safetensors({"a": entry(shape=(2 ** 62, 4), end=0)}), "product wraps to 8": safetensors({"a": entry("U8", (2 ** 32 + 8, 2 ** 32), 0, 8)}, bytes(8)),
    "huge and empty": safetensors({"a": entry(shape=(2 ** 62, 2 ** 62, 0), end=0)}), "shape beyond 64 bits": safetensors({"a": entry(shape=(2 ** 70,))}, bytes(8)),
    "negative size": safetensors({"a": entry(shape=(-2,))}, bytes(8)), "many dimensions": safetensors({"a": entry(shape=[1] * 5000, end=4)}, bytes(4)),
    "shape and bytes differ": safetensors({"a": entry(shape=(3,))}, bytes(8)), "end before begin": safetensors({"a": entry(begin=8, end=0)}, bytes(8)),
    "offsets wrap": safetensors({"a": entry("U8", (9,), MAX64 - 8, 0)}, bytes(8)), "offsets beyond the file": safetensors({"a": entry(end=2 ** 63 - 1)}, bytes(8)),
    "deep arrays": safetensors(b"[" * 5000), "deep in an entry": safetensors(b'{"a":{"shape":' + b"[" * 5000), "deep objects": safetensors(b'{"a":' * 2000), "NaN": safetensors(b'{"a":NaN}'),
    "exponent": safetensors(b'{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', b"\0"), "half a surrogate": safetensors(b'{"\\ud800":1}'), "not UTF-8": safetensors(b'{"\xff":1}'),
    "NUL in a name": safetensors({"a\0b": entry()}, bytes(8)), "external path": safetensors({"a": entry(location="/etc/passwd")}, bytes(8)), "path as a name": safetensors({"../../a": entry()}, bytes(8)),
    "metadata of numbers": safetensors({"__metadata__": {"a": 1}}), "bool of 2": safetensors({"a": entry("BOOL", (1,), 0, 1)}, b"\2"), "empty": b"", "8 bytes": b"\xff" * 8,
}


# ---- NumPy

def npy(header=None, data=bytes(8), version=1, length=None):
    text = (header or "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }").encode("latin1")
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length) + text + data


def described(shape, descr="'<f4'", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


NPY = {
    "good": npy(), "good columns first": npy(described("(2, 3)", order="True"), bytes(24)), "good swapped": npy(described("(1,)", "'>c16'"), bytes(16)), "good version 3": npy(version=3),
    "header beyond the file": npy(length=65535), "32-bit length": npy(version=2, length=2 ** 32 - 1), "product overflows": npy(described("(4294967296, 4294967296)")),
    "product wraps to 8": npy(described("(4611686018427387906, 4)"), bytes(32)), "beyond 64 bits": npy(described("(99999999999999999999,)")), "negative": npy(described("(-2,)")),
    "many dimensions": npy(described("(" + "1, " * 3000 + ")"), bytes(4)), "tail": npy(data=bytes(8) + b"PK\5\6" + bytes(18)), "cut": npy(data=bytes(7)), "key twice": npy("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (2,)}"),
    "objects": npy(described("(1,)", "'|O'"), pickle.dumps([print])), "fields": npy(described("(1,)", "[('a', '<f4')]")), "unknown dtype": npy(described("(1,)", "'<f16'"), bytes(16)),
    "code": npy("__import__('os').system('x')"), "deep": npy("(" * 3000), "bool of 2": npy(described("(2,)", "'|b1'"), b"\0\2"), "no end": npy("{'descr': '<f4"),
}


# ---- zip archives

def archive(entries, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in entries:
            z.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def changed(data, signature, offset, new, which=0):
    """The bytes with others at an offset behind the n-th record of this signature."""
    at = -1
    for _ in range(which + 1):
        at = data.index(signature, at + 1)
    return data[:at + offset] + new + data[at + offset + len(new):]


def twice(entries):
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return archive(entries)


LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
NPZ = archive([("a.npy", npy()), ("b.npy", npy(described("(2, 2)"), bytes(16)))])
PACKED = archive([("a.npy", npy(described("(64,)"), bytes(256)))], zipfile.ZIP_DEFLATED)
WIDE = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, 0, 0) + struct.pack("<4sIQI", b"PK\6\7", 0, len(NPZ), 1)


# ---- pickles

def text(s):
    return b"X" + struct.pack("<I", len(s)) + s.encode()


def tensor(size=b"K\2\x85", stride=b"K\1\x85", offset=b"K\0", numel=b"K\2", kind=b"FloatStorage", key="1", tail=b"\x89ccollections\nOrderedDict\n)R", view=b"", rebuild=b"_rebuild_tensor_v2"):
    return b"ctorch._utils\n" + rebuild + b"\n((" + text("storage") + b"ctorch\n" + kind + b"\n" + text(key) + text("cpu") + numel + view + b"tQ" + offset + size + stride + tail + b"tR"


HUGE = b"\x8a\x08" + struct.pack("<q", 2 ** 62)
LAUGHS = b"]q\0" + b"".join(b"](h%ch%ch%ch%ceq%c0" % (k, k, k, k, k + 1) for k in range(40)).replace(b"\n", b"\x0b")


class Attack:
    def __reduce__(self):
        return print, ("pwned",)


PICKLES = {name: b"\x80\x02" + code + b"." for name, code in {
    "good": b"ccollections\nOrderedDict\n)R(" + text("w") + tensor() + text("n") + b"K\5" + text("l") + b"](K\1G?\xf0\0\0\0\0\0\0N\x88eu",
    "good dtype": tensor(kind=b"UntypedStorage", numel=b"K\x08", tail=b"\x89}ctorch\nbfloat16\n", rebuild=b"_rebuild_tensor_v3", size=b"K\4\x85"),
    "good parameter": b"ctorch._utils\n_rebuild_parameter\n" + tensor() + b"\x88}\x87R", "good conj": tensor(kind=b"ComplexFloatStorage", numel=b"K\1", size=b")", stride=b")", tail=b"\x89}}" + text("conj") + b"\x88s"),
    "good shared": tensor() + b"q\1h\1\x86", "good device": b"ctorch\ndevice\n" + text("cuda") + b"K\0\x86R", "good size": b"ctorch\nSize\nK\2K\3\x86\x85R", "good counter": b"ccollections\nCounter\n}K\1K\2s\x85R",
    "os.system": b"cos\nsystem\n" + text("x") + b"\x85R", "eval": b"c__builtin__\neval\n" + text("1") + b"\x85R", "getattr": b"c__builtin__\ngetattr\nN" + text("x") + b"\x86R",
    "dotted name": b"\x8c\5torch\x8c\x0bTensor.data\x93", "numpy load": b"cnumpy\nload\n" + text("x") + b"\x85R", "torch.load": b"ctorch\nload\n" + text("x") + b"\x85R",
    "external file": b"ctorch\nUntypedStorage._new_shared_filename_cpu\n" + text("/dev/shm/x") + b"\x85R", "from_file": b"ctorch.storage\nUntypedStorage.from_file\n" + text("/etc/passwd") + b"\x85R",
    "INST": b"(ios\nsystem\n", "OBJ": b"(cos\nsystem\no", "EXT1": b"\x82\1", "protocol 0": b"(S'x'\nI1\nL1L\nF1\nV1\n", "next buffer": b"\x97\x98", "persistent text": b"P0\n",
    "calls a list": b"])R", "calls a dtype": b"ctorch\nfloat32\n)R", "calls a tensor": tensor() + b")R", "state for a tensor": tensor() + b"}b", "class of another": b"ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\ncos\nsystem\n)}tR",
    "from_type in itself": b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nctorch\nTensor\n)}tR", "storage of another size": tensor(numel=b"K\3"), "numel huge": tensor(numel=HUGE),
    "numel negative": tensor(numel=b"J\xff\xff\xff\xff"), "size beyond": tensor(size=b"K\3\x85"), "size huge": tensor(size=HUGE + b"\x85"), "sizes overflow": tensor(size=HUGE + HUGE + b"\x86", stride=b"K\0K\0\x86"),
    "span overflows": tensor(size=HUGE + b"K\2\x86", stride=b"K\4" + HUGE + b"\x86"), "stride negative": tensor(stride=b"J\xff\xff\xff\xff\x85"), "offset beyond": tensor(offset=b"K\2"), "offset huge": tensor(offset=HUGE),
    "expanded": tensor(size=b"J\xff\xff\xff\x7f\x85", stride=b"K\0\x85"), "empty with offset": tensor(size=b"K\0\x85", offset=HUGE), "sizes without strides": tensor(stride=b")"), "float size": tensor(size=b"G" + bytes(8) + b"\x85"),
    "40 dimensions": tensor(size=b"(" + b"K\1" * 40 + b"t", stride=b"(" + b"K\1" * 40 + b"t"), "another element size": tensor(kind=b"DoubleStorage"), "bools": tensor(kind=b"BoolStorage", numel=b"K\x40", key="0"), "no storage": tensor(key="7"),
    "two dtypes of a storage": tensor() + tensor(kind=b"LongStorage", numel=b"K\1", size=b"K\1\x85") + b"\x86", "path as a key": tensor(key="../../../etc/passwd"), "dtype of bool": tensor(kind=b"UntypedStorage", numel=b"K\x08", tail=b"\x89}ctorch\nbool\n", rebuild=b"_rebuild_tensor_v3"),
    "dtype beyond": tensor(kind=b"UntypedStorage", numel=b"K\x08", tail=b"\x89}ctorch\ncomplex128\n", rebuild=b"_rebuild_tensor_v3"), "many conj": b"](" + tensor(kind=b"ComplexFloatStorage", numel=b"K\1", size=b"M\0\x40\x85", stride=b"K\0\x85", tail=b"\x89}}" + text("conj") + b"\x88s") * 3 + b"e",
    "memo of 4 billion": b"Nr\xff\xff\xff\xffh\0", "memo missing": b"h\7", "laughs": LAUGHS + b"h\x20", "list in itself": b"]q\0h\0a", "dict in itself": b"}q\0K\1h\0s", "tuple bomb": b")" + b"q\0h\0\x86" * 60,
    "bomb as an id": b")" + b"q\0h\0\x86" * 60 + b"Q", "bomb as a size": tensor(size=b")" + b"q\0h\0\x86" * 60), "bomb as a dtype": b"cnumpy\ndtype\n)" + b"q\0h\0\x86" * 60 + b"\x85R", "calls a bomb": b")" + b"q\0h\0\x86" * 60 + b")R", "hash bomb": b"})" + b"q\0h\0\x86" * 60 + b"K\1s", "deep": b"]" * 3000 + b"a" * 2999, "key without a value": b"(K\1d", "list as a key": b"}]K\1s", "no mark": b"t", "pop nothing": b"0", "append to a number": b"K\1K\2a",
    "pop through a mark": b"K\1(0a", "long text": b"\x8d" + struct.pack("<Q", 2 ** 62), "text length wraps": b"\x8d" + struct.pack("<Q", MAX64), "long bytes": b"\x8e" + struct.pack("<Q", 2 ** 40), "long integer": b"\x8b\xff\xff\xff\x7f",
    "negative length": b"\x8b\xff\xff\xff\xff", "frame beyond": b"\x95" + struct.pack("<Q", MAX64), "empty integer": b"\x8a\0", "codec": b"c_codecs\nencode\n" + text("a") + text("base64") + b"\x86R", "endless name": b"c" + b"a" * 3000,
    "same name twice": b"}(" + text("a.b") + b"K\1" + text("a") + b"}" + text("b") + b"K\2su", "two objects": b"K\1K\2", "nothing": b"",
}.items()} | {"no stop": b"\x80\2K\1", "protocol 9": b"\x80\x09N.", "empty": b"", "a function": pickle.dumps(Attack(), 2), "good protocol 4": pickle.dumps({"a": [1, 2.5, None, "x", b"y", {3}], "b": (1,)}, 4),
              "good counter 2": pickle.dumps(collections.Counter("abca"), 2)}


def pt(code, storages=(bytes([1]) * 64, bytes([1]) * 8), more=()):
    return archive([("a/data.pkl", code), *((f"a/data/{k}", s) for k, s in enumerate(storages)), *more])


ZIP = {
    "good npz": NPZ, "good packed": PACKED, "good zip64": NPZ[:NPZ.index(END)] + WIDE.replace(struct.pack("<QQQQ", 2, 2, 0, 0), struct.pack("<QQQQ", 2, 2, NPZ.index(END) - NPZ.index(CENTRAL), NPZ.index(CENTRAL)))
    + changed(NPZ[NPZ.index(END):], END, 8, b"\xff\xff\xff\xff" + b"\xff" * 8), "good pt": pt(PICKLES["good"]), "good comment": changed(NPZ, END, 20, b"\5\0") + b"hello",
    "tail": NPZ + b"tail", "two ends": NPZ + NPZ[NPZ.index(END):], "polyglot": b"MZ" + NPZ, "name twice": twice([("a.npy", npy()), ("a.npy", npy())]), "cut": NPZ[:-30], "local name differs": changed(NPZ, LOCAL, 30, b"z"),
    "overlap": changed(NPZ, CENTRAL, 42, struct.pack("<I", 0), 1), "local beyond": changed(NPZ, CENTRAL, 42, struct.pack("<I", 2 ** 31)), "size beyond": changed(changed(NPZ, CENTRAL, 20, struct.pack("<I", 2 ** 31)), CENTRAL, 24, struct.pack("<I", 2 ** 31)),
    "two sizes": changed(NPZ, CENTRAL, 24, struct.pack("<I", 7)), "wrong checksum": changed(NPZ, CENTRAL, 16, bytes(4)), "encrypted": changed(NPZ, CENTRAL, 8, b"\1\0"), "bzip2": changed(NPZ, CENTRAL, 10, b"\x0c\0"),
    "directory beyond": changed(NPZ, END, 16, struct.pack("<I", 2 ** 32 - 2)), "directory wraps": changed(NPZ, END, 12, struct.pack("<II", 2 ** 32 - 2, 2 ** 32 - 2)), "many entries": changed(NPZ, END, 8, b"\xfe\xff\xfe\xff"), "several parts": changed(NPZ, END, 4, b"\1\0"),
    "long names": changed(NPZ, CENTRAL, 28, b"\xff\xff"), "long extra": changed(NPZ, CENTRAL, 30, b"\xff\xff"), "comment over the end": changed(NPZ, END, 20, b"\xff\xff"), "bomb": changed(PACKED, CENTRAL, 24, struct.pack("<I", 2 ** 31)),
    "packs more": changed(PACKED, CENTRAL, 24, struct.pack("<I", 100)), "packs less": changed(PACKED, CENTRAL, 24, struct.pack("<I", 1000)), "external path": archive([("../../a.npy", npy())]), "absolute path": archive([("/etc/passwd.npy", npy())]),
    "symlink": changed(archive([("a.npy", b"/etc/passwd")]), CENTRAL, 38, struct.pack("<I", 0o120777 << 16)), "no npy": archive([("a.txt", b"x")]), "npz and pt": archive([("a.npy", npy()), ("a/data.pkl", PICKLES["good"])]), "empty archive": archive([]),
    "zip64 beyond": changed(NPZ[:NPZ.index(END)] + WIDE + changed(NPZ[NPZ.index(END):], END, 8, b"\xff" * 12), b"PK\6\7", 8, struct.pack("<Q", MAX64)), "zip64 entry": changed(NPZ, CENTRAL, 20, b"\xff" * 8),
    "torchscript": pt(PICKLES["good"], more=[("a/constants.pkl", b"")]), "big endian": pt(PICKLES["good"], more=[("a/byteorder", b"big")]), "packed storage": archive([("a/data.pkl", PICKLES["good"]), ("a/data/1", bytes(8))], zipfile.ZIP_DEFLATED),
    "no storage": pt(PICKLES["good"], ()), "storage too short": pt(PICKLES["good"], (b"", b"1234567")), "a function": pt(PICKLES["a function"]),
}


def old(code, keys=("1",), storages=(struct.pack("<q", 2) + bytes(8),), magic=0x1950a86a20f9469cfc6c, protocol=1001):
    return b"".join(pickle.dumps(x, 2) for x in (magic, protocol, {"little_endian": True})) + code + pickle.dumps(list(keys), 2) + b"".join(storages)


def old_tensor(**more):
    return b"\x80\x02" + tensor(**{"view": b"N", **more}) + b"."


OLD_PT = {
    "good": old(old_tensor()), "good view": old(old_tensor(view=text("v") + b"K\1K\1\x87", size=b"K\1\x85")), "another magic": old(old_tensor(), magic=1), "another protocol": old(old_tensor(), protocol=1),
    "huge storage": old(old_tensor(numel=HUGE)), "numel differs": old(old_tensor(), storages=(struct.pack("<q", 3) + bytes(8),)), "numel negative": old(old_tensor(), storages=(struct.pack("<q", -1) + bytes(8),)), "cut": old(old_tensor(), storages=(bytes(3),)),
    "missing storage": old(old_tensor(), ()), "unknown storage": old(old_tensor(), ("1", "2")), "storage twice": old(old_tensor(), ("1", "1")), "view beyond": old(old_tensor(view=text("v") + b"K\1K\2\x87")), "view wraps": old(old_tensor(view=text("v") + HUGE + HUGE + b"\x87")),
    "view negative": old(old_tensor(view=text("v") + b"J\xff\xff\xff\xffK\1\x87")), "view of texts": old(old_tensor(view=text("v") + text("v") + text("v") + b"\x87")), "a function": old(PICKLES["a function"]), "keys are no list": old(old_tensor(), {}), "module": old(b"\x80\2(" + text("module") + b"NNtQ."),
}


# ---- deflate

def packed(data, level=9, size=None, strategy=zlib.Z_DEFAULT_STRATEGY):
    z = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    return struct.pack("<H", len(data) if size is None else size) + z.compress(data) + z.flush()


WORDS = b"".join(b"%d squared is %d. " % (k, k * k) for k in range(60))
INFLATE = {
    "good": packed(WORDS), "good stored": packed(WORDS, 0), "good fixed": packed(WORDS, strategy=zlib.Z_FIXED), "good codes": packed(bytes(range(256)) * 3, strategy=zlib.Z_HUFFMAN_ONLY), "good runs": packed(bytes(3000)), "good empty": packed(b""),
    "more than said": packed(WORDS, size=10), "less than said": packed(WORDS, size=60000), "tail": packed(WORDS) + b"x", "cut": packed(WORDS)[:-9], "block 3": b"\x10\0\7", "stored lengths differ": b"\5\0\1\5\0\0\0hello", "distance before": b"\4\0\x4b\4\1\0",
    "too many codes": b"\x10\0\xfd\xff\xff" + bytes(30), "no code": b"\x10\0\5" + bytes(20), "endless": b"\xff\xff" + b"\0" * 4 + b"\0\xff\xff" * 40,
}


def seeds():
    return {"safetensors": SAFETENSORS, "npy": NPY, "zip": ZIP, "pickle": PICKLES, "old_pt": OLD_PT, "inflate": INFLATE}


if __name__ == "__main__":
    for target, files in seeds().items():
        os.makedirs(os.path.join(sys.argv[1], target))
        for name, data in files.items():
            with open(os.path.join(sys.argv[1], target, name.replace(" ", "-")), "wb") as f:
                f.write(data)
