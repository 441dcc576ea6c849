"""utils.checkpoint: what the second run sees and does. Values and gradients against plain runs are in test_autograd_api.py."""
import contextlib

import pytest
import tapegrad as tg
from tapegrad import nn
from tapegrad.utils.checkpoint import checkpoint, checkpoint_sequential, set_checkpoint_early_stop


def steps(log):
    def f(x):
        log.append("a")
        x = x.exp()
        log.append("b")
        x = x * 2
        log.append("c")
        return x
    return f


def test_early_stop():
    x = tg.ones(2, requires_grad=True)
    for kwargs, context, expected in (({}, contextlib.nullcontext(), "abcab"), ({"early_stop": False}, contextlib.nullcontext(), "abcabc"),
                                      ({}, set_checkpoint_early_stop(False), "abcabc"), ({"early_stop": False}, set_checkpoint_early_stop(True), "abcab")):
        log = []
        with context:
            y = checkpoint(steps(log), x, use_reentrant=False, **kwargs)
        y.sum().backward()
        assert "".join(log) == expected
    assert x.grad.tolist() == pytest.approx([4 * 2 * 2.7182817] * 2)


@pytest.mark.parametrize("reentrant", [False, True])
def test_autocast_is_the_same_in_both_runs(reentrant):
    seen = []
    layer, x = nn.Linear(3, 3), tg.ones(2, 3, requires_grad=True)

    def f(v):
        v = layer(v)
        seen.append(v.dtype)
        return v.relu() * 2
    with tg.autocast("cpu"):
        y = checkpoint(f, x, use_reentrant=reentrant)
    y.float().sum().backward()
    assert seen == [tg.bfloat16] * 2 and layer.weight.grad.dtype == tg.float32 and not tg.is_autocast_enabled("cpu")


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("preserve", [False, True])
def test_random_numbers(reentrant, preserve):
    drawn = []

    def f(v):
        noise = tg.rand(3)
        drawn.append(noise.tolist())
        return v * noise
    x = tg.ones(3, requires_grad=True)
    tg.manual_seed(1)
    y = checkpoint(f, x, use_reentrant=reentrant, preserve_rng_state=preserve)
    after = tg.rand(1).tolist()
    state = tg.get_rng_state()
    y.sum().backward()
    assert (drawn[0] == drawn[1]) == preserve and tg.equal(tg.get_rng_state(), state) == preserve
    tg.manual_seed(1)
    tg.rand(3)
    assert tg.rand(1).tolist() == after


def test_contexts():
    entered = []

    class Note(contextlib.AbstractContextManager):
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            entered.append(self.name)

        def __exit__(self, *exc):
            entered.append("/" + self.name)
    x = tg.ones(2, requires_grad=True)
    y = checkpoint(lambda v: v.exp() * 2, x, use_reentrant=False, context_fn=lambda: (Note("first"), Note("second")))
    assert entered == ["first", "/first"]
    y.sum().backward()
    assert entered == ["first", "/first", "second", "/second"]
    with pytest.raises(ValueError, match="only supported"):
        checkpoint(lambda v: v, x, use_reentrant=True, context_fn=lambda: (Note("first"), Note("second")))


def test_determinism_check_and_debug():
    x = tg.ones(2, requires_grad=True)

    def changing():
        flip = iter((1, 0))
        return lambda v: v.exp().exp() if next(flip) else tg.cat([v, v]).exp().exp().sum(0, keepdim=True) * v
    with pytest.raises(RuntimeError, match="(?s)expected 2 .*saved at .*test_checkpoint.py:.* then at .*test_checkpoint.py"):
        checkpoint(changing(), x, use_reentrant=False, debug=True).sum().backward()
    with pytest.raises(RuntimeError, match="debug=True says where"):
        checkpoint(changing(), x, use_reentrant=False).sum().backward()
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(changing(), x, use_reentrant=False, determinism_check="never")


def test_nested_twice_and_errors():
    layers = [nn.Linear(4, 4) for _ in range(3)]

    def inner(v):
        return checkpoint(lambda u: layers[1](u).tanh(), v, use_reentrant=False)

    def outer(v):
        return layers[2](inner(layers[0](v).tanh()))
    x = tg.randn(2, 4).requires_grad_()
    outer(x).sum().backward()
    expected = [x.grad.clone()] + [m.weight.grad.clone() for m in layers]
    for m in layers:
        m.zero_grad()
    x.grad = None
    y = checkpoint(outer, x, use_reentrant=False)
    y.sum().backward(retain_graph=True)
    for a, b in zip(expected, [x.grad] + [m.weight.grad for m in layers]):
        assert tg.allclose(a, b, rtol=1e-6)
    y.sum().backward()
    assert tg.allclose(x.grad, 2 * expected[0], rtol=1e-6)
    with pytest.raises(ZeroDivisionError):
        checkpoint(lambda v: 1 / 0, x, use_reentrant=False)
    (x * 2).sum().backward()  # hooks are gone


def test_reentrant_needs_an_input_with_gradient():
    with pytest.warns(UserWarning, match="None of the inputs"):
        assert not checkpoint(lambda v: v * 2, tg.ones(2), use_reentrant=True).requires_grad


def test_sequential_arguments():
    model, x = nn.Sequential(*(nn.Linear(3, 3) for _ in range(4))), tg.randn(2, 3).requires_grad_()
    for functions in (model, list(model)):
        for reentrant in (False, True):
            assert tg.equal(checkpoint_sequential(functions, 3, x, use_reentrant=reentrant), model(x))
    with pytest.warns(UserWarning, match="checkpoint_sequential"):
        checkpoint_sequential(model, 2, x)
    with pytest.raises(ValueError, match="Unexpected keyword"):
        checkpoint_sequential(model, 2, x, use_reentrant=False, early=1)
