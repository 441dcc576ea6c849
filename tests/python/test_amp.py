"""amp: autocast's lists, nesting and gradients, GradScaler's steps."""
import threading

import pytest
import tapegrad as tg
import tapegrad.nn.functional as F
from tapegrad import nn

B, H, S, D = tg.bfloat16, tg.float16, tg.float32, tg.float64


def test_what_is_cast():
    a, b = tg.ones(3, 3), tg.ones(3, 3)
    with tg.autocast("cpu"):
        lower = a @ b
        assert lower.dtype == a.matmul(b).dtype == tg.mm(a, b).dtype == F.linear(a, b).dtype == tg.einsum("ij,jk", a, b).dtype == B
        assert F.conv1d(tg.ones(1, 2, 5), tg.ones(3, 2, 2), tg.ones(3)).dtype == B
        assert F.scaled_dot_product_attention(a[None], a[None], a[None]).dtype == B
        assert (a + b).dtype == F.softmax(a, 1).dtype == S and F.softmax(lower, 1).dtype == (lower + lower).dtype == B
        assert (lower + a).dtype == S
        assert F.mse_loss(lower, lower).dtype == F.cross_entropy(lower, tg.tensor([0, 1, 2])).dtype == lower.prod().dtype == S
        assert tg.cat([lower, a]).dtype == S and tg.stack([lower, lower]).dtype == B
        assert (a.double() @ b.double()).dtype == D
        assert (a.half() @ b).dtype == B
        assert tg.mm(tg.ones(2, 2, dtype=tg.int64), tg.ones(2, 2, dtype=tg.int64)).dtype == tg.int64
        out = tg.empty(3, 3)
        assert tg.mm(a, b, out=out) is out and out.dtype == S
    assert (a @ b).dtype == S


def test_nesting_threads_and_errors():
    a = tg.ones(2, 2)
    assert not tg.is_autocast_enabled("cpu") and tg.get_autocast_dtype("cpu") == B
    with tg.autocast("cpu", dtype=H):
        assert tg.is_autocast_enabled("cpu") and tg.is_autocast_cpu_enabled() and tg.get_autocast_dtype("cpu") == H and (a @ a).dtype == H
        with tg.autocast("cpu", enabled=False):
            assert (a @ a).dtype == S
            with tg.autocast("cpu", dtype=B):
                assert (a @ a).dtype == B
        found = []
        thread = threading.Thread(target=lambda: found.append((a @ a).dtype))
        thread.start()
        thread.join()
        assert found == [S] and (a @ a).dtype == H
        with pytest.raises(ValueError):
            with tg.autocast("cpu", dtype=B):
                raise ValueError
        assert (a @ a).dtype == H
    assert not tg.is_autocast_enabled("cpu") and tg.get_autocast_dtype("cpu") == B and (a @ a).dtype == S


def test_decorator_and_reuse():
    cast = tg.amp.autocast("cpu")

    @cast
    def f(x, depth=0):
        return f(x, depth - 1) if depth else x @ x
    assert f(tg.ones(2, 2), 3).dtype == B and not tg.is_autocast_enabled("cpu")


def test_gradients_come_back_in_float32():
    tg.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 4)), tg.randn(5, 8)
    labels = tg.tensor([0, 1, 2, 3, 0])
    F.cross_entropy(model(x), labels).backward()
    exact = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    with tg.autocast("cpu"):
        out = model(x)
        loss = F.cross_entropy(out, labels)
    assert out.dtype == B and loss.dtype == S
    loss.backward()
    for p, g in zip(model.parameters(), exact):
        assert p.grad.dtype == S and tg.allclose(p.grad, g, rtol=0.1, atol=0.02)


def test_cuda_without_a_gpu():
    a = tg.ones(2, 2)
    with pytest.warns(UserWarning, match="CUDA is not available. Disabling"):
        cast = tg.autocast("cuda")
    with tg.autocast("cpu"), cast:
        assert (a @ a).dtype == B and not tg.is_autocast_enabled() and tg.get_autocast_gpu_dtype() == H
    from tapegrad.cuda.amp import GradScaler, autocast
    with autocast(enabled=False):
        assert (a @ a).dtype == S
    with pytest.warns(UserWarning, match="CUDA is not available"):
        scaler = GradScaler()
    assert not scaler.is_enabled() and scaler.scale(a) is a and scaler.get_scale() == 1.0 and scaler.state_dict() == {}


def test_bad_arguments():
    with pytest.raises(RuntimeError, match="'tpu' is not known"):
        tg.autocast("tpu")
    with pytest.raises(ValueError, match="device_type"):
        tg.autocast(tg.device("cpu"))
    with pytest.raises(TypeError, match="dtype"):
        tg.autocast("cpu", dtype="bf16")
    with pytest.warns(UserWarning, match="only supports dtype"):
        with tg.autocast("cpu", dtype=D):
            assert (tg.ones(2, 2) @ tg.ones(2, 2)).dtype == S


def test_custom_functions():
    seen = []

    class Square(tg.autograd.Function):
        @staticmethod
        @tg.amp.custom_fwd(device_type="cpu", cast_inputs=tg.float32)
        def forward(ctx, x):
            seen.append((x.dtype, tg.is_autocast_enabled("cpu")))
            ctx.save_for_backward(x)
            return x @ x

        @staticmethod
        @tg.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            seen.append((g.dtype, tg.is_autocast_enabled("cpu")))
            return g

    class Plain(tg.autograd.Function):
        @staticmethod
        @tg.amp.custom_fwd(device_type="cpu")
        def forward(ctx, x):
            return x @ x

        @staticmethod
        @tg.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            seen.append((g @ g).dtype)
            return g
    x = tg.ones(2, 2, dtype=B, requires_grad=True)
    with tg.autocast("cpu"):
        y, z = Square.apply(x), Plain.apply(tg.ones(2, 2, requires_grad=True))
    assert y.dtype == S and z.dtype == B
    y.sum().backward()
    z.float().sum().backward()
    assert seen == [(S, False), (S, False), B]


# ---- GradScaler

def small_model():
    p = nn.Parameter(tg.ones(2))
    return p, tg.optim.SGD([p], lr=0.5)


def test_scaled_steps():
    p, o = small_model()
    s = tg.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    for k in range(4):
        o.zero_grad()
        loss = (p * tg.tensor([1.0, 2.0])).sum()
        s.scale(loss).backward()
        assert p.grad.tolist() == [s.get_scale() * 1, s.get_scale() * 2]
        s.step(o)
        s.update()
    assert p.tolist() == [-1.0, -3.0] and s.get_scale() == 32.0


def test_overflow_leaves_the_step_out():
    p, o = small_model()
    s = tg.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    for bad in (float("inf"), float("nan")):
        s.scale((p * bad).sum()).backward()
        assert s.step(o) is None
        s.update()
        o.zero_grad()
    assert p.tolist() == [1, 1] and s.get_scale() == 2.0 and s.state_dict()["_growth_tracker"] == 0


def test_unscale_before_clipping():
    p, o = small_model()
    s = tg.amp.GradScaler("cpu", init_scale=1024.0)
    s.scale((p * 3).sum()).backward()
    s.unscale_(o)
    assert p.grad.tolist() == [3, 3]
    nn.utils.clip_grad_norm_([p], 1.0)
    with pytest.raises(RuntimeError, match="already been called"):
        s.unscale_(o)
    s.step(o)
    with pytest.raises(RuntimeError, match="step.. has already"):
        s.step(o)
    with pytest.raises(RuntimeError, match="after step"):
        s.unscale_(o)
    s.update()
    with pytest.raises(AssertionError, match="prior to update"):
        s.update()
    s.update(4.0)
    assert s.get_scale() == 4.0


def test_scaler_state_and_misuse():
    p, o = small_model()
    s = tg.amp.GradScaler("cpu", init_scale=4.0)
    with pytest.raises(AssertionError, match="_scale is None"):
        s.step(o)
    a, (b, c) = s.scale([tg.ones(()), (tg.ones(1), tg.ones(1))])
    assert float(a) == float(b) == float(c) == 4
    with pytest.raises(AssertionError, match="No inf checks"):
        s.step(o)
    t = tg.amp.GradScaler("cpu")
    t.load_state_dict({**s.state_dict(), "_growth_tracker": 7})
    assert t.get_scale() == 4.0 and t.state_dict()["_growth_tracker"] == 7
    with pytest.raises(RuntimeError, match="empty"):
        t.load_state_dict({})
    with pytest.raises(RuntimeError, match="Closure"):
        s.step(o, closure=lambda: 1)
    for bad in ({"growth_factor": 1.0}, {"backoff_factor": 1.0}):
        with pytest.raises(AssertionError):
            tg.amp.GradScaler("cpu", **bad)
    half = nn.Parameter(tg.ones(1, dtype=H))
    half.grad = tg.ones(1, dtype=H)
    with pytest.raises(ValueError, match="FP16"):
        s.unscale_(tg.optim.SGD([half], lr=1.0))


def test_a_decorated_function_runs_in_two_threads():
    inside, leave, states = threading.Event(), threading.Event(), {}

    @tg.autocast("cpu")
    def f(first):
        (inside if first else leave).set()
        assert not first or leave.wait(5)

    def one():
        f(True)
        states["one"] = tg.is_autocast_enabled("cpu")

    def two():
        with tg.autocast("cpu"):
            assert inside.wait(5)
            f(False)
            states["two"] = tg.is_autocast_enabled("cpu")
    threads = [threading.Thread(target=t) for t in (one, two)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert states == {"one": False, "two": True}
