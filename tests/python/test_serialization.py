"""save, load and the safetensors format: round trips, atomic writing, and files that lie."""
import io
import json
import math
import os
import pickle
import random
import struct
import zipfile
from collections import OrderedDict

import pytest
import tapegrad as tg
from tapegrad import nn, safetensors

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_round_trip_of_all_dtypes_and_shapes(tmp_path):
    path = tmp_path / "x.safetensors"
    state = OrderedDict((d, tg.tensor([[0, 1, 1], [1, 0, 1]]).to(getattr(tg, d))) for d in DTYPES)
    state["scalar"], state["empty"], state["übergröße.x"] = tg.tensor(2.5), tg.zeros(0, 3), tg.arange(4.0)
    state["transposed"], state["slice"] = tg.arange(6.0).reshape(2, 3).t(), tg.arange(10)[2:8:2]
    tg.save(state, path)
    back = tg.load(path)
    assert list(back) == list(state)
    for k, v in state.items():
        assert back[k].dtype == v.dtype and tuple(back[k].shape) == tuple(v.shape) and back[k].tolist() == v.tolist(), k
    assert safetensors.load_file(path)["int64"].tolist() == state["int64"].tolist()
    with safetensors.safe_open(path) as f:
        assert f.get_shape("transposed") == [3, 2] and set(f.keys()) == set(state)
        with pytest.raises(KeyError):
            f.get_tensor("nope")
    back["float32"].zero_()  # writable memory of its own


def test_model_and_optimizer(tmp_path):
    def make():
        m = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        return m, tg.optim.Adam([{"params": m[0].parameters()}, {"params": m[1:].parameters(), "lr": 0.5, "betas": (0.5, 0.9)}], lr=0.1)

    def step(m, o):
        o.zero_grad()
        (m(tg.arange(12.0).reshape(4, 3)) ** 2).mean().backward()
        o.step()
    m, o = make()
    step(m, o)
    path = tmp_path / "c.safetensors"
    tg.save({"model": m.state_dict(), "optimizer": o.state_dict(), "epoch": 3, "best": -math.inf, "lr": 0.1, "names": ["a", None, (True, "b")]}, path)
    c = tg.load(path)
    assert c["epoch"] == 3 and c["best"] == -math.inf and c["lr"] == 0.1 and c["names"] == ["a", None, (True, "b")]
    assert c["optimizer"]["param_groups"][1]["betas"] == (0.5, 0.9) and isinstance(c["model"], OrderedDict)
    n, p = make()
    n.load_state_dict(c["model"])
    p.load_state_dict(c["optimizer"])
    step(m, o)
    step(n, p)
    assert all(a.tolist() == b.tolist() for a, b in zip(m.state_dict().values(), n.state_dict().values()))


def test_shared_tensors_stay_shared_and_streams_work():
    t = tg.ones(2)
    buffer = io.BytesIO()
    tg.save({"a": t, "b": [t]}, buffer)
    buffer.seek(0)
    back = tg.load(buffer)
    assert back["a"] is back["b"][0]
    assert tg.load(io.BytesIO(safetensors.save({"x": t})))["x"].tolist() == [1, 1]
    assert safetensors.load(safetensors.save({"x": t}))["x"].tolist() == [1, 1]


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(TypeError, match="state_dict"):
        tg.save(nn.Linear(1, 1), path)
    with pytest.raises(TypeError, match="a.0 is a set"):
        tg.save({"a": [{1}]}, path)
    with pytest.raises(TypeError):
        safetensors.save_file({"a": 3}, path)
    with pytest.raises(TypeError, match="metadata"):
        tg.save({"a": tg.ones(1)}, tmp_path / "x.pt", metadata={"a": "b"})
    assert os.listdir(tmp_path) == []


def test_an_old_file_survives_a_failed_write(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    tg.save({"a": tg.ones(1)}, path)
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        tg.save({"a": tg.zeros(1)}, path)
    monkeypatch.undo()
    assert tg.load(path)["a"].tolist() == [1] and os.listdir(tmp_path) == ["x.safetensors"]


BAD = {
    "empty file": b"", "no header": b"\x01\x02", "header too long": struct.pack("<Q", 2 ** 63) + b"{}", "header beyond the file": struct.pack("<Q", 50) + b"{}",
    "not json": file_of(b"{nope"), "not utf-8": file_of(b'{"\xff": 1}'), "not an object": file_of([1]), "deep json": file_of(b"[" * 100000),
    "unknown dtype": file_of({"a": entry("F7")}, b"0000"), "unsupported dtype": file_of({"a": entry("F8_E4M3", (4,), (0, 4))}, b"0" * 4),
    "missing key": file_of({"a": {"dtype": "F32", "shape": [1]}}, b"0000"), "extra key": file_of({"a": {**entry(), "x": 1}}, b"0000"),
    "negative size": file_of({"a": entry(shape=(-1,))}, b"0000"), "float size": file_of({"a": entry(shape=(1.0,))}, b"0000"), "bool size": file_of({"a": entry(shape=(True,))}, b"0000"),
    "shape and offsets differ": file_of({"a": entry(shape=(2,))}, b"0000"), "huge shape": file_of({"a": entry(shape=(2 ** 62, 2 ** 62))}, b"0000"),
    "too many dims": file_of({"a": entry(shape=(1,) * 17)}, b"0000"), "offset backwards": file_of({"a": entry(offsets=(4, 0))}, b"0000"),
    "offset beyond": file_of({"a": entry(offsets=(4, 8))}, b"0000"), "gap": file_of({"a": entry(offsets=(0, 4)), "b": entry(offsets=(8, 12))}, b"0" * 12),
    "overlap": file_of({"a": entry(), "b": entry()}, b"0000"), "trailing bytes": file_of({"a": entry()}, b"00000"), "missing bytes": file_of({"a": entry()}, b"000"),
    "dtype in a list": file_of({"a": entry(["F32"])}, b"0000"), "number of 5000 digits": file_of(b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}', b"0000"),
    "huge and empty": file_of({"a": entry(shape=(2 ** 62, 2 ** 62, 0), offsets=(0, 0))}), "empty and huge": file_of({"a": entry(shape=(0, 2 ** 62, 2 ** 62), offsets=(0, 0))}),
    "bools of 7": file_of({"a": entry("BOOL", (2,), (0, 2))}, b"\1\7"), "space before {": file_of(b" {}"), "no bytes of header": struct.pack("<Q", 0), "null": file_of(b"null"),
    "text": b"This is no tensor file at all.",
    "metadata": file_of({"__metadata__": {"a": 1}}), "metadata list": file_of({"__metadata__": []}), "same name twice": file_of(b'{"a":1,"a":2}'),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_files_are_refused(what, tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(BAD[what])
    for load in (tg.load, safetensors.load_file):
        with pytest.raises(safetensors.SafetensorError):
            load(path)
    with pytest.raises(safetensors.SafetensorError):
        safetensors.load(BAD[what])


@pytest.mark.parametrize("structure", ['{"t":"nope"}', '{"x":1}', "[1]", "{", '{"f":"xyz"}', '{"y":"os"}', '{"d":[[1]]}', '{"l":3}',
                                       '{"f":"0x1p99999"}', '{"f":[1]}', '{"t":[1]}', '{"y":[1]}', '{"d":[[{"l":[]},1]]}', "{}", '{"l":[' * 100_000])
def test_bad_structures_are_refused(structure):
    with pytest.raises(safetensors.SafetensorError, match="structure"):
        tg.load(io.BytesIO(file_of({"__metadata__": {"tapegrad.structure": structure}})))


def test_headers_that_look_like_pickles(tmp_path):
    """A header of 128, 384, 640 ... bytes begins with the byte of a pickle."""
    for length in range(8, 2048, 8):
        header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(length)
        if len(header) == length:
            file = file_of(header, b"\0\0\0\0")
            (tmp_path / "x.safetensors").write_bytes(file)
            assert tg.load(io.BytesIO(file))["a"].tolist() == tg.load(tmp_path / "x.safetensors")["a"].tolist() == [0], length


@pytest.mark.parametrize("order", ["[1]", "[" * 100_000, "[" + "9" * 6000 + "]", "{", "3", '["b"]'])
def test_a_false_order_is_ignored(order):
    file = file_of({"__metadata__": {"tapegrad.order": order}, "1": entry()}, b"\0\0\0\0")
    assert tg.load(io.BytesIO(file))["1"].tolist() == [0]


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_altered_and_cut_files(suffix, tmp_path):
    """Every cut and many altered bytes: an exception or some tensors, never a crash and never memory that is only claimed."""
    net = nn.Linear(3, 2)
    opt = tg.optim.Adam(net.parameters())
    net(tg.ones(1, 3)).sum().backward()
    opt.step()
    path = tmp_path / f"x{suffix}"
    tg.save({"net": net.state_dict(), "opt": opt.state_dict(), "flags": tg.tensor([True, False]), "more": [1, 2.5, None, "text", (3,)]}, path)
    whole, rng = path.read_bytes(), random.Random(1)
    files = [whole[:k] for k in range(0, len(whole), 7)]
    for _ in range(600):
        b = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 4))):
            k = rng.randrange(len(b))
            b[k:k + rng.randrange(3)] = rng.choice((bytes([rng.randrange(256)]), b"", b"\xff\xff\xff\x7f", bytes(b[k - 20:k])))
        files.append(bytes(b))
    before = tg._C.memory_stats()["in_use"]
    for data in files:
        try:
            result = tg.load(io.BytesIO(data))
        except (ValueError, RuntimeError, TypeError, KeyError, IndexError, AttributeError, EOFError, NotImplementedError, UnicodeError, pickle.UnpicklingError, zipfile.BadZipFile):
            continue
        assert tg._C.memory_stats()["in_use"] < before + 100_000
        repr(result)


def test_tensors_are_mapped_and_outlive_the_file(tmp_path):
    path = tmp_path / "x.safetensors"
    tg.save({"a": tg.arange(6.0).reshape(2, 3), "b": tg.ones(1, dtype=tg.uint8)}, path)
    with safetensors.safe_open(path, framework="pt") as f:
        a, part = f.get_tensor("a"), f.get_slice("a")
        assert part.get_shape() == [2, 3] and part.get_dtype() == "F32" and part[1, :2].tolist() == [3, 4]
    with pytest.raises(ValueError, match="closed"):
        f.get_tensor("a")
    a.zero_()
    assert safetensors.load_file(path)["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    tg.save({"a": tg.ones(1)}, path)
    assert a.tolist() == [[0, 0, 0]] * 2
    with pytest.raises(NotImplementedError, match="flax"):
        safetensors.safe_open(path, framework="flax")


def test_numpy_files(tmp_path):
    np = pytest.importorskip("numpy")
    np.savez(tmp_path / "x.npz", a=tg.arange(3.0).numpy(), b=tg.ones(2, dtype=tg.int64))
    with np.load(tmp_path / "x.npz") as f:
        assert tg.from_numpy(f["a"]).tolist() == [0, 1, 2] and tg.from_numpy(f["b"]).dtype == tg.int64
    np.save(tmp_path / "x.npy", tg.eye(2))
    assert tg.from_numpy(np.load(tmp_path / "x.npy")).tolist() == [[1, 0], [0, 1]]
    with pytest.warns(UserWarning, match="not writable"):
        assert tg.from_numpy(np.load(tmp_path / "x.npy", mmap_mode="r")).tolist() == [[1, 0], [0, 1]]


def test_digits():
    images, labels = tg.datasets.digits()
    assert tuple(images.shape) == (1797, 1, 8, 8) and images.dtype == tg.float32 and labels.dtype == tg.int64
    assert float(images.min()) == 0 and float(images.max()) == 1 and sorted(set(labels.tolist())) == list(range(10))
    train, test = tg.datasets.digits("train"), tg.datasets.digits("test")
    assert train[0].shape[0] == 1437 and test[1].shape[0] == 360 and test[1].tolist() == labels[::5].tolist()
    with pytest.raises(ValueError):
        tg.datasets.digits("x")


def test_saving_into_what_is_no_ordinary_file(tmp_path):
    pipe, real, link = tmp_path / "pipe", tmp_path / "real", tmp_path / "link"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    tg.save(tg.ones(3), pipe)
    assert tg.load(io.BytesIO(os.read(end, 65536))).tolist() == [1, 1, 1] and not os.path.isfile(pipe)
    os.close(end)
    tg.save(tg.ones(1), real)
    os.chmod(real, 0o600)
    link.symlink_to(real)
    tg.save(tg.ones(2), link)
    assert link.is_symlink() and tg.load(real).tolist() == [1, 1] and os.stat(real).st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe", "real"]


def test_a_closed_file_says_so(tmp_path):
    safetensors.save_file({"a": tg.ones(1)}, tmp_path / "x.safetensors")
    f = safetensors.safe_open(tmp_path / "x.safetensors")
    with pytest.raises(KeyError, match="no tensor 'b'"):
        f.get_shape("b")
    f.close()
    for call in (f.keys, lambda: f.get_shape("a"), lambda: f.get_tensor("a"), lambda: f.get_slice("a")):
        with pytest.raises(ValueError, match="is closed"):
            call()


def test_options_of_pickle_are_known_ones(tmp_path):
    tg.save(tg.ones(1), tmp_path / "x.pt")
    assert tg.load(tmp_path / "x.pt", encoding="latin1").tolist() == [1]
    with pytest.raises(TypeError, match="load.*'nonsense'"):
        tg.load(tmp_path / "x.pt", nonsense=1)
    with pytest.raises(ValueError, match="pickle_protocol=9"):
        tg.save(tg.ones(1), tmp_path / "y.pt", pickle_protocol=9)
    assert not (tmp_path / "y.pt").exists()
