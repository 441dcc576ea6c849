"""Any bytes are a model or an exception: the seeds of the fuzzers of C++'s readers, and mutations of them, through Python's."""
import io
import random
import runpy
import struct
import time
import tracemalloc
from pathlib import Path

import pytest
import tapegrad as tg
from tapegrad import checkpoint, safetensors
from tapegrad._pickle import Reader, UnpicklingError

SEEDS = runpy.run_path(str(Path(__file__).resolve().parents[1] / "fuzz/seeds.py"))
REFUSED = (RuntimeError, NotImplementedError, UnpicklingError, safetensors.SafetensorError)


def in_archive(pickled):
    return SEEDS["pt"](pickled)


# what a seed is wrapped in, by its target
WRAPPERS = {"safetensors": bytes, "zip": bytes, "old_pt": bytes, "pickle": in_archive}


def look_at(x, depth=0):
    """Touches the first and the last element of every tensor."""
    if isinstance(x, tg.Tensor):
        if x.numel():
            last = x.storage_offset() + sum((n - 1) * s for n, s in zip(x.shape, x.stride()))
            assert 0 <= last < x.untyped_storage().nbytes() // x.itemsize
            x[(-1,) * x.dim()].item(), x[(0,) * x.dim()].item()
    elif isinstance(x, (list, tuple, set)) and depth < 5:
        for y in list(x)[:20]:
            look_at(y, depth + 1)
    elif isinstance(x, dict) and depth < 5:
        for y in list(x.values())[:20]:
            look_at(y, depth + 1)


def read(data, path=None):
    """True when it was a model."""
    try:
        look_at(tg.load(io.BytesIO(data)) if path is None else checkpoint.load(path))
        return True
    except REFUSED:
        return False


@pytest.mark.parametrize("target", WRAPPERS)
def test_seeds(target, tmp_path):
    for name, seed in SEEDS["seeds"]()[target].items():
        data = WRAPPERS[target](seed)
        start = time.perf_counter()
        good = read(data)
        assert time.perf_counter() - start < 5, name
        if name.startswith("good") and "npz" not in name and target != "zip":
            assert good, name
        (tmp_path / "file").write_bytes(data)
        read(data, tmp_path / "file")


@pytest.mark.parametrize("target", WRAPPERS)
def test_mutations(target):
    seeds, rng = list(SEEDS["seeds"]()[target].values()), random.Random(0)
    for _ in range(1500):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data) + 1)
            how = rng.randrange(6)
            if how == 0:
                data[at:at + 1] = rng.randbytes(1)
            elif how == 1:
                data[at:at + 8] = struct.pack("<Q", rng.choice((0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 62, 2 ** 63, 2 ** 64 - 1)))
            elif how == 2:
                del data[at:at + rng.randrange(9)]
            elif how == 3:
                data[at:at] = data[at:at + rng.randrange(30)]
            elif how == 4:
                other = rng.choice(seeds)
                data[at:] = other[rng.randrange(len(other) + 1):]
            else:
                data[at:at + 1] = bytes([rng.choice(b'.(R)tue}]lqrhjcQbK0{}[]:,"019')])
        read(WRAPPERS[target](bytes(data)))


def test_one_list_through_many_calls():
    """2 MB of calls of which each would copy a megabyte."""
    items = b"(" + b"K\1" * 500_000 + b"lq\0"
    with pytest.raises(UnpicklingError, match="more items than the pickle has"):
        Reader(b"\x80\2" + items + b"c__builtin__\nset\nq\1" + b"h\1h\0\x85R0" * 170_000 + b".", tg._torch_file._Loader(None, {}).find).read()


def test_keys_that_collide():
    keys = b"".join(b"\x8a\x10" + (k * (2 ** 61 - 1)).to_bytes(16, "little") + b"N" for k in range(20_000))
    with pytest.raises(UnpicklingError, match="large integers as keys"):
        Reader(b"\x80\2}(" + keys + b"u.", None).read()


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_memory_is_twice_the_file_at_most(suffix, tmp_path):
    """Of Python's allocator and tapegrad's together."""
    path = tmp_path / f"model.{suffix}"
    tg.save({f"w{k}": tg.ones(100, 1000) for k in range(20)}, path)
    size = path.stat().st_size
    tg.load(path)  # imports
    tracemalloc.start()
    model = tg.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = sum(t.untyped_storage().nbytes() for t in {t.untyped_storage(): t for t in model.values()}.values())
    assert peak + held <= 2 * size
