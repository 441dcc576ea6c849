"""tapegrad.multiprocessing: tensors in shared memory through queues, pipes and arguments, and spawn()."""
import os
import signal
import sys

import pytest
import tapegrad as tg
from tapegrad import multiprocessing as mp
from tapegrad import nn

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning", "ignore:This process:DeprecationWarning")


def add_one(x):
    x.add_(1)


def answer(inbox, outbox):
    x = inbox.get()
    outbox.put((x.is_shared(), x.sum().item()))
    x.mul_(10)
    outbox.put(nn.Parameter(x.clone()))
    inbox.get()


def write_row(rank, x, factor):
    x[rank] = rank * factor


def fail(rank, how):
    if rank == 1:
        if how == "raise":
            raise KeyError("rank one is bad")
        if how == "exit":
            sys.exit(3)
        os.kill(os.getpid(), signal.SIGKILL)
    import time
    time.sleep(30)


def train(rank, model, x, y):
    optimizer = tg.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


def test_share_memory():
    x = tg.arange(6.0).reshape(2, 3)
    assert not x.is_shared()
    assert x.share_memory_() is x and x.is_shared() and x.tolist() == [[0, 1, 2], [3, 4, 5]] and x.share_memory_() is x
    assert x.t().is_shared() and x.t().tolist()[0] == [0, 3]
    w = tg.ones(3, requires_grad=True).share_memory_()
    (w * 2).sum().backward()
    assert w.grad.tolist() == [2, 2, 2] and w.is_shared() and not w.grad.is_shared()
    assert tg.zeros(0).share_memory_().numel() == 0
    part = tg.arange(4.0)[1:].share_memory_()
    assert part.is_shared() and part.tolist() == [1, 2, 3] and part.storage_offset() == 1 and part._base is None
    with pytest.raises(RuntimeError, match="share_memory_: x has a history"):
        (w * 2).share_memory_()
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).share_memory()
    assert all(t.is_shared() for t in [*model.parameters(), *model.buffers()])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_write_shared_tensors(method):
    context = mp.get_context(method)
    x = tg.zeros(4).share_memory_()
    process = context.Process(target=add_one, args=(x,))
    process.start()
    process.join()
    assert process.exitcode == 0 and x.tolist() == [1] * 4


def test_queues_and_pipes():
    context = mp.get_context("fork")
    inbox, outbox = context.Queue(), context.Queue()
    process = context.Process(target=answer, args=(inbox, outbox))
    process.start()
    x = tg.arange(3.0).share_memory_()
    inbox.put(x)
    assert outbox.get() == (True, 3.0)
    p = outbox.get()
    assert type(p) is nn.Parameter and p.requires_grad and p.tolist() == [0, 10, 20] and x.tolist() == [0, 10, 20]
    inbox.put(None)
    process.join()
    a, b = context.Pipe()
    y = tg.ones(2, 3)
    a.send({"y": y, "part": y[:, 1:], "empty": tg.zeros(0)})
    got = b.recv()
    assert got["y"].tolist() == [[1] * 3] * 2 and got["part"].shape == (2, 2) and not y.is_shared() and got["empty"].numel() == 0
    with pytest.raises(RuntimeError, match="history.*detach"):
        a.send(tg.ones(1, requires_grad=True) * 2)


def test_spawn():
    x = tg.zeros(3, 2).share_memory_()
    mp.spawn(write_row, args=(x, 5.0), nprocs=3)
    assert x.tolist() == [[0, 0], [5, 5], [10, 10]]
    context = mp.spawn(write_row, args=(x, 1.0), nprocs=2, join=False)
    assert len(context.pids()) == 2
    while not context.join(timeout=10):
        pass


@pytest.mark.parametrize("how,kind,text", [("raise", mp.ProcessRaisedException, "(?s)Process 1 terminated.*fail.*rank one is bad"),
                                           ("exit", mp.ProcessExitedException, "process 1 terminated with exit code 3"),
                                           ("kill", mp.ProcessExitedException, "process 1 terminated with signal SIGKILL")])
def test_one_failure_ends_all(how, kind, text):
    with pytest.raises(kind, match=text) as e:
        mp.start_processes(fail, args=(how,), nprocs=2, start_method="fork")
    assert e.value.error_index == 1 and e.value.pid > 0


def test_hogwild():
    tg.manual_seed(0)
    x = tg.randn(64, 2)
    y = x @ tg.tensor([[2.0], [-1.0]])
    model = nn.Linear(2, 1).share_memory()
    before = float(nn.functional.mse_loss(model(x), y))
    mp.start_processes(train, args=(model, x, y), nprocs=2, start_method="fork")
    assert float(nn.functional.mse_loss(model(x), y)) < before / 10


def test_strategies():
    assert mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
    mp.set_sharing_strategy("file_system")
    with pytest.raises(ValueError, match="carrier pigeon"):
        mp.set_sharing_strategy("carrier pigeon")
