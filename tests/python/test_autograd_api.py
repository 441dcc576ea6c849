"""tapegrad.autograd from Python: custom functions, gradcheck, functional derivatives, checkpointing, saved-tensor hooks."""
import pytest
import tapegrad as tg
from tapegrad import autograd, nn
from tapegrad.utils.checkpoint import checkpoint, checkpoint_sequential


class Cube(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return 3 * x * x * g


def double(*values):
    return tg.tensor(values, dtype=tg.float64, requires_grad=True)


def test_function():
    x = double(1.0, 2.0)
    y = Cube.apply(x)
    assert y.grad_fn.name() == "CubeBackward" and y.tolist() == [1, 8]
    g, = autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [3, 12] and autograd.grad(g.sum(), x)[0].tolist() == [6, 12]
    with pytest.raises(RuntimeError, match="should not be instantiated"):
        Cube()


def test_setup_context_and_once_differentiable():
    class Scale(autograd.Function):
        @staticmethod
        def forward(x, factor):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.factor = inputs[1]

        @staticmethod
        @autograd.once_differentiable
        def backward(ctx, g):
            assert not tg.is_grad_enabled()
            return g * ctx.factor, None
    x = double(1.0)
    g, = autograd.grad(Scale.apply(x, 3.0) * x, x, create_graph=True)
    assert g.tolist() == [6]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        autograd.grad(g, x)


def test_gradcheck_accepts_and_rejects():
    x, y = double(0.5, -1.5), double(2.0, 3.0)
    assert autograd.gradcheck(lambda a, b: (a * b).exp(), (x, y)) and autograd.gradgradcheck(lambda a, b: a * a * b, (x, y))
    assert autograd.gradcheck(Cube.apply, x) and autograd.gradgradcheck(Cube.apply, x)

    class Wrong(Cube):
        @staticmethod
        def backward(ctx, g):
            return 2 * g
    with pytest.raises(autograd.GradcheckError, match=r"d output\[0\] / d input\[0\] is 2 by the tape, 0.75"):
        autograd.gradcheck(Wrong.apply, x)
    assert not autograd.gradcheck(Wrong.apply, x, raise_exception=False)
    with pytest.raises(ValueError):
        autograd.gradcheck(lambda a: a, tg.zeros(1))


def test_functional_derivatives():
    F = autograd.functional
    x = double(1.0, 2.0)
    assert F.jacobian(lambda a: a * a, x).tolist() == [[2, 0], [0, 4]]
    j = F.jacobian(lambda a, b: (a * b, a.sum()), (x, double(3.0, 4.0)))
    assert j[0][0].tolist() == [[3, 0], [0, 4]] and j[0][1].tolist() == [[1, 0], [0, 2]] and j[1][0].tolist() == [1, 1] and j[1][1].tolist() == [0, 0]
    assert F.hessian(lambda a: (a * a * a).sum(), x).tolist() == [[6, 0], [0, 12]]
    out, g = F.vjp(lambda a: a * a, x, tg.tensor([1.0, 10.0], dtype=tg.float64))
    assert out.tolist() == [1, 4] and g.tolist() == [2, 40]
    out, t = F.jvp(lambda a: a * a, x, tg.tensor([1.0, 10.0], dtype=tg.float64))
    assert t.tolist() == [2, 40] and not t.requires_grad
    assert F.hvp(lambda a: (a * a * a).sum(), x, tg.tensor([1.0, 0.0], dtype=tg.float64))[1].tolist() == [6, 0]
    with pytest.raises(RuntimeError, match="strict"):
        F.jacobian(lambda a: tg.ones(2), x, strict=True)
    with pytest.raises(RuntimeError, match="single element"):
        F.hessian(lambda a: a, x)


def test_anomaly_switch():
    with autograd.set_detect_anomaly(True):
        assert autograd.is_anomaly_enabled()
    assert not autograd.is_anomaly_enabled()
    with autograd.detect_anomaly():
        x = double(0.0)
        with pytest.raises(RuntimeError, match="nan"):
            ((x * 0).sqrt() * 0).sum().backward()


class Block(nn.Module):
    """Noisy, so that the second run must draw the same numbers; counts its runs."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.runs = 0

    def forward(self, x, scale=1.0):
        self.runs += 1
        h = self.fc(x)
        return (h * tg.rand_like(h)).tanh() * scale


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoint(reentrant):
    block = Block()
    x = tg.randn(3, 4).requires_grad_()

    def run(f):
        block.zero_grad()
        x.grad = None
        tg.manual_seed(3)
        out = f(x * 1)
        after = tg.rand(())
        out.sum().backward()
        return [out.detach(), x.grad, block.fc.weight.grad, after]
    plain = run(block)
    block.runs = 0
    again = run(lambda v: checkpoint(block, v, use_reentrant=reentrant))
    assert block.runs == 2 and all(a.tolist() == b.tolist() for a, b in zip(plain, again))


def test_checkpoint_details():
    block = Block()
    x = tg.randn(2, 4)
    checkpoint(block, x, use_reentrant=False, scale=2.0).sum().backward()  # no input needs a gradient; keywords pass
    assert block.fc.weight.grad is not None
    with pytest.raises(ValueError, match="Unexpected keyword"):
        checkpoint(block, x, use_reentrant=True, scale=2.0)
    with pytest.warns(UserWarning, match="use_reentrant"):
        checkpoint(block, x)
    with tg.no_grad():
        block.runs = 0
        checkpoint(block, x, use_reentrant=False)
        assert block.runs == 1
    y = double(0.5, 2.0)
    g, = autograd.grad(checkpoint(lambda a: (a * a).exp(), y, use_reentrant=False).sum(), y, create_graph=True)
    expected, = autograd.grad((y * y).exp().sum(), y, create_graph=True)
    assert tg.allclose(g, expected) and tg.allclose(autograd.grad(g.sum(), y)[0], autograd.grad(expected.sum(), y)[0])
    flip = iter((1, 0))
    with pytest.raises(RuntimeError, match="second run"):
        checkpoint(lambda a: a.exp() if next(flip) else a * 2, y, use_reentrant=False).sum().backward()


def test_checkpoint_sequential():
    m = nn.Sequential(*(nn.Linear(3, 3) for _ in range(5)))
    x = tg.randn(2, 3).requires_grad_()
    m(x).sum().backward()
    expected = x.grad.clone()
    x.grad = None
    checkpoint_sequential(m, 2, x, use_reentrant=False).sum().backward()
    assert tg.allclose(x.grad, expected)


def test_saved_tensor_hooks():
    seen = []
    x = double(2.0)
    with autograd.graph.saved_tensors_hooks(lambda t: seen.append("pack") or t.detach() * 1, lambda p: seen.append("unpack") or p):
        y = x * x
    assert "unpack" not in seen
    y.backward()
    assert x.grad.tolist() == [4] and seen.count("pack") == seen.count("unpack") > 0
    with autograd.graph.save_on_cpu():
        z = x.exp()
    z.backward()


OVERWRITES = {
    "[:] = tensor": lambda y: y.__setitem__(slice(None), tg.ones(4)), "[...] = number": lambda y: y.__setitem__(..., 2.0), "[()] = number": lambda y: y.__setitem__((), 2.0),
    "copy_": lambda y: y.copy_(tg.ones(4)), "fill_": lambda y: y.fill_(1.0), "fill_ tensor": lambda y: y.fill_(tg.tensor(2.0)), "zero_": lambda y: y.zero_(), "uniform_": lambda y: y.uniform_(),
    "bernoulli_": lambda y: y.bernoulli_(0.5), "[mask]": lambda y: y.__setitem__(tg.ones(4, dtype=tg.bool), 1.0), "view.fill_": lambda y: y.view(2, 2).fill_(3.0),
}


@pytest.mark.parametrize("name", OVERWRITES)
def test_what_is_overwritten_gets_a_gradient_of_zeros(name):
    """As in PyTorch: zeros, not None, so that optimisers and clip_grad_norm_ see the parameter."""
    x = tg.ones(4, requires_grad=True)
    y = x * 2
    OVERWRITES[name](y)
    y.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0, 0, 0, 0]


def test_infinite_gradients_stay_where_they_are():
    """What a write into a view hides has gradient 0, also when the gradient of what was written is infinite."""
    x, v = tg.ones(4, requires_grad=True), tg.zeros(2, requires_grad=True)
    y = x * 1
    y[1:3] = v
    y.backward(tg.tensor([1.0, float("inf"), float("nan"), 2.0]))
    assert x.grad.tolist() == [1, 0, 0, 2] and str(v.grad.tolist()) == "[inf, nan]"

    def f(x, v):
        y = x * x
        y.t()[0, 1:] = v
        return y
    assert tg.autograd.gradcheck(f, (tg.rand(3, 3, dtype=tg.float64, requires_grad=True), tg.rand(2, dtype=tg.float64, requires_grad=True)))
    assert tg.autograd.gradgradcheck(f, (tg.rand(3, 3, dtype=tg.float64, requires_grad=True), tg.rand(2, dtype=tg.float64, requires_grad=True)))


def test_gradients_of_a_function_get_the_dtype_of_its_input():
    class Through(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x, dtype):
            ctx.dtype = dtype
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g.to(ctx.dtype), None

    for dtype in (tg.float64, tg.float16, tg.int32, tg.complex64):
        x = tg.full((300, 300), 2.0, requires_grad=True)
        Through.apply(x @ x, dtype).sum().backward()
        assert x.grad.dtype == tg.float32 and x.grad.flatten().unique().tolist() == [1200.0], dtype


REPLACED = {"size": lambda g: tg.ones(3, 7), "type": lambda g: g.to(tg.int32)}


@pytest.mark.parametrize("what", REPLACED)
def test_a_hook_cannot_change_what_a_gradient_is_like(what):
    change = REPLACED[what]
    hooks = {"of a tensor": lambda x, y, z: y.register_hook(change), "of a leaf": lambda x, y, z: x.register_hook(change),
             "before a node": lambda x, y, z: y.grad_fn.register_prehook(lambda g: (change(g[0]),)),
             "after a node": lambda x, y, z: z.grad_fn.register_hook(lambda dx, g: (change(dx[0]),))}
    for name, register in hooks.items():
        x = tg.ones(300, 300, requires_grad=True)
        y = x @ x
        z = y.relu()
        register(x, y, z)
        with pytest.raises(tg.Error, match=f"a hook has changed the {what} of a gradient"):
            z.sum().backward()
        assert x.grad is None, name


@pytest.mark.parametrize("what", [lambda t: tg.ones(2), lambda t: t.double()], ids=["size", "type"])
def test_unpack_must_give_back_what_was_packed(what):
    x = tg.ones(300, 300, requires_grad=True)
    with tg.autograd.graph.saved_tensors_hooks(lambda t: t, what):
        y = (x @ x).softmax(1) * x
    with pytest.raises(tg.GradError, match=r"unpack must give back a tensor like the one that was packed, float32\[300, 300\] cpu"):
        y.sum().backward()


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag_twice(mode):
    w = tg.ones(5, 3, requires_grad=True)
    y = tg.nn.functional.embedding_bag(tg.tensor([[0, 1], [1, 4]]), w, mode=mode).sum()
    assert all(state == "kept" for _, _, state in y.grad_fn.next_functions[0][0].saved)
    y.backward()
    with pytest.raises(tg.GradError, match="a second time"):
        y.backward()


def test_embedding_bag_refuses_negative_indices_but_in_padding_idx():
    F, index, weight = tg.nn.functional, tg.tensor([[4, 1], [0, 3]]), tg.arange(10.0).reshape(5, 2)
    for mode in ("sum", "mean", "max"):
        with pytest.raises(IndexError, match="index -1 is out of bounds for dimension 0 with size 5"):
            F.embedding_bag(index - 5, weight, mode=mode)
        one, other = (F.embedding_bag(index, weight, mode=mode, padding_idx=padding) for padding in (4, -1))
        assert one.tolist() == other.tolist() != F.embedding_bag(index, weight, mode=mode).tolist()


def test_gradcheck_refuses_what_it_does_not_check():
    for option in (dict(check_forward_ad=True), dict(check_batched_grad=True), dict(check_batched_forward_grad=True),
                   dict(check_backward_ad=False)):
        with pytest.raises(NotImplementedError, match=next(iter(option))):
            autograd.gradcheck(lambda x: x * x, double(1.0), **option)
    with pytest.raises(NotImplementedError, match="check_fwd_over_rev"):
        autograd.gradgradcheck(lambda x: x * x, double(1.0), check_fwd_over_rev=True)


def test_gradcheck_finds_gradients_that_change():
    class Restless(autograd.Function):
        calls = 0

        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            Restless.calls += 1
            return g * (1 + 1e-4 * (Restless.calls % 2))
    with pytest.raises(autograd.GradcheckError, match="nondet_tol"):
        autograd.gradcheck(Restless.apply, double(1.0))
    assert autograd.gradcheck(Restless.apply, double(1.0), nondet_tol=1e-3)


def test_functional_arguments_are_read():
    with pytest.raises(AssertionError, match="strategy.*'nothing'"):
        autograd.functional.jacobian(lambda x: x * x, tg.ones(2), strategy="nothing")
    with pytest.raises(RuntimeError, match="argnums.*unique"):
        tg.func.grad(lambda x: (x * x).sum(), argnums=(0, 0))(tg.ones(2))


def test_checks_for_nan_cannot_be_left_out():
    with pytest.raises(NotImplementedError, match="check_nan=False"):
        autograd.set_detect_anomaly(True, check_nan=False)
    with pytest.raises(NotImplementedError, match="check_nan=False"):
        autograd.detect_anomaly(check_nan=False)
    with autograd.detect_anomaly(check_nan=True):
        assert autograd.is_anomaly_enabled()
    assert not autograd.is_anomaly_enabled()


def test_switches_refuse_other_arguments():
    for switch in (tg.set_grad_enabled, tg.inference_mode, autograd.detect_anomaly):
        with pytest.raises(TypeError, match="nonsense"):
            switch(nonsense=True)
        with pytest.raises(TypeError, match="one argument"):
            switch(True, True)
    with tg.inference_mode(mode=False), tg.set_grad_enabled(mode=True):
        assert tg.is_grad_enabled() and not tg.is_inference_mode_enabled()
