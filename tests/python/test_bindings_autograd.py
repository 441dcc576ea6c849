"""The tape from Python: backward and grad, hooks, modes, custom functions, saved-tensor hooks, places in errors."""
import gc
import os
import threading
import weakref

import pytest
import tapegrad as tg
from tapegrad.autograd import Function
from tapegrad.autograd.function import once_differentiable


def leaf(*values):
    return tg.tensor(list(values), requires_grad=True)


def product(x):
    return x * x


# ---- backward and grad

def test_backward_in_every_form():
    w = leaf(1., 2.)
    (w * w).backward(tg.ones(2))
    (w * w).backward(gradient=tg.ones(2), retain_graph=False, create_graph=False)
    (w * w).sum().backward(None, True)
    tg.autograd.backward([(w * w).sum(), w.sum()])
    assert w.grad.tolist() == [9, 17]
    v = leaf(3.)
    (w.sum() * v).sum().backward(inputs=[v])
    assert w.grad.tolist() == [9, 17] and v.grad.tolist() == [3]
    for bad, kind in ((lambda: (w * w).backward(), RuntimeError), (lambda: w.detach().sum().backward(), RuntimeError), (lambda: (w * w).backward(3), TypeError),
                      (lambda: (w * w).backward(foo=1), TypeError), (lambda: w.sum().backward(inputs=[]), RuntimeError), (lambda: (w * w).backward(tg.ones(3)), RuntimeError)):
        with pytest.raises(kind):
            bad()


def test_second_backward_says_so():
    w = leaf(1., 2.)
    y = (w * w).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_grad():
    w, unused = leaf(1., 2.), leaf(3.)
    g, = tg.autograd.grad((w * w * w).sum(), w, create_graph=True)
    h, = tg.autograd.grad(g, [w], grad_outputs=tg.ones(2))
    assert g.tolist() == [3, 12] and h.tolist() == [6, 12] and w.grad is None
    with pytest.raises(RuntimeError):
        tg.autograd.grad(w.sum(), unused)
    assert tg.autograd.grad(w.sum(), unused, allow_unused=True) == (None,)
    assert tg.autograd.grad(w.sum(), unused, materialize_grads=True)[0].tolist() == [0]


def test_nodes():
    w = leaf(1., 2.)
    y = w * w
    n = y.grad_fn
    assert n.name() == "MulBackward0" and repr(n).startswith("<MulBackward0 object at 0x") and n == y.grad_fn and hash(n) == hash(y.grad_fn)
    assert n.next_functions[0][0].name() == "AccumulateGrad" and n.next_functions[0][0].variable is w and w.grad_fn is None
    assert "test_nodes" in n.place and os.path.basename(__file__) in n.place


# ---- hooks

def test_tensor_hooks():
    w, seen = leaf(1., 2.), []
    with w.register_hook(lambda g: g * 10):
        y = w * 3
        y.register_hook(lambda g: seen.append(g.tolist()))
        y.sum().backward()
    assert w.grad.tolist() == [30, 30] and seen == [[1, 1]]
    w.grad = None
    (w * 3).sum().backward()
    assert w.grad.tolist() == [3, 3]
    h = w.register_post_accumulate_grad_hook(lambda t: seen.append(t is w and t.grad.tolist()))
    w.sum().backward()
    h.remove()
    h.remove()
    w.sum().backward()
    assert seen[1:] == [[4, 4]]
    for bad, kind in ((lambda: w.register_hook(3), TypeError), (lambda: tg.ones(2).register_hook(print), RuntimeError),
                      (lambda: (w * 2).register_post_accumulate_grad_hook(print), RuntimeError)):
        with pytest.raises(kind):
            bad()


def test_errors_in_hooks_come_through_and_leave_the_tape_usable():
    w = leaf(1., 2.)
    h = w.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (w * 2).sum().backward()
    h.remove()
    with w.register_hook(lambda g: "text"), pytest.raises(TypeError):
        (w * 2).sum().backward()
    w.grad = None
    (w * 2).sum().backward()
    assert w.grad.tolist() == [2, 2]


def test_node_hooks():
    w, seen = leaf(1., 2.), []
    y = w * 2
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs[0].tolist(), outputs[0].tolist())))
    y.grad_fn.register_prehook(lambda outputs: (outputs[0] * 10,))
    y.sum().backward()
    assert seen == [([20, 20], [10, 10])]


def test_retain_grad():
    w = leaf(1., 2.)
    y = w * 2
    assert not y.retains_grad
    y.retain_grad()
    assert y.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [4, 8]


# ---- modes

def test_modes_nest_and_return():
    assert tg.is_grad_enabled()
    with tg.no_grad():
        assert not tg.is_grad_enabled()
        with tg.enable_grad():
            assert tg.is_grad_enabled()
        with tg.set_grad_enabled(True):
            assert tg.is_grad_enabled()
        assert not tg.is_grad_enabled()
    with pytest.raises(KeyError), tg.no_grad():
        raise KeyError
    assert tg.is_grad_enabled()
    tg.set_grad_enabled(False)
    assert not tg.is_grad_enabled()
    tg.set_grad_enabled(mode=True)
    seen = []
    with tg.no_grad():
        t = threading.Thread(target=lambda: seen.append(tg.is_grad_enabled()))
        t.start()
        t.join()
    assert seen == [True], "a mode belongs to its thread"


def test_modes_decorate():
    @tg.no_grad()
    def f(a, b=2):
        "doc"
        return tg.is_grad_enabled(), a, b

    @tg.no_grad
    def g():
        return tg.is_grad_enabled()

    @tg.set_grad_enabled(False)
    def h():
        return tg.is_grad_enabled()

    @tg.inference_mode()
    def i():
        return tg.is_inference_mode_enabled()

    class C:
        @tg.no_grad()
        def m(self, x):
            return self, tg.is_grad_enabled(), x

        @tg.no_grad()
        def gen(self):
            got = yield tg.is_grad_enabled()
            yield got, tg.is_grad_enabled()

    c = C()
    assert f(1, b=3) == (False, 1, 3) and f.__name__ == "f" and f.__doc__ == "doc" and not g() and tg.is_grad_enabled()
    assert not h() and i() and c.m(5) == (c, False, 5)
    gen = c.gen()
    assert next(gen) is False and tg.is_grad_enabled() and gen.send("x") == ("x", False) and list(gen) == []
    with pytest.raises(TypeError):
        tg.no_grad(3)


def test_inference_mode():
    w = leaf(1., 2.)
    with tg.inference_mode():
        y = w * 2
    assert y.is_inference() and not y.requires_grad
    with pytest.raises(RuntimeError):
        w * y
    with tg.inference_mode(False):
        assert (w * 2).requires_grad


def test_anomaly_mode_names_the_forward_line():
    w = leaf(0.)
    with tg.autograd.detect_anomaly():
        y = w.log()
        with pytest.raises(RuntimeError) as e:
            (y * 0).sum().backward()
    assert "LogBackward0" in str(e.value) and "test_anomaly" in str(e.value)


def test_overwritten_values_name_the_callers_line():
    w = leaf(1., 2.)
    y = product(w)
    with tg.no_grad():
        w.mul_(2)
    with pytest.raises(RuntimeError) as e:
        y.sum().backward()
    line = product.__code__.co_firstlineno + 1
    assert f"{__file__}:{line} in product" in str(e.value)


def test_the_line_is_known_after_the_code_is_gone():
    scope = {}
    exec(compile("\n\ndef temporary(a):\n\n  b = 1\n  return (a\n    * a)", "gone.py", "exec"), scope)
    y = scope.pop("temporary")(leaf(1.))
    gc.collect()
    assert y.grad_fn.place == "gone.py:6 in temporary"


# ---- custom functions

class Cube(Function):
    @staticmethod
    def forward(ctx, x, scale=1., name=None):
        ctx.save_for_backward(x)
        ctx.scale = scale
        return x * x * x * scale

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g * 3 * x * x * ctx.scale, None, None


def test_function():
    w = leaf(1., 2.)
    y = Cube.apply(w, 2., "name")
    assert y.grad_fn.name() == "CubeBackward" and y.tolist() == [2, 16]
    g, = tg.autograd.grad(y.sum(), w, create_graph=True)
    h, = tg.autograd.grad(g.sum(), w)
    assert g.tolist() == [6, 24] and h.tolist() == [12, 24]
    assert not Cube.apply(w.detach()).requires_grad
    with tg.no_grad():
        assert not Cube.apply(w).requires_grad


def test_function_with_setup_context_and_several_outputs():
    class Both(Function):
        @staticmethod
        def forward(x, y):
            return x * y, "text", x + y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            assert output[1] == "text" and ctx.needs_input_grad == (True, False)

        @staticmethod
        def backward(ctx, g, none, g2):
            assert none is None
            x, y = ctx.saved_tensors
            return g * y + g2, None

    w = leaf(1., 2.)
    a, text, b = Both.apply(w, tg.tensor([3., 4.]))
    assert text == "text"
    (a + b).sum().backward()
    assert w.grad.tolist() == [4, 5]


def test_marks():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class Split(Function):
        @staticmethod
        def forward(ctx, x):
            sign = x > 0
            ctx.mark_non_differentiable(sign)
            ctx.set_materialize_grads(False)
            return x * 1, sign, x * 2

        @staticmethod
        def backward(ctx, g, _, unused):
            assert unused is None
            return g

    w = leaf(1., 2.)
    x = w * 1
    y = Double.apply(x)
    assert y is x and x.tolist() == [2, 4]
    y.sum().backward()
    assert w.grad.tolist() == [2, 2]
    a, sign, _ = Split.apply(w)
    assert a.requires_grad and not sign.requires_grad
    a.sum().backward()
    assert w.grad.tolist() == [3, 3]


def test_wrong_functions():
    def function(result):
        class F(Function):
            @staticmethod
            def forward(ctx, x, n=0):
                return x * 1

            @staticmethod
            def backward(ctx, g):
                return result(g)
        return F

    w = leaf(1., 2.)
    for result, words in ((lambda g: (g, g, g), "incorrect number of gradients"), (lambda g: (), "incorrect number"), (lambda g: (g, g), "different from None"),
                          (lambda g: (g[0], None), "shape"), (lambda g: (3, None), "expected a Tensor")):
        with pytest.raises((RuntimeError, TypeError), match=words):
            function(result).apply(w, 5).sum().backward()
    function(lambda g: (g, None, None)).apply(w, 5).sum().backward()
    with pytest.raises(ZeroDivisionError):
        function(lambda g: 1 / 0).apply(w).sum().backward()

    class Nothing(Function):
        pass
    with pytest.raises(NotImplementedError):
        Nothing.apply(w)

    class Text(Function):
        @staticmethod
        def forward(ctx, x):
            return "x"
    with pytest.raises(TypeError):
        Text.apply(w)
    with pytest.raises(RuntimeError):
        Cube()


def test_once_differentiable():
    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            x, = ctx.saved_tensors
            return g * 2 * x

    w = leaf(1., 2.)
    y = Once.apply(w)
    g, = tg.autograd.grad((y * y).sum(), w, create_graph=True)
    assert g.tolist() == [4, 32]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


def test_function_contexts_are_collected():
    class Keeps(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mine = ctx.out = x * 2
            ctx.thing = Thing()
            things.append(weakref.ref(ctx.thing))
            return ctx.out

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class Thing:
        pass

    things = []
    w = leaf(1., 2.)
    y = Keeps.apply(w)
    y.sum().backward()
    del y
    gc.collect()
    assert things[0]() is None


def test_hooks_of_tensors_that_are_no_leaves_are_collected():
    class Thing:
        pass

    thing, w = Thing(), leaf(1., 2.)
    r = weakref.ref(thing)
    y = w * 3
    y.register_hook(lambda g, y=y, thing=thing: None)
    y.grad_fn.register_prehook(lambda g, y=y: None)
    y.sum().backward()
    del y, thing
    gc.collect()
    assert r() is None


def test_saved_tensor_hooks():
    log = []

    def pack(t):
        log.append("pack")
        return t.tolist()

    def unpack(values):
        log.append("unpack")
        return tg.tensor(values)

    w = leaf(1., 2.)
    with tg.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = w * w
    y.sum().backward()
    assert w.grad.tolist() == [2, 4] and log[:2] == ["pack", "pack"] and log.count("unpack") == 2


def test_threads_differentiate_their_own_graphs():
    w = leaf(1., 2.)
    fails = []

    def work():
        try:
            for _ in range(300):
                (w * w).sum().backward()
        except Exception as e:  # noqa: BLE001
            fails.append(e)
    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not fails and w.grad.tolist() == [2400, 4800]
