"""Worker processes of the DataLoader when things go wrong, and how tensors travel between processes."""
import faulthandler
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import tapegrad as tg
from tapegrad.utils import data

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning", "ignore:This process:DeprecationWarning")


class Big(data.Dataset):
    """Samples of 100 kB, and their index."""

    def __init__(self, n=16):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return tg.full((25000,), float(i)), i


class Action(Big):
    """Sample 3 does something bad."""

    def __init__(self, action):
        super().__init__()
        self.action = action

    def __getitem__(self, i):
        if i == 3:
            self.action()
        return super().__getitem__(i)


def kill_self(number):
    def action():
        faulthandler.disable()  # pytest's would print the whole stack
        os.kill(os.getpid(), number)
    return action


class Slow(Big):
    def __getitem__(self, i):
        time.sleep(0.6 if i == 0 else 0)
        return super().__getitem__(i)


class BadIterable(data.IterableDataset):
    def __iter__(self):
        yield 1
        raise ZeroDivisionError("in the middle")


def same_first(batch):
    raise ValueError("collate went wrong")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGBUS, signal.SIGABRT])
def test_killed_by_any_signal(number):
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=rf"DataLoader worker \(pid \d+\) exited unexpectedly: worker 1, killed by signal {int(number)} \({number.name}"):
        list(data.DataLoader(Action(kill_self(number)), num_workers=2))
    assert time.monotonic() - start < 20


def test_killed_from_outside_while_main_works():
    it = iter(data.DataLoader(Big(64), num_workers=2))
    next(it)
    os.kill(it.workers.processes[0].pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="SIGKILL"):
        list(it)
    assert not any(p.is_alive() for p in it.workers.processes)


def test_killed_while_idle():
    loader = data.DataLoader(Big(), num_workers=2, persistent_workers=True)
    assert len(list(loader)) == 16
    victim = loader._workers.processes[1]
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    with pytest.raises(RuntimeError, match=f"pid {victim.pid}"):
        list(loader)
    assert len(list(loader)) == 16  # new workers


def test_sys_exit_in_a_worker():
    with pytest.raises(RuntimeError, match="worker 1, exit code 5"):
        list(data.DataLoader(Action(lambda: sys.exit(5)), num_workers=2))


def test_errors_of_collate_and_streams():
    with pytest.raises(ValueError, match="(?s)DataLoader worker process 0.*collate went wrong"):
        list(data.DataLoader(Big(), num_workers=1, collate_fn=same_first))
    it = iter(data.DataLoader(BadIterable(), num_workers=1, batch_size=1))
    assert next(it).tolist() == [1]
    with pytest.raises(ZeroDivisionError, match="(?s)worker process 0.*in the middle"):
        next(it)
    with pytest.raises(StopIteration):
        next(it)
    with pytest.raises(RuntimeError, match="(?s)sending a batch.*history"):
        list(data.DataLoader(Big(), num_workers=1, collate_fn=lambda b: b[0][0].requires_grad_() * 2))


def test_batches_arrive_in_shared_memory():
    for x, i in data.DataLoader(Big(), batch_size=4, num_workers=2):
        assert x.is_shared() and x[:, 0].tolist() == i.tolist() and tuple(x.shape) == (4, 25000)
        x.add_(1)  # writable
        assert not i.is_shared()  # small ones travel in the pickle


def test_layouts_classes_and_many_tensors():
    odd = [tg.arange(4000.0).reshape(4, 10, 100).permute(2, 0, 1), tg.nn.Parameter(tg.ones(5000)), tg.ones(3, 5000)[:, ::2], tg.ones(1).expand(9000),
           tg.zeros(0), tg.tensor(7), tg.ones(5000, dtype=tg.bfloat16, requires_grad=True)]
    (back,) = data.DataLoader([odd], batch_size=None, num_workers=1, collate_fn=lambda s: s)
    for a, b in zip(odd, back):
        assert type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and a.requires_grad == b.requires_grad and tg.equal(a.detach(), b.detach())
    assert back[0].stride() == odd[0].stride() and back[2].is_contiguous()
    (many,) = data.DataLoader([0], num_workers=1, collate_fn=lambda s: [tg.full((2000,), float(k)) for k in range(450)])
    assert [float(t[5]) for t in many] == list(range(450))


def test_kept_batches_need_no_descriptors():
    before = len(os.listdir("/proc/self/fd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 60, hard))
    try:
        kept = [x for x, _ in data.DataLoader(Big(200), num_workers=2)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(kept) == 200 and float(kept[77][0, 0]) == 77
    del kept
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_several_loaders_at_once():
    one, two = (data.DataLoader(Big(6), num_workers=2) for _ in range(2))
    assert [(int(i), int(j)) for (_, i), (_, j) in zip(one, two)] == [(k, k) for k in range(6)]
    for _, i in one:
        assert [int(j) for _, j in two] == list(range(6))
        if int(i) == 1:
            break
    its = [iter(one) for _ in range(3)]  # the same loader, not yet used up
    assert [int(next(it)[1]) for it in its for _ in range(2)] == [0, 1] * 3


def test_order():
    assert [int(i) for _, i in data.DataLoader(Slow(8), num_workers=2)] == list(range(8))
    loose = [int(i) for _, i in data.DataLoader(Slow(8), num_workers=2, in_order=False)]
    assert sorted(loose) == list(range(8)) and loose[0] != 0


def test_spawn_context():
    for context in ("spawn", "forkserver"):
        got = [int(i) for x, i in data.DataLoader(Big(4), num_workers=1, multiprocessing_context=context)]
        assert got == [0, 1, 2, 3]
    rows = data.TensorDataset(tg.arange(5000.0).reshape(50, 100))
    (batch,), = data.DataLoader(rows, batch_size=50, num_workers=1, multiprocessing_context="spawn")
    assert tg.equal(batch, tg.arange(5000.0).reshape(50, 100))


def test_subsets_ask_for_many_at_once():
    class Many(Big):
        def __getitems__(self, indices):
            return [("many", i) for i in indices]
    assert data.Subset(Many(), [5, 3]).__getitems__([1, 0]) == [("many", 3), ("many", 5)]
    loader = data.DataLoader(data.Subset(Many(), [5, 3, 1]), batch_size=2, collate_fn=list)
    assert list(loader) == [[("many", 5), ("many", 3)], [("many", 1)]]
    assert data.StackDataset(Many(3), [7, 8, 9]).__getitems__([0, 2]) == [(("many", 0), 7), (("many", 2), 9)]


def test_pin_memory_without_a_gpu_warns():
    with pytest.warns(UserWarning, match="no accelerator is found"):
        assert len(list(data.DataLoader(Big(3), pin_memory=True))) == 3


# ---- the main process ends

PROGRAM = """
    import os, signal, sys, time
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
    import tapegrad as tg
    from tapegrad.utils import data
    class Endless(data.Dataset):
        def __len__(self): return 10**6
        def __getitem__(self, i):
            time.sleep(0.01)
            return tg.zeros(5000)
    loader = data.DataLoader(Endless(), num_workers=2)
    it = iter(loader)
    next(it)
    print(*(p.pid for p in it.workers.processes), flush=True)
    for batch in it: pass
"""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number,code", [(signal.SIGINT, -signal.SIGINT), (signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, -signal.SIGTERM)])
def test_workers_end_with_the_main_process(number, code):
    main = subprocess.Popen([sys.executable, "-c", textwrap.dedent(PROGRAM)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    pids = [int(p) for p in main.stdout.readline().split()]
    assert len(pids) == 2
    main.send_signal(number)
    _, err = main.communicate(timeout=20)
    assert main.returncode == code
    if number == signal.SIGINT:
        assert "KeyboardInterrupt" in err
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))


class Stops(data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        if i == 5:
            raise StopIteration
        return i


def test_a_sample_that_stops_ends_the_pass_with_and_without_workers():
    for workers in (0, 2):
        assert [int(x) for x in data.DataLoader(Stops(), num_workers=workers)] == [0, 1, 2, 3, 4]


def test_a_forked_process_leaves_the_workers_alone():
    batches = iter(data.DataLoader(Big(60), num_workers=2))
    found = [next(batches)[1].item()]
    child = os.fork()
    if child == 0:
        code = 1
        try:
            del batches
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert found + [i.item() for _, i in batches] == list(range(60))
