"""Memory, streams and copies as Python sees them. On a GPU also the order of streams is seen; the simulator does everything at once."""
import gc
import os
import subprocess
import sys

import pytest

import tapegrad as tg


def run(code, **variables):
    """The output of a process of its own, for what is read once a process."""
    done = subprocess.run([sys.executable, "-c", "import tapegrad as tg\n" + code], env={**os.environ, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("n", [1, 1000, 300_000, 1_000_003])
@pytest.mark.parametrize("non_blocking", [False, True])
def test_copies_to_the_device_and_back(n, non_blocking):
    x = tg.arange(n, dtype=tg.float32)
    there = x.to("cuda", non_blocking=non_blocking)
    assert there.cpu().equal(x)
    x.fill_(-1)  # the copy has been taken
    assert there[n - 1].item() == n - 1
    pinned = tg.arange(n, dtype=tg.float32).pin_memory()
    assert pinned.is_pinned() and not x.is_pinned()
    again = pinned.to("cuda", non_blocking=non_blocking)
    back = tg.empty(n).pin_memory()
    back.copy_(again + 1, non_blocking=non_blocking)
    tg.cuda.synchronize()
    assert back.equal(tg.arange(1, n + 1, dtype=tg.float32))


def test_pinned_memory_is_kept_until_its_copy_is_done():
    there = []
    for i in range(20):
        there.append(tg.full((100_000,), float(i)).pin_memory().to("cuda", non_blocking=True))  # freed at once
    for i, t in enumerate(there):
        assert t.min().item() == t.max().item() == i


def test_another_stream_waits_for_an_event():
    s = tg.cuda.Stream()
    x = tg.ones(1 << 18, device="cuda")
    for _ in range(20):
        x = x + 1
    s.wait_stream(tg.cuda.current_stream())
    with tg.cuda.stream(s):
        assert tg.cuda.current_stream() == s
        y = x * 2
        x.record_stream(s)
    del x
    z = tg.zeros(1 << 18, device="cuda")  # must not get x's memory while s reads it
    tg.cuda.current_stream().wait_stream(s)
    assert y.min().item() == y.max().item() == 42 and z.sum().item() == 0


def test_memory_comes_back():
    gc.collect()
    before = tg.cuda.memory_allocated()
    x = tg.empty(1000, device="cuda")
    assert tg.cuda.memory_allocated() - before == 4096
    tg.cuda.reset_peak_memory_stats()
    y = tg.empty(1 << 20, device="cuda")
    del x, y
    gc.collect()
    assert tg.cuda.memory_allocated() == before
    assert tg.cuda.max_memory_allocated() - before == 4096 + (4 << 20)
    held = tg.cuda.memory_reserved()
    tg.cuda.empty_cache()
    assert tg.cuda.memory_reserved() < held
    assert sum(s["total_size"] for s in tg.cuda.memory_snapshot() if s["device"] == 0) == tg.cuda.memory_reserved()


def test_out_of_memory():
    free, total = tg.cuda.mem_get_info()
    with pytest.raises(tg.cuda.OutOfMemoryError, match=r"CUDA out of memory: asked for .* on cuda:0, which has .* free; tapegrad holds"):
        tg.empty(total + 1, dtype=tg.uint8, device="cuda")
    assert tg.ones(10, device="cuda").sum().item() == 10


def test_limits():
    code = """
try:
    tg.empty(64 << 20, dtype=tg.uint8, device="cuda")
except tg.cuda.OutOfMemoryError as e:
    print(e)
tg.empty(16 << 20, dtype=tg.uint8, device="cuda")
"""
    assert "and may hold 32.00 MiB" in run(code, TAPEGRAD_CUDA_MEM_LIMIT=str(32 << 20))


def test_poison_shows_memory_that_was_not_written():
    code = 'print(all(tg.empty(1000, dtype=d, device="cuda").isnan().all().item() for d in (tg.float16, tg.bfloat16, tg.float32, tg.float64)))'
    assert run(code, TAPEGRAD_CUDA_POISON="1") == "True"


def test_waiting_for_each_kernel_changes_nothing():
    code = 'x = tg.arange(1000., device="cuda"); print((x * x).sum().item())'
    assert run(code, TAPEGRAD_CUDA_SYNC="1") == run(code, TAPEGRAD_CUDA_SYNC="0")


def test_waiting_for_each_kernel_finds_the_index_at_once():
    code = """
x, i = tg.zeros(3, device="cuda"), tg.tensor([0, 7]).cuda()
try:
    y = x[i]
    print("later")
    y.cpu()
except IndexError as e:
    print(e)
print(x[:2].sum().item())
"""
    said = "index: index 7 is out of bounds for dimension 0 with size 3"
    at_once, later = (run(code, TAPEGRAD_CUDA_SYNC=v).splitlines() for v in "10")
    assert at_once[0].startswith(said) and at_once[-1] == "0.0"
    assert later[0] == "later" and f"{said[7:]} (found on the device, in index)" in later[1] and later[-1] == "0.0"


def test_import_loads_nothing_of_cuda():
    assert run('print([l for l in open("/proc/self/maps") if "cuda" in l.lower() and "tapegrad/cuda" not in l])') == "[]"
