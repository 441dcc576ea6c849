"""PyTorch's files: what it wrote (tests/golden/make_files.py) is read, what we write comes back, and files that lie do no harm."""
import io
import pathlib
import pickle
import random
import resource
import struct
import zipfile

import pytest
import tapegrad as tg
from file_samples import assert_same, assert_shared, contents
from hypothesis import given, settings
from hypothesis import strategies as st
from tapegrad import nn, serialization

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
REFUSED = (pickle.UnpicklingError, RuntimeError, ValueError, NotImplementedError)


def archive(pickled, entries=(), compress=zipfile.ZIP_STORED):
    """A .pt file of this pickle, made by hand."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compress) as z:
        z.writestr("archive/data.pkl", pickled)
        for name, data in dict(entries).items():
            z.writestr(f"archive/{name}", data)
    out.seek(0)
    return out


# ---- files of PyTorch's

@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint_legacy.pt"])
def test_files_of_pytorch(name):
    back = tg.load(GOLDEN / name)
    assert_same(contents(tg), back)
    assert_shared(back)
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 3))
    model.load_state_dict(back["model"])
    tg.optim.Adam(model.parameters()).load_state_dict(back["optimizer"])
    with open(GOLDEN / name, "rb") as f:
        assert_same(back, tg.load(f))
    assert_same(back, tg.load(str(GOLDEN / name), map_location="cpu", weights_only=False))


def test_a_mapped_file_is_private(tmp_path):
    back = tg.load(GOLDEN / "checkpoint.pt", mmap=True)
    assert_same(contents(tg), back)
    before = (GOLDEN / "checkpoint.pt").read_bytes()
    back["base"].zero_()
    assert float(back["transposed"].sum()) == 0 and (GOLDEN / "checkpoint.pt").read_bytes() == before
    with pytest.raises(ValueError, match="path"):
        tg.load(io.BytesIO(before), mmap=True)
    with pytest.raises(RuntimeError, match="older"):
        tg.load(GOLDEN / "checkpoint_legacy.pt", mmap=True)


def test_numpy_values_attributes_and_new_dtypes():
    np = pytest.importorskip("numpy")
    back = tg.load(GOLDEN / "numpy_values.pt")
    assert back["best"] == 0.5 and type(back["best"]) is np.float64 and back["count"] == 3 and back["curve"].tolist() == [[0, 1, 2], [3, 4, 5]]
    (tagged,) = tg.load(GOLDEN / "attributes.pt")
    assert tagged.label == "seven" and tagged.tolist() == [1, 1]
    try:
        small, imaginary = tg.load(GOLDEN / "new_dtypes.pt")
        assert small.tolist() == [1, 65535] and imaginary.tolist() == [1 + 2j]
    except NotImplementedError as e:
        assert "not implemented yet" in str(e)


def test_programs_are_refused_and_named():
    with pytest.raises(pickle.UnpicklingError, match="torch.nn.modules.linear.Linear.*state_dict.*add_safe_globals"):
        tg.load(GOLDEN / "module.pt", weights_only=False)
    with pytest.raises(NotImplementedError, match="TorchScript"):
        tg.load(GOLDEN / "script.pt")


# ---- round trips

def test_round_trip(tmp_path):
    path = tmp_path / "c.pt"
    tg.save(contents(tg), path)
    for options in ({}, {"mmap": True}):
        back = tg.load(path, **options)
        assert_same(contents(tg), back)
        assert_shared(back)
    buffer = io.BytesIO()
    tg.save(contents(tg), buffer)
    assert buffer.getvalue()[:4] == b"PK\x03\x04"
    buffer.seek(0)
    assert_same(contents(tg), tg.load(buffer))
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None
        for info in z.infolist():
            z.fp.seek(info.header_offset + 26)
            assert (info.header_offset + 30 + sum(struct.unpack("<HH", z.fp.read(4)))) % 64 == 0, info.filename


def test_files_within_a_stream():
    buffer = io.BytesIO()
    buffer.write(b"before")
    tg.save(tg.ones(3), buffer)
    buffer.seek(6)
    assert tg.load(buffer).tolist() == [1, 1, 1]


def test_same_objects_stay_the_same(tmp_path):
    shared = [1]
    shared.append(shared)
    p = nn.Parameter(tg.ones(2))
    tg.save({"a": shared, "b": shared, "p": p, "q": p, "text": "t" * 9}, tmp_path / "x.pt")
    back = tg.load(tmp_path / "x.pt")
    assert back["a"] is back["b"] and back["a"][1] is back["a"] and back["p"] is back["q"]


def test_what_cannot_be_saved(tmp_path):
    for bad, text in ((nn.Linear(1, 1), "state_dict"), ({"a": [object()]}, "a.0 is a object"), ([lambda: 1], "0 is a function")):
        with pytest.raises(TypeError, match=text):
            tg.save(bad, tmp_path / "x.pt")
    a = tg.ones(2)
    with pytest.raises(RuntimeError, match="share their memory"):
        tg.save([a, a.view(tg.int32)], tmp_path / "x.pt")
    with pytest.raises(NotImplementedError, match="1.6"):
        tg.save(a, tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    assert list(tmp_path.iterdir()) == []


def test_map_location(tmp_path):
    pickled = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x06\0\0\0cuda:0K\x01tQK\0K\x01\x85K\x01\x85\x89NtR."
    data = {"data/0": struct.pack("<f", 2.5)}
    with pytest.raises(RuntimeError, match="cuda:0.*map_location='cpu'"):
        tg.load(archive(pickled, data))
    seen = []
    for where in ("cpu", tg.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: seen.append((storage.nbytes(), location)) or storage):
        assert tg.load(archive(pickled, data), map_location=where).tolist() == [2.5]
    assert seen == [(4, "cuda:0")]
    for where in ("cuda", {"cpu": "cuda"}, lambda storage, location: None):
        with pytest.raises(RuntimeError, match="only the CPU"):
            tg.load(archive(pickled, data), map_location=where)


class Config:
    def __init__(self, width):
        self.width = width


def test_safe_globals():
    pickled = pickle.dumps({"config": Config(3), "rate": 0.1}, protocol=2)
    with pytest.raises(pickle.UnpicklingError, match="Config.*add_safe_globals"):
        tg.load(archive(pickled))
    with serialization.safe_globals([Config]):
        assert tg.load(archive(pickled))["config"].width == 3
        assert serialization.get_safe_globals() == [Config]
    with pytest.raises(pickle.UnpicklingError):
        tg.load(archive(pickled))
    serialization.add_safe_globals([(Config, "elsewhere.Old")])
    assert tg.load(archive(b"\x80\x02celsewhere\nOld\nK\x04\x85R.")).width == 4
    serialization.clear_safe_globals()


# ---- hostile files

class Attack:
    def __reduce__(self):
        return print, ("pwned",)


def tensor_of(size=b"K\x01\x85", stride=b"K\x01\x85", offset=b"K\0", numel=b"K\x01", kind=b"FloatStorage"):
    storage = b"(X\x07\0\0\0storagectorch\n" + kind + b"\nX\x01\0\0\x000X\x03\0\0\0cpu" + numel + b"tQ"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + size + stride + b"\x89NtR."


HUGE = b"\x8a\x08" + struct.pack("<q", 2 ** 62)
BOMB = b"\x80\x02)" + b"q\0h\0\x86" * 60
PICKLES = {
    "a function": pickle.dumps(Attack(), 2), "os.system": b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.", "eval": b"\x80\x02c__builtin__\neval\nX\x01\0\0\x001\x85R.",
    "getattr": b"\x80\x02c__builtin__\ngetattr\nNX\x01\0\0\0x\x86R.", "stack global": pickle.dumps(Attack(), 4), "protocol 0": b"cos\nsystem\n(S'ls'\ntR.",
    "object by INST": b"\x80\x02(ios\nsystem\n.", "extension": b"\x80\x02\x82\x01.", "calls a list": b"\x80\x02])R.", "calls a dtype": b"\x80\x02ctorch\nfloat32\n)R.",
    "nested name": b"\x80\x04\x8c\x05torch\x8c\x0bTensor.data\x93.", "empty": b"", "no stop": b"\x80\x02K\x01", "two objects": b"\x80\x02K\x01K\x02.", "nothing": b"\x80\x02.",
    "memo of 4 billion": b"\x80\x02Nr\xff\xff\xff\xff]h\0.", "long bytes": b"\x80\x02\x8e" + struct.pack("<Q", 2 ** 60) + b".", "long text": b"\x80\x02\x8d" + struct.pack("<Q", 2 ** 62) + b".",
    "long bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2 ** 40) + b".", "bytearray of a number": b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
    "long integer": b"\x80\x02\x8b\xff\xff\xff\x7f.", "negative length": b"\x80\x02\x8b\xff\xff\xff\xff.", "codec": b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x06\0\0\0base64\x86R.",
    "hash bomb": b"\x80\x02}" + BOMB[3:-1].replace(b".", b"") + b"K\x01s.", "nested key": b"\x80\x02}K\x01\x85\x85K\x01s.", "list as key": b"\x80\x02}]K\x01s.", "set of a list": b"\x80\x02c__builtin__\nset\n]]a\x85R.",
    "state for a list": b"\x80\x02]}b.", "dunder state": b"\x80\x02ccollections\nOrderedDict\n)R}X\x09\0\0\0__class__NsbK\x01.", "append to a number": b"\x80\x02K\x01K\x02a.", "no mark": b"\x80\x02t.",
    "pop nothing": b"\x80\x020.", "memo that is not there": b"\x80\x02h\x07.", "no name": b"\x80\x02c", "bad utf-8": b"\x80\x02X\x01\0\0\0\xff.", "persistent number": b"\x80\x02K\x01Q.",
    "huge numel": tensor_of(numel=HUGE), "negative numel": tensor_of(numel=b"J\xff\xff\xff\xff"), "size beyond": tensor_of(size=b"K\x02\x85"), "huge size": tensor_of(size=HUGE + b"\x85"),
    "huge sizes": tensor_of(size=HUGE + HUGE + b"\x86", stride=b"K\0K\0\x86"), "negative stride": tensor_of(stride=b"J\xff\xff\xff\xff\x85"), "offset beyond": tensor_of(offset=b"K\x01"), "float size": tensor_of(size=b"G" + b"\0" * 8 + b"\x85"),
    "size and stride": tensor_of(stride=b")"), "many dims": tensor_of(size=b"(" + b"K\x01" * 40 + b"t", stride=b"(" + b"K\x01" * 40 + b"t"), "storage size": tensor_of(numel=b"K\x02"), "element size": tensor_of(kind=b"DoubleStorage"),
    "no storage": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NK\0))\x89NtR.", "missing arguments": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.", "quantized": b"\x80\x02ctorch._utils\n_rebuild_qtensor\n)R.",
    "numpy objects": b"\x80\x02cnumpy\ndtype\nX\x02\0\0\0O8K\0K\x01\x87R.", "numpy shape": b"\x80\x02cnumpy._core.multiarray\n_reconstruct\n)R(K\x01" + HUGE + b"\x85cnumpy\ndtype\nX\x02\0\0\0f8\x85R\x89C\0tb.",
    "numpy load": b"\x80\x02cnumpy\nload\nX\x01\0\0\0x\x85R.", "module": b"\x80\x02ctorch.nn\nLinear\nK\x01K\x01\x86R.", "parameter of a number": b"\x80\x02ctorch._utils\n_rebuild_parameter\n(K\x01\x88NtR.",
}


@pytest.mark.parametrize("what", PICKLES)
def test_hostile_pickles(what, capfd):
    entries = {"data/0": struct.pack("<f", 1.0)}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(REFUSED):
        tg.load(archive(PICKLES[what], entries))
    legacy = io.BytesIO(b"".join(pickle.dumps(x, 2) for x in (0x1950a86a20f9469cfc6c, 1001, {})) + PICKLES[what])
    with pytest.raises(REFUSED):
        tg.load(legacy)
    assert "pwned" not in capfd.readouterr().out
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_good_tensor_of_the_same_making():
    assert tg.load(archive(tensor_of(), {"data/0": struct.pack("<f", 1.0)})).tolist() == [1]


def test_broken_archives(tmp_path):
    good = tensor_of()
    for made, text in ((archive(good), "holds no data/0"), (archive(good, {"data/0": b"1234"}, zipfile.ZIP_DEFLATED), "compressed"), (archive(b"", {}), "truncated"),
                       (io.BytesIO(b"PK\x03\x04" + b"x" * 40), "zip archive"), (io.BytesIO(b"PK\x03\x04"), "zip archive"), (archive(good, {"data/0": b"1234", "byteorder": b"big"}), "byte order")):
        with pytest.raises(REFUSED, match=text):
            tg.load(made)
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").writestr("a", "b")
    with pytest.raises(REFUSED):
        tg.load(empty)
    damaged = archive(good, {"data/0": struct.pack("<f", 1.0)}).getvalue().replace(struct.pack("<f", 1.0), b"abcd")
    with pytest.raises(RuntimeError, match="checksum"):
        tg.load(io.BytesIO(damaged))
    with pytest.raises(NotImplementedError, match="tar format"):
        tg.load(io.BytesIO(b"sys_info".ljust(257, b"\0") + b"ustar\0" + b"\0" * 300))
    with pytest.raises(FileNotFoundError):
        tg.load(tmp_path / "nothing.pt")
    with pytest.raises(AttributeError, match="seek"):
        tg.load(type("Pipe", (), {"read": lambda self, n=-1: b""})())


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint_legacy.pt", "numpy_values.pt"])
def test_cut_and_flipped_files(name):
    data, rng = (GOLDEN / name).read_bytes(), random.Random(name)
    for size in [rng.randrange(len(data)) for _ in range(60)] + list(range(0, 40, 3)):
        with pytest.raises(REFUSED):
            tg.load(io.BytesIO(data[:size]))
    for _ in range(400):
        wrong = bytearray(data)
        for _ in range(rng.choice([1, 1, 3])):
            wrong[rng.randrange(len(wrong))] = rng.randrange(256)
        try:
            tg.load(io.BytesIO(wrong))
        except REFUSED:
            pass


# ---- pickles of plain values, against Python's own pickle

KEYS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5) | st.floats(allow_nan=False)
PLAIN = st.recursive(KEYS | st.complex_numbers(allow_nan=False) | st.integers(-2 ** 200, 2 ** 200) | st.sets(st.integers(), max_size=3),
                     lambda x: st.lists(x, max_size=4) | st.tuples(x, x) | st.dictionaries(KEYS, x, max_size=4), max_leaves=20)


def spelled(x):
    """Types and values, whatever the order of sets."""
    if isinstance(x, (list, tuple)):
        return type(x).__name__, [spelled(y) for y in x]
    if isinstance(x, dict):
        return [(spelled(k), spelled(v)) for k, v in x.items()]
    return sorted(x) if isinstance(x, set) else repr(x)


@settings(deadline=None, max_examples=150)
@given(PLAIN, st.integers(2, 5))
def test_plain_values(x, protocol):
    buffer = io.BytesIO()
    tg.save(x, buffer)
    with zipfile.ZipFile(buffer) as z:
        assert pickle.loads(z.read("archive/data.pkl")) == x
    buffer.seek(0)
    back = tg.load(buffer)
    assert spelled(back) == spelled(x)
    assert tg.load(archive(pickle.dumps(x, protocol))) == x


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes(data):
    for made in (archive(data), archive(b"\x80\x02" + data), io.BytesIO(data), io.BytesIO(b"\x80\x02" + data), io.BytesIO(b"PK\x03\x04" + data)):
        try:
            tg.load(made)
        except REFUSED:
            pass
