"""What C++ writes, Python reads, and the other way round; where both write the same thing, the bytes are equal."""
import glob
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
import tapegrad as tg
from tapegrad import checkpoint
from tapegrad.utils import data
from tapegrad.utils.tensorboard import SummaryWriter

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not shutil.which("g++"), reason="no g++")


def loaded_library():
    """The library that this process uses, and the headers that belong to it."""
    maps = Path("/proc/self/maps").read_text()
    library = Path(re.search(r"/\S*libtapegrad\.so\S*", maps)[0])
    include = library.parents[1] / "include"
    return library, include if (include / "tapegrad").exists() else ROOT / "include"


@pytest.fixture(scope="module")
def cpp(tmp_path_factory):
    library, include = loaded_library()
    binary = tmp_path_factory.mktemp("cpp") / "cpp_files"
    subprocess.run(["g++", "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{include}", str(Path(__file__).with_name("cpp_files.cpp")), "-o", str(binary),
                    str(library), f"-Wl,-rpath,{library.parent}"], check=True)

    def run(what, folder):
        return subprocess.run([str(binary), what, str(folder)], check=True, capture_output=True, text=True)
    return run


def test_numpy_files_are_numpys_bytes(cpp, tmp_path):
    cpp("numpy", tmp_path)
    names = sorted(p.stem for p in tmp_path.glob("*.npy"))
    assert len(names) == 17
    archive = np.load(tmp_path / "all.npz")
    for name in names:
        written = (tmp_path / f"{name}.npy").read_bytes()
        array = np.load(tmp_path / f"{name}.npy")
        np.save(tmp_path / "again.npy", array)
        assert written == (tmp_path / "again.npy").read_bytes(), name
        assert (archive[name] == array).all() and archive[name].dtype == array.dtype
    assert np.load(tmp_path / "int16.npy").tolist() == [[0, 1, 2], [3, 4, 5]]


def test_cpp_reads_what_python_writes(cpp, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"text": np.frombuffer(b"abracadabra" * 5000, np.uint8), "noise": rng.standard_normal((50, 70)), "zeros": np.zeros(100000, np.int32),
              "columns": np.asfortranarray(rng.standard_normal((3, 4, 5)))}
    np.savez_compressed(tmp_path / "packed.npz", **arrays)
    model = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.BatchNorm1d(4))
    tg.save(model.state_dict(), tmp_path / "model.pt")
    tg.save(model.state_dict(), tmp_path / "model.safetensors")
    np.save(tmp_path / "swapped.npy", rng.standard_normal((2, 3)).astype(">c16"))
    np.save(tmp_path / "columns.npy", np.asfortranarray(rng.standard_normal((2, 3, 4))))
    cpp("read", tmp_path)
    back = np.load(tmp_path / "packed.npz.npz")
    assert sorted(back.files) == sorted(arrays)
    assert all((back[k] == v).all() for k, v in arrays.items())
    for kind in ("pt", "safetensors"):
        back = np.load(tmp_path / f"model.{kind}.npz")
        assert set(back.files) == set(model.state_dict())
        assert all((back[k] == v.numpy()).all() for k, v in model.state_dict().items())
    back = np.load(tmp_path / "npy.npz")
    assert (back["swapped"] == np.load(tmp_path / "swapped.npy")).all() and (back["columns"] == np.load(tmp_path / "columns.npy")).all()


class Net(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = tg.nn.Linear(3, 4), tg.nn.Linear(4, 2)

    def forward(self, x):
        return self.b(self.a(x).tanh())


def train(net, optimizer, steps):
    x, y = tg.arange(12).to(tg.float32).view(4, 3) / 10, tg.tensor([0, 1, 1, 0])
    for _ in range(steps):
        optimizer.zero_grad()
        tg.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()


OPTIMIZERS = {"adam": lambda p: tg.optim.Adam(p, lr=0.05), "momentum": lambda p: tg.optim.SGD(p, lr=0.05, momentum=0.9),
              "plain": lambda p: tg.optim.SGD(p, lr=0.05)}


def test_checkpoints_are_the_same_bytes(cpp, tmp_path):
    values = {"epoch": 3, "best": 0.25, "done": False, "note": "größer \"\n\t\x01", "a": "b"}
    trained = {}
    for name, make in OPTIMIZERS.items():
        tg.manual_seed(3)
        net = Net()
        trained[name] = net, make(net.parameters())
        train(*trained[name], 3)
        checkpoint.save(tmp_path / f"{name}.python.safetensors", *trained[name], **values)
    cpp("checkpoints", tmp_path)
    for name, make in OPTIMIZERS.items():
        def written(what):
            return tmp_path / f"{name}.{what}.safetensors"
        assert written("python").read_bytes() == written("cpp").read_bytes()
        net = Net()
        loaded = net, make(net.parameters())
        assert checkpoint.load(written("cpp"), *loaded) == values
        for model, optimizer in (trained[name], loaded):  # both go on in the same way, as C++ did
            train(model, optimizer, 2)
            checkpoint.save(written("python5"), model, optimizer)
            assert written("python5").read_bytes() == written("cpp5").read_bytes()
    assert set(checkpoint.load(tmp_path / "adam.cpp.safetensors")["optimizer"]) >= {"step.0", "exp_avg.3", "group.0.lr"}


def test_checkpoints_refuse_other_things(tmp_path):
    with pytest.raises(TypeError, match="save: x is a list"):
        checkpoint.save(tmp_path / "a.safetensors", x=[1])
    tg.save({"x": tg.ones(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="not a checkpoint"):
        checkpoint.load(tmp_path / "a.safetensors")


def test_loaders_go_in_pythons_order(cpp, tmp_path):
    result = cpp("orders", tmp_path)
    assert re.search(r"\neight: 100%\|##########\| 8/8 \[00:00<00:00, [\d.]+it/s, loss=0.5\] *\n$", result.stderr), result.stderr
    numbers = list(range(10))

    def generator(seed):
        return tg.Generator().manual_seed(seed)

    def order(**options):
        loader = data.DataLoader(numbers, **options)
        return [[int(i) for batch in loader for i in batch] for _ in range(2)]
    expected = 2 * order(batch_size=3, shuffle=True, generator=generator(5))
    tg.manual_seed(11)
    expected += order(batch_size=4, shuffle=True, drop_last=True)
    expected += order(batch_size=2, sampler=data.RandomSampler(numbers, True, 7, generator(2)))
    expected += order(batch_size=2, sampler=data.RandomSampler(numbers, False, 13, generator(2)))
    expected += order(batch_size=2, sampler=data.SubsetRandomSampler([3, 5, 7, 9], generator(2)))
    expected += order(batch_size=2, sampler=data.WeightedRandomSampler([0.0, 0.5, 2, 1, 0, 0, 0, 0, 0, 3], 6, True, generator(4)))
    expected += [list(part) for part in data.random_split(numbers, [0.5, 0.25, 0.25], generator(9))]
    assert [[int(i) for i in line.split()] for line in result.stdout.splitlines()] == expected


def records(folder):
    """The events in the one file of a folder, but for the first, which has the time."""
    path, = glob.glob(f"{folder}/events.*")
    raw, at, out = Path(path).read_bytes(), 0, []
    while at < len(raw):
        size, = struct.unpack("<Q", raw[at:at + 8])
        out.append(raw[at:at + 16 + size])
        at += 16 + size
    return out[1:]


def pixels(event):
    """The rows of the PNG file in an event."""
    data = event[event.index(b"IDAT") + 4:]
    return zlib.decompressobj().decompress(data)


def test_event_files_are_the_same_bytes(cpp, tmp_path):
    cpp("events", tmp_path)
    with SummaryWriter(tmp_path / "python") as writer:
        for step in range(20):
            writer.add_scalar("loss", 1.0 / (step + 1), step, 100.0 + step)
        writer.add_histogram("weights", tg.linspace(-3, 5, 1000).square(), 7, walltime=200.0)
        writer.add_text("note", "**hello** ü", 8, 201.0)
        writer.add_image("image", tg.arange(60).to(tg.uint8).view(3, 4, 5), 9, 202.0)
        writer.add_image("grid", tg.linspace(0, 1, 10 * 3 * 4).view(10, 1, 3, 4), 10, 203.0, dataformats="NCHW")
        writer.add_scalars("group/x", {"a": 1, "b": 2}, 11, 204.0)
    ours, theirs = records(tmp_path / "cpp"), records(tmp_path / "python")
    assert len(ours) == len(theirs) == 24
    assert ours[:22] == theirs[:22]
    for a, b in zip(ours[22:], theirs[22:]):
        assert pixels(a) == pixels(b)
    for name in ("group_x_a", "group_x_b"):
        assert records(tmp_path / "cpp" / name) == records(tmp_path / "python" / name)
