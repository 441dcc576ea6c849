"""Threads: the same bits for any pool size, disjoint and shared graphs differentiated at once, forks in the middle."""
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import tapegrad as tg
from tapegrad import nn
from tapegrad.nn import functional as F


@pytest.fixture(autouse=True)
def pool_size():
    n = tg.get_num_threads()
    yield
    tg.set_num_threads(n)


def in_threads(jobs):
    """Runs the jobs at once; raises what any of them raised."""
    errors, start = [], threading.Barrier(len(jobs))

    def run(job):
        try:
            start.wait()
            job()
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def bits(*tensors):
    return [t.detach().numpy().tobytes() for t in tensors]


PLACE = {"shift": 0}  # elements between the start of its storage and an input


def with_gradient(f, *shapes):
    tg.manual_seed(0)
    inputs = [tg.randn(*s) for s in shapes]
    if n := PLACE["shift"]:
        inputs = [tg.cat([tg.zeros(n), x.flatten()])[n:].view(x.shape).detach() for x in inputs]
    for x in inputs:
        x.requires_grad_()
    y = f(*inputs)
    y.backward(tg.randn_like(y)) if y.dim() else y.backward()
    return bits(y, *(x.grad for x in inputs))


CASES = {
    "sum": lambda: with_gradient(lambda x: x.sum(), (300_001,)),
    "sum rows": lambda: with_gradient(lambda x: x.sum(1), (257, 1031)),
    "sum columns": lambda: with_gradient(lambda x: x.sum(0), (1031, 257)),
    "mean var": lambda: with_gradient(lambda x: x.var() + x.mean(), (200_003,)),
    "elementwise": lambda: with_gradient(lambda x, y: (x * y).tanh() + x.exp(), (333, 777), (777,)),
    "matmul": lambda: with_gradient(lambda a, b: a @ b, (233, 301), (301, 177)),
    "bmm": lambda: with_gradient(lambda a, b: a @ b, (13, 65, 47), (13, 47, 33)),
    "linear": lambda: with_gradient(F.linear, (300, 200), (150, 200), (150,)),
    "conv2d": lambda: with_gradient(lambda x, w, b: F.conv2d(x, w, b, padding=1), (8, 16, 30, 31), (24, 16, 3, 3), (24,)),
    "conv2d strided": lambda: with_gradient(lambda x, w: F.conv2d(x, w, stride=2, groups=2), (5, 8, 41, 40), (6, 4, 5, 5)),
    "max_pool2d": lambda: with_gradient(lambda x: F.max_pool2d(x, 2), (8, 16, 40, 40)),
    "softmax": lambda: with_gradient(lambda x: x.softmax(-1), (300, 1000)),
    "log_softmax": lambda: with_gradient(lambda x: x.log_softmax(0), (1000, 300)),
    "layer_norm": lambda: with_gradient(lambda x, w, b: F.layer_norm(x, (512,), w, b), (300, 512), (512,), (512,)),
    "batch_norm": lambda: with_gradient(lambda x: F.batch_norm(x, None, None, training=True), (16, 24, 20, 20)),
    "embedding": lambda: with_gradient(lambda w: F.embedding(tg.arange(50_000) % 1000, w), (1000, 32)),
    "index_add": lambda: with_gradient(lambda x: tg.zeros(50, 16).index_add(0, tg.arange(20_000) % 50, x), (20_000, 16)),
    "scatter_add": lambda: with_gradient(lambda x: tg.zeros(64, 500).scatter_add(0, tg.arange(500) % 64 + tg.zeros(700, 1, dtype=tg.int64), x), (700, 500)),
    "gather": lambda: with_gradient(lambda x: x[tg.arange(30_000) % 100], (100, 20)),
    "scatter_add of many into few": lambda: with_gradient(lambda x: tg.full((101,), -0.0).scatter_add(0, tg.arange(200_003) * 7 % 100, x), (200_003,)),
    "gather rows": lambda: with_gradient(lambda x: x.gather(1, tg.arange(600_000).view(300, 2000) * 7 % 1501), (300, 1501)),
    "grid_sample": lambda: with_gradient(lambda x, g: F.grid_sample(x, g.tanh(), align_corners=False), (3, 7, 40, 50), (3, 60, 40, 2)),
    "cumsum": lambda: with_gradient(lambda x: x.cumsum(0), (400, 500)),
    "attention": lambda: with_gradient(F.scaled_dot_product_attention, (4, 4, 90, 32), (4, 4, 90, 32), (4, 4, 90, 32)),
    "cross_entropy": lambda: with_gradient(lambda x: F.cross_entropy(x, tg.arange(2000) % 100), (2000, 100)),
    "dropout": lambda: with_gradient(lambda x: F.dropout(x, 0.3), (400_000,)),
    "randn": lambda: bits(tg.randn(300_001, generator=tg.Generator().manual_seed(3))),
}


@pytest.mark.parametrize("name", CASES)
def test_results_have_the_same_bits_for_any_thread_count(name):
    results = []
    for n in (1, 2, 4):
        tg.set_num_threads(n)
        results.append(CASES[name]())
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", CASES)
def test_results_have_the_same_bits_wherever_their_inputs_lie(name, monkeypatch):
    results = []
    for n in (0, 1, 3, 7):
        monkeypatch.setitem(PLACE, "shift", n)
        results.append(CASES[name]())
    assert all(r == results[0] for r in results)


# Sums, moves and random numbers; not exp and its kin (sse42 has no fused multiply-add), nor products (blocks of other sizes).
SAME_FOR_ALL_SETS = ["sum", "sum rows", "sum columns", "mean var", "max_pool2d", "embedding", "index_add", "scatter_add", "scatter_add of many into few", "gather", "gather rows",
                     "cumsum", "dropout", "randn"]


def test_sums_and_draws_have_the_same_bits_for_any_instruction_set():
    """TAPEGRAD_ISA limits the choice. A library built for one set only passes by having no choice."""
    code = (f"import sys, hashlib; sys.path.insert(0, {os.path.dirname(__file__)!r}); import test_threads as t, test_random as r, tapegrad as tg; "
            "results = [t.CASES[n]() for n in t.SAME_FOR_ALL_SETS] + [t.bits(f(tg.Generator()).double()) for f in r.DRAWS.values()]; "
            "print(*(hashlib.md5(b''.join(x)).hexdigest() for x in results))")
    runs = [subprocess.run([sys.executable, "-c", code], env={**os.environ, "TAPEGRAD_ISA": isa}, capture_output=True, text=True) for isa in ("sse42", "avx2", "avx512")]
    assert runs[0].stdout == runs[1].stdout == runs[2].stdout != "", runs[0].stderr


def test_set_num_threads_is_remembered_and_checked():
    tg.set_num_threads(3)
    assert tg.get_num_threads() == 3
    with pytest.raises((ValueError, RuntimeError)):
        tg.set_num_threads(0)


def test_four_threads_train_disjoint_networks():
    def train(seed, out):
        g = tg.Generator().manual_seed(seed)
        w = [(tg.randn(16, 32, generator=g) * 0.2).requires_grad_(), (tg.randn(32, 1, generator=g) * 0.2).requires_grad_()]
        x = tg.randn(64, 16, generator=g)
        y = x[:, :1] * 2 - x[:, 1:2]
        for _ in range(60):
            loss = ((x @ w[0]).tanh() @ w[1] - y).square().mean()
            for p in w:
                p.grad = None
            loss.backward()
            with tg.no_grad():
                for p in w:
                    p -= 0.05 * p.grad
        out[seed] = bits(*w)

    alone, together = {}, {}
    for seed in range(4):
        train(seed, alone)
    in_threads([lambda seed=seed: train(seed, together) for seed in range(4)])
    assert alone == together


def test_two_threads_differentiate_one_shared_graph():
    for _ in range(20):
        x = tg.arange(1000, dtype=tg.float64).requires_grad_()
        shared = (x * 3).sin() * x
        losses = [(shared * 2).sum(), (shared * 5).sum()]
        expected = 7 * tg.autograd.grad(shared.sum(), x, retain_graph=True)[0]
        in_threads([lambda loss=loss: loss.backward(retain_graph=True) for loss in losses])
        assert tg.allclose(x.grad, expected)


def test_concurrent_backward_into_one_leaf_adds_up():
    w = tg.zeros(1000, dtype=tg.float64, requires_grad=True)

    def job(k):
        for _ in range(100):
            (w * k).sum().backward()

    in_threads([lambda k=k: job(k) for k in (1, 2, 3, 4)])
    assert (w.grad == 1000.0).all()


def test_concurrent_first_use_of_one_tensor_from_python():
    for _ in range(50):
        x = tg.ones(10, requires_grad=True)
        y = x * 2
        in_threads([lambda y=y: (y.grad_fn, y.shape, y.detach(), y.sum().item()) for _ in range(4)])


def test_modes_belong_to_their_thread():
    seen = []
    with tg.no_grad():
        in_threads([lambda: seen.append(tg.is_grad_enabled())])
        assert not tg.is_grad_enabled()
    assert seen == [True]


def test_default_generator_is_safe_to_share():
    tg.manual_seed(0)
    drawn = []
    in_threads([lambda: drawn.extend(tg.rand(100).tolist() for _ in range(50)) for _ in range(4)])
    numbers = np.array(drawn).ravel()
    assert len(np.unique(numbers)) > 19_900  # no stretch handed out twice


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_fork_in_the_middle_of_training():
    """The child of a process whose pool has run computes and differentiates on its own."""
    tg.set_num_threads(2)
    a = tg.randn(400, 400)
    expected = bits(a @ a)
    x = tg.randn(400, 400, requires_grad=True)
    pending = (x @ a).tanh().sum()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            ok = bits(a @ a) == expected
            pending.backward()
            ok = ok and x.grad is not None and nn.Linear(3, 2)(tg.ones(1, 3)).shape == (1, 2)
            os.write(write, b"good" if ok else b"bad")
        finally:
            os._exit(0)
    os.close(write)
    assert os.read(read, 16) == b"good"
    os.close(read)
    os.waitpid(pid, 0)
    pending.backward()
    assert bits(a @ a) == expected and x.grad is not None


def test_keyboard_interrupt_is_not_lost():
    import _thread
    import signal
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
    timer = threading.Timer(0.1, _thread.interrupt_main)
    try:
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            x = tg.ones(100)
            while True:
                x = x * 1
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tg.ones(2) + 1).tolist() == [2, 2]
