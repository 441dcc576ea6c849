"""How things end: Ctrl-C in the middle of an operation, forks while others compute, and interpreters that exit with everything alive."""
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import tapegrad as tg
from tapegrad.nn import functional as F

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning", "ignore:This process:DeprecationWarning")


# ---- Ctrl-C. Each takes seconds when nobody ends it.

def deep_backward():
    x = w = tg.randn(500, 500, requires_grad=True)
    for _ in range(250):
        x = x @ w * 0.04
    yield
    x.sum().backward()


def call(f, *args, **kwargs):
    def prepared():
        yield
        f(*args, **kwargs)
    return prepared


LONG = {
    "product of integers": lambda: call(tg.matmul, *[tg.ones(2500, 2500, dtype=tg.int64)] * 2)(),
    "product": lambda: call(tg.matmul, *[tg.ones(5000, 5000, dtype=tg.float64)] * 2)(),
    "products": lambda: call(tg.bmm, *[tg.ones(1500, 160, 160, dtype=tg.int64)] * 2)(),
    "convolution": lambda: call(F.conv2d, tg.ones(80, 192, 64, 64), tg.ones(192, 192, 5, 5), padding=2)(),
    "attention": lambda: call(F.scaled_dot_product_attention, *[tg.ones(1, 16, 10000, 64)] * 3)(),
    "sorting": lambda: call(tg.sort, tg.rand(200, 250_000))(),
    "eigenvalues": lambda: call(tg.linalg.eigvals, tg.rand(900, 900))(),
    "singular values": lambda: call(tg.linalg.svd, tg.rand(1200, 1200))(),
    "backward": deep_backward,
}


@pytest.fixture
def ctrl_c():
    """Sends SIGINT in 0.2 s, in which the operation has begun; returns when it did."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
    sent = []

    def send():
        sent.append(time.monotonic())
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    timer = threading.Timer(0.2, send)
    yield timer, sent
    timer.cancel()
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("name", LONG)
def test_ctrl_c_ends_what_takes_long(name, ctrl_c):
    timer, sent = ctrl_c
    steps = LONG[name]()
    next(steps)
    in_use = tg.memory_stats()["in_use"]
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        next(steps, None)
        pytest.fail(f"{name} was through before Ctrl-C" if not sent else f"{name} was not ended")
    waited = time.monotonic() - sent[0]
    assert waited < 1, f"{waited:.2f} s"
    del steps
    assert tg.memory_stats()["in_use"] <= in_use
    a = tg.randn(300, 300, requires_grad=True)
    (a @ a).sum().backward()  # all is well afterwards
    assert tg.allclose(a.grad, a.sum(0)[:, None] + a.sum(1)[None], atol=1e-3)


def test_a_signal_handler_runs_in_the_middle_of_an_operation():
    seen, a = [], tg.ones(1300, 1300, dtype=tg.int64)

    def handler(number, frame):
        seen.append((tg.ones(300, 300) @ tg.ones(300, 300)).sum().item())  # computes, too

    before = signal.signal(signal.SIGUSR1, handler)
    timer = threading.Timer(0.2, lambda: (signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1), seen.append("sent")))
    timer.start()
    try:
        product = a @ a
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert product[7, 9] == 1300 and sorted(map(str, seen)) == ["27000000.0", "sent"]


# ---- forks

def test_fork_while_other_threads_compute():
    w = tg.randn(200, 300, requires_grad=True)
    a = tg.randn(300, 250)
    expected = (w @ a).tolist()
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            (w @ a).sum().backward()

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for t in threads:
        t.start()
    try:
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                signal.alarm(60)
                good = False
                try:
                    v = tg.zeros(200, 300, requires_grad=True)
                    (v @ a + w @ a).sum().backward()
                    good = (w @ a).tolist() == expected and v.grad is not None
                finally:
                    os._exit(0 if good else 1)
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        stop.set()
        for t in threads:
            t.join()


# ---- the interpreter's end

START = """
    import atexit, sys, threading, time
    import tapegrad as tg
    from tapegrad import nn
    from tapegrad.utils import data
"""
ENDS = {
    "live graphs, hooks and modules": """
        class Twice(tg.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                ctx.me = ctx
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return g * 2
        model = nn.Sequential(nn.Linear(300, 300), nn.ReLU(), nn.Linear(300, 300))
        model[0].register_forward_hook(lambda *a: None)
        x = tg.randn(200, 300, requires_grad=True)
        loss = Twice.apply(model(x)).sum()
        loss.register_hook(lambda g: g)
        loss.backward(retain_graph=True)
        x.note = x.grad.note = [loss, model]
        everything = globals()
        deep = x
        for _ in range(100_000): deep = deep[:1, :1] * 1
    """,
    "a thread that still computes": """
        def train():
            w = tg.randn(400, 400, requires_grad=True)
            end = time.monotonic() + 0.5
            while time.monotonic() < end: (w @ w).sum().backward()
            print("done")
        threading.Thread(target=train).start()
    """,
    "daemon threads that compute for ever": """
        w = tg.randn(400, 400, requires_grad=True)
        w.register_hook(lambda g: g * 1)
        def train():
            while True: (w @ w).sum().backward()
        for _ in range(3): threading.Thread(target=train, daemon=True).start()
        time.sleep(0.3)
    """,
    "daemon threads in Python that C++ calls": """
        w = tg.randn(4, 4, requires_grad=True)
        def busy(x):
            end = time.monotonic() + 0.02
            while time.monotonic() < end: pass
            return x * 1
        w.register_hook(busy)
        def train():
            while True: (w @ w).sum().backward()
        def apply():
            while True: tg.ones(4).apply_(busy)
        for f in (train, apply, train): threading.Thread(target=f, daemon=True).start()
        time.sleep(0.1)
    """,
    "open loaders": """
        rows = data.TensorDataset(tg.arange(100000.0).reshape(1000, 100))
        loader = data.DataLoader(rows, num_workers=2, persistent_workers=True)
        one, two = iter(loader), iter(data.DataLoader(rows, num_workers=1, multiprocessing_context="fork"))
        kept = next(one), next(two)
    """,
    "work at exit": """
        x = tg.randn(300, 300, requires_grad=True)
        @atexit.register
        def last():
            (x @ x).sum().backward()
            print("done" if x.grad is not None else "lost")
    """,
    "an object whose end computes": """
        class Last:
            def __init__(self): self.x = tg.randn(300, 300, requires_grad=True)
            def __del__(self): (self.x @ self.x).sum().backward()
        kept = Last()
        kept.again = kept
    """,
    "a child that ends by itself": """
        import os
        x = tg.randn(500, 500, requires_grad=True)
        loss = (x @ x).sum()
        pid = os.fork()
        loss.backward()
        if pid: sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """,
    "sys.exit in a hook": """
        x = tg.randn(300, 300, requires_grad=True)
        x.register_hook(lambda g: sys.exit(0))
        (x @ x).sum().backward()
    """,
    "a profile that nobody ends": """
        from tapegrad.profiler import profile
        profile(record_shapes=True).start()
        x = tg.ones(3)
        for _ in range(1000): x = x + [1.0][0]
    """,
    "modes that are still on": """
        guard = tg.no_grad(); guard.__enter__()
        anomaly = tg.autograd.detect_anomaly(); anomaly.__enter__()
        hooks = tg.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t); hooks.__enter__()
    """,
}


@pytest.mark.parametrize("name", ENDS)
def test_the_interpreter_ends_well(name):
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(START) + textwrap.dedent(ENDS[name])], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert ("done" in done.stdout) == ("done" in ENDS[name])


def test_daemon_threads_and_the_end_again_and_again():
    program = textwrap.dedent(START) + textwrap.dedent(ENDS["daemon threads that compute for ever"]).replace("0.3", "0.05")
    runs = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(r.communicate(timeout=60)[1], r.returncode) for r in runs] == [("", 0)] * 4
