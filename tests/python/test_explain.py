"""Errors of the tape and explain() name the line that is the reason. A line that a test looks for ends in a comment: `#: its name`."""
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import explain

with open(__file__, encoding="utf-8") as f:
    LINES = {line.rpartition("#: ")[2].strip(): (number, line.strip()) for number, line in enumerate(f, 1) if "#: " in line}


def says(text, name, *words):
    """The text names the line with that name, with its source, and has these words."""
    number, source = LINES[name]
    assert f"{__file__}:{number} in" in text, text
    assert source in text, text
    for word in words:
        assert word in text, text


def leaf(*values):
    return tg.tensor(values or (1.0, 2.0, 3.0), requires_grad=True)


# ---- backward errors show the forward line -------------------------------------------------------------------------------


def test_second_backward_names_the_first():
    x = leaf()
    y = (x * x).sum()  #: second forward
    y.backward()  #: first backward
    with pytest.raises(RuntimeError, match="second time") as e:
        y.backward()
    says(str(e.value), "second forward", "MulBackward0")
    says(str(e.value), "first backward", "freed by backward", "retain_graph=True")


def culprits(change, name, *words):
    x = leaf()
    h = x * 2
    y = (h**2).sum()  #: saves h
    change(h)
    with pytest.raises(RuntimeError, match="modified by an inplace operation") as e:
        y.backward()
    says(str(e.value), "saves h", "PowBackward0")
    says(str(e.value), name, *words)


def test_in_place_errors_name_both_culprits():
    def add(h):
        h += 1  #: +=

    def method(h):
        h.mul_(2)  #: mul_

    def item(h):
        h[0] = 5  #: item

    def view(h):
        h[1:].zero_()  #: view

    def out(h):
        tg.add(h.detach(), 1, out=h.detach())  #: out

    def copy(h):
        with tg.no_grad():
            h.copy_(tg.zeros(3))  #: copy

    culprits(add, "+=", "changed by add_")
    culprits(method, "mul_", "changed by mul_")
    culprits(item, "item", "changed by")
    culprits(view, "view", "changed by zero_")
    culprits(out, "out", "changed by add")
    culprits(copy, "copy", "changed by copy_")


def test_an_optimiser_step_is_named():
    w = leaf()
    opt = tg.optim.SGD([w], lr=0.1)
    loss = (w * w).sum()  #: uses w
    loss.backward(retain_graph=True)
    opt.step()  #: step
    with pytest.raises(RuntimeError, match="modified by an inplace") as e:
        loss.backward()
    says(str(e.value), "uses w")
    says(str(e.value), "step")


def wrong(gradient):
    class Wrong(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return gradient(g)

    return Wrong


def test_errors_of_ops_inside_backward():
    y = wrong(lambda g: g @ tg.ones(7)).apply(leaf())  #: custom op
    with pytest.raises(RuntimeError) as e:
        y.sum().backward()
    says(str(e.value), "custom op", "WrongBackward")


def test_python_errors_inside_backward_get_a_note():
    def fail(g):
        raise KeyError("what")

    y = wrong(fail).apply(leaf())  #: custom python
    with pytest.raises(KeyError) as e:
        y.sum().backward()
    notes = "\n".join(e.value.__notes__)
    says(notes, "custom python", "WrongBackward")
    assert len(e.value.__notes__) == 1


def test_hooks_too():
    def hook(g):
        raise ValueError("no")

    h = leaf() * 3  #: hooked
    h.register_hook(hook)
    with pytest.raises(ValueError) as e:
        h.sum().backward()
    says("\n".join(e.value.__notes__), "hooked", "MulBackward0")


def test_anomaly_mode():
    x = leaf(-1.0)
    with tg.autograd.detect_anomaly():
        y = tg.sqrt(x)  #: sqrt
        with pytest.raises(RuntimeError, match="nan") as e:
            y.backward()
    says(str(e.value), "sqrt", "SqrtBackward0")


def test_code_that_is_gone_keeps_its_line():
    x = leaf()
    space = {"x": x}
    exec(compile("y = (x * x).sum()", "made.py", "exec"), space)
    y = space.pop("y")
    y.backward()
    with pytest.raises(RuntimeError, match=r"made.py:1 in <module>"):
        y.backward()


# ---- explain: why it does not require grad -------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:To copy construct")
def test_cut_off():
    x = leaf()
    says(explain(x.detach()), "detach", "does not require grad", "detach()")  #: detach
    says(explain(x.data), "data", ".data")  #: data
    says(explain(tg.tensor(x)), "tensor", "tensor()")  #: tensor
    h = x * 2
    h.detach_()  #: detach_
    says(explain(h), "detach_", "detach_()")
    w = leaf()
    w.requires_grad_(False)  #: requires_grad_
    says(explain(w), "requires_grad_", "requires_grad was set to False")
    w = leaf()
    w.requires_grad = False  #: requires_grad
    says(explain(w), "requires_grad", "requires_grad was set to False")


@pytest.mark.filterwarnings("ignore:To copy construct")
def test_the_reason_is_inherited():
    x = leaf()
    h = x.detach()  #: far away
    for y in (h + 1, 1 - h, (h * 2).exp().sum(), h[0], h[1:], -h, h**2, tg.cat([h, h]), tg.nn.functional.relu(h), h.view(3, 1), h.max(0).values, tg.tensor(h), h.data):
        says(explain(y), "far away", "detach()")


def test_backward_without_a_graph_says_why():
    h = leaf().detach()  #: for the error
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn") as e:
        h.sum().backward()
    says(str(e.value), "for the error", "detach()")


def test_recording_was_off():
    x = leaf()
    with tg.no_grad():  #: no_grad
        y = x * 2
        with tg.enable_grad():
            assert (x * 2).requires_grad and "no_grad" not in explain(tg.ones(2))
        z = tg.ones(2)
    says(explain(y), "no_grad", "inside no_grad")
    says(explain(z), "no_grad", "inside no_grad")
    assert "no_grad" not in explain(tg.ones(2))
    with tg.inference_mode():  #: inference_mode
        y = x * 2
    says(explain(y), "inference_mode", "inside inference_mode")
    with tg.set_grad_enabled(False):  #: set_grad_enabled
        y = x * 2
    says(explain(y), "set_grad_enabled", "set_grad_enabled(False)")
    before = tg.is_grad_enabled()
    tg.set_grad_enabled(False)  #: set at once
    y = x * 2
    tg.set_grad_enabled(before)
    says(explain(y), "set at once", "set_grad_enabled(False)")
    assert (x * 2).requires_grad and "set_grad" not in explain(tg.ones(2))

    @tg.no_grad()
    def decorated(x):  #: decorated
        return x * 2

    y = decorated(x)
    assert "decorated with no_grad" in explain(y) and f"{__file__}:" in explain(y) and "in decorated" in explain(y)
    y = tg.zeros(3)
    with tg.no_grad():  #: in place
        y += x
    says(explain(y), "in place", "inside no_grad")


def test_results_without_a_gradient():
    x = leaf()
    says(explain(x.argmax()), "argmax", "argmax", "int64 have no gradient")  #: argmax
    says(explain(x > 1), "compare", "bool have no gradient")  #: compare
    says(explain(x.long()), "cast", "int64 have no gradient")  #: cast
    says(explain(x.to(tg.int32)), "to", "int32 have no gradient")  #: to
    says(explain(x.sort().indices), "sort", "int64")  #: sort
    mask = x > 1  #: mask
    says(explain(mask.float() * 2), "mask", "no gradient flows through >")
    chosen = x.argmax()  #: chosen
    says(explain(chosen + 0.5), "chosen", "no gradient flows through argmax")
    assert "requires_grad_() was not called on it" in explain(tg.ones(2))
    assert "tensors of int64 have no gradient" in explain(tg.arange(3))


def test_gradients_themselves():
    x = leaf()
    (x * x).sum().backward()  #: made the gradient
    says(explain(x.grad), "made the gradient", "create_graph=True")
    says(explain(x.grad * 2), "made the gradient", "create_graph=True")
    g, = tg.autograd.grad((x * x).sum(), x)  #: grad
    says(explain(g), "grad", "create_graph=True")


def test_custom_functions():
    class Two(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            a, b = x * 2, x * 3
            ctx.mark_non_differentiable(b)
            return a, b

        @staticmethod
        def backward(ctx, g, _):
            return g * 2

    a, b = Two.apply(leaf())  #: marked
    assert a.requires_grad
    says(explain(b), "marked", "mark_non_differentiable")


# ---- explain: why .grad is None ------------------------------------------------------------------------------------------


def test_no_backward_yet():
    program = "import tapegrad as tg\nprint(tg.explain(tg.ones(2, requires_grad=True)))"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "backward() has not been called yet" in out


def test_leaf_not_reached():
    x, other = leaf(), leaf()
    other.sum().backward()  #: did not reach
    says(explain(x), "did not reach", "requires grad and has no .grad", "did not reach it")


def test_the_last_backward_was_another():
    x, other = leaf(), leaf()
    (x * other).sum().backward(inputs=[other])  #: inputs
    says(explain(x), "inputs", "inputs=")
    tg.autograd.grad((x * other).sum(), x)  #: only grad
    says(explain(x), "only grad", "grad()")
    y = (x * other).sum()
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.backward()  #: failed
    says(explain(x), "failed", "raised an error")


def test_grad_was_cleared():
    x = leaf()
    opt = tg.optim.SGD([x], lr=0.1)
    x.sum().backward()
    assert "has a .grad" in explain(x)
    opt.zero_grad()  #: zero_grad
    says(explain(x), "zero_grad", ".grad was set to None")
    x.sum().backward()
    x.grad = None  #: by hand
    says(explain(x), "by hand", ".grad was set to None")


def test_not_a_leaf():
    x = leaf()
    y = x * 2  #: no leaf
    z = y.sum()
    says(explain(y), "no leaf", "not a leaf", "retain_grad()", "MulBackward0")
    z.backward()  #: frees
    says(explain(z), "frees", "freed by the backward")
    y.retain_grad()
    says(explain(y), "frees", "only after the backward")
    y = x * 2
    y.retain_grad()
    leaf().sum().backward()  #: elsewhere
    says(explain(y), "elsewhere", "did not reach it")


def test_zero_gradient():
    x = leaf(-1.0, -2.0)
    tg.relu(x).sum().backward()
    assert "all of it zero" in explain(x)
    (x * 2).sum().backward()
    assert "zero" not in explain(x)


def test_arguments():
    with pytest.raises(TypeError):
        explain(3)
    assert explain(None) == "there is no tensor"


def test_numpy_round_trip_is_not_known():
    x = leaf()
    y = tg.tensor(np.asarray(x.detach().numpy()))
    assert "requires_grad_() was not called on it" in explain(y)


def test_source_of_the_command_line():
    program = textwrap.dedent("""
        import tapegrad as tg
        x = tg.ones(2, requires_grad=True)
        print(tg.explain(x.detach()))
    """)
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "<string>:4 in <module>" in out
