"""The tape as a table, as a page in a real browser, and as NumPy source."""
import html.parser
import json
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import op_samples
import pytest
import tapegrad as tg
from browser import CHROMIUM, open_page
from tapegrad import viz
from test_ops_gradcheck import SAMPLES


def model():
    tg.manual_seed(0)
    x, w, b = tg.randn(4, 3), tg.randn(3, 2, requires_grad=True), tg.zeros(2, requires_grad=True)
    hidden = tg.tanh(x @ w + b)
    return hidden.square().mean(), w, b


# ---- the table

def test_tape_of_variables():
    x = tg.ones(2, 3)
    w = tg.ones(3, requires_grad=True)
    h = x * w
    loss = h.exp().sum()
    t = tg.tape(loss)
    assert len(t) == 3 and [s.op for s in t] == ["MulBackward0", "ExpBackward0", "SumBackward0"] and t[1].title == "Exp"
    first = t[0]
    assert (first.outputs[0].name, tuple(first.outputs[0].shape), first.outputs[0].dtype) == ("h", (2, 3), tg.float32)
    assert [i.kind for i in first.inputs] == ["constant", "leaf"] and t.name_of(first.inputs[1]) == "w"
    assert first.file == __file__ and first.source == "h = x * w" and first.function == "test_tape_of_variables"
    assert first.saved_bytes == 24 and first.saved[0].tensor is x
    assert t[1].inputs[0] == ("step", 0, 0) and t[1].saved[0].role == "output 0"
    text = str(t)
    assert f"test_viz.py:{first.line}  h = x * w" in text and "loss float32[]" in text and "leaves: w float32[3]" in text
    assert w.grad is None and "<table>" in t._repr_html_()


def test_tape_names_parameters():
    net = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.ReLU(), tg.nn.Linear(4, 1))
    loss = net(tg.ones(2, 3)).sum()
    assert [leaf.name for leaf in tg.tape(loss).leaves] == ["net.0.weight", "net.0.bias", "net.2.weight", "net.2.bias"]
    assert [s.module for s in tg.tape(loss)] == ["Sequential.0", "Sequential.1", "Sequential.2", ""]
    assert [leaf.name for leaf in tg.tape(loss, net).leaves] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert [leaf.name for leaf in tg.tape(loss, {"A": net[0].weight}).leaves][0] == "A"


def test_tape_touches_nothing():
    w = tg.ones(3, requires_grad=True)
    called = []
    w.register_hook(called.append)
    h = w * 2
    h.register_hook(called.append)
    loss = h.sum()
    w.grad = tg.ones(3)
    tg.tape(loss)
    viz.graph(loss)
    assert not called and w.grad.tolist() == [1, 1, 1]
    loss.backward()
    assert w.grad.tolist() == [3, 3, 3] and len(called) == 2


def test_tape_after_backward_and_without_history():
    loss, w, _ = model()
    loss.backward()
    t = tg.tape(loss)
    assert "freed" in str(t) and "sizes are missing" in str(t) and t[0].saved[0].state == "freed"
    assert t[0].outputs[0].shape is None and tuple(t[-1].outputs[0].shape) == ()
    assert len(tg.tape(w)) == 0 and "leaves: w float32[3, 2]" in str(tg.tape(w))
    with pytest.raises(RuntimeError, match="has no tape"):
        tg.tape(tg.ones(2))


def test_tape_of_many_outputs_views_and_in_place():
    x = tg.randn(4, 6, requires_grad=True)
    a, b = (x * 1).split(3, 1)
    y = a.clone()
    y[0] = 0
    t = tg.tape((y * b).sum())
    assert [i for s in t for i in s.inputs if i.output_nr == 1] and all(s.outputs[0].shape is not None for s in t)


def test_node_call_and_saved():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    assert y.grad_fn(tg.ones(2)).tolist() == pytest.approx(y.tolist())
    assert y.grad_fn.saved[0][0] == "output 0" and y.grad_fn.saved[0][2] == "kept"
    with pytest.raises(ValueError, match="has 1 outputs, got 2 gradients"):
        y.grad_fn(tg.ones(2), tg.ones(2))
    with pytest.raises(ValueError, match="ExpBackward0 got no gradient"):
        y.grad_fn(None)
    for wrong in (tg.ones(3), tg.ones(()), tg.ones(2, dtype=tg.float64)):
        with pytest.raises(ValueError, match=r"the gradient of output 0 must be float32\[2\] as that is"):
            y.grad_fn(wrong)
    with pytest.raises(NotImplementedError, match="take the node from that tensor's grad_fn"):
        y.sum().grad_fn.next_functions[0][0](tg.ones(2))
    with pytest.raises(ValueError, match="SplitBackward0 got no gradient"):
        (x * 1).split(1)[0].grad_fn(None, None)


def test_an_observer_may_look_at_views():
    program = """if True:
        import tapegrad as tg
        x, z = tg.ones(4, requires_grad=True), tg.ones(4, requires_grad=True)
        def two(t):
            y = t * 1
            view = y[:2]
            y.mul_(2)  # the view's node is made when somebody asks for it
            return view
        a, b = two(x), two(z)
        tg._C._observe_tape(lambda node, nr, value: b.grad_fn)
        print(a.grad_fn.name())
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "AsStridedBackward0\n", done.stderr


# ---- drawing

def long_chain(n):
    x = w = tg.ones(4, requires_grad=True)
    for k in range(n // 2):
        x = x * w + 1e-4
    return x.sum()


def test_ten_thousand_nodes_are_fast(tmp_path):
    loss = long_chain(10_000)
    viz.graph(loss, tmp_path / "warm.svg")
    start = time.perf_counter()
    g = viz.graph(loss, tmp_path / "g.html")
    took = time.perf_counter() - start
    assert len(g.tape) == 10_001 and took < 10, took  # 1 s on an idle machine; the promise of 2 s is measured, not tested


def test_pictures(tmp_path):
    loss, _, _ = model()
    viz.graph(loss, tmp_path / "g.svg")
    svg = (tmp_path / "g.svg").read_text()
    assert svg.count('class="step"') == len(tg.tape(loss)) and svg.count('class="leaf"') == 2
    html.parser.HTMLParser().feed(svg)
    viz.graph(loss, tmp_path / "g.dot")
    dot = (tmp_path / "g.dot").read_text()
    assert "leaf0 -> step0" in dot and dot.count("->") == sum(i.kind != "constant" for s in tg.tape(loss) for i in s.inputs)
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg", tmp_path / "g.dot", "-o", tmp_path / "dot.svg"], check=True)
    with pytest.raises(ValueError, match="must end in"):
        viz.graph(loss, tmp_path / "g.png")
    assert "srcdoc" in viz.graph(loss)._repr_html_()


def page_data(g):
    return json.loads(re.search(r'<script id="tape" type="application/json">(.*?)</script>', g.html, re.S)[1])


def test_page_has_values_gradients_and_sources():
    with viz.record():
        x = tg.tensor([[1.0, 2.0]], requires_grad=True)
        y = x * 3
        odd = "</script>"  # must not end the page's data
        loss = (y + 1).sum() * (1 if odd else 0)
    data = page_data(viz.graph(loss))
    assert [s["value"][0]["data"] for s in data["steps"]] == [[[3, 6]], [[4, 7]], 11, 11]
    assert data["steps"][0]["grad"][0]["data"] == [[1, 1]] and data["leaves"][0]["grad"]["data"] == [[3, 3]]
    path, lines, _ = data["files"][0]  # without folders: pages are passed on
    assert path == "test_viz.py" and "y = x * 3" in lines[data["steps"][0]["line"] - 1]


def test_large_values_are_summarised():
    x = tg.randn(50, 50, requires_grad=True)
    with viz.record():
        y = x * float("inf")
        loss = (y * 0 + x).sum()
    data = page_data(viz.graph(loss))
    assert sum(data["leaves"][0]["value"]["bins"]) == 2500 and data["steps"][0]["value"][0]["odd"] == 2500


STATE = "({...document.documentElement.dataset})"


@pytest.mark.skipif(not CHROMIUM, reason="no chromium or chrome to show the page")
def test_page_in_a_browser(tmp_path):  # a start of the browser takes a second or two
    small, large, shot = tmp_path / "small.html", tmp_path / "large.html", tmp_path / "shot.png"
    ops = [s.op for s in viz.graph(model()[0], small).tape]
    viz.graph(long_chain(10_000), large)
    with open_page(f"file://{small}#check") as page:  # every step forward and backward
        state = page.js(STATE)
        assert (state["errors"], state["nodes"], state["check"].split()) == ("0", str(len(ops)), ops + ops[::-1])
        page.go(f"file://{large}#step=10002")
        state = page.js(STATE)
        assert [state[k] for k in ("errors", "nodes", "step", "op")] == ["0", "10001", "10002", "SumBackward0"]
        assert page.js("document.body.className") == "back" and page.js("document.querySelectorAll('.has.now').length") == 1
        page.shot(shot)
        assert shot.read_bytes()[:4] == b"\x89PNG" and shot.stat().st_size > 20_000


class Block(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.mlp = tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.GELU(), tg.nn.Linear(8, 4))
        self.norm = tg.nn.LayerNorm(4)

    def forward(self, x):
        return x + self.mlp(self.norm(x))


class Net(tg.nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.stem = tg.nn.Linear(4, 4)
        self.encoder = tg.nn.ModuleList(Block() for _ in range(blocks))

    def forward(self, x):
        x = self.stem(x)
        for block in self.encoder:
            x = block(x)
        return (x.square().sum(1) + 1).sqrt().log().mean()


def test_modules_are_groups():
    small, large = viz.graph(Net(2)(tg.randn(3, 4))), viz.graph(Net(20)(tg.randn(3, 4)))
    assert [(g.path, g.first, g.last, g.depth, g.open) for g in small.groups] == [
        ("Net.encoder", 1, 10, 0, True), ("Net.encoder.0", 1, 5, 1, True), ("Net.encoder.0.mlp", 2, 4, 2, True),
        ("Net.encoder.1", 6, 10, 1, True), ("Net.encoder.1.mlp", 7, 9, 2, True)]
    assert len(small.cells) == len(small.tape) == 17
    assert {g.path: g.open for g in large.groups}["Net.encoder.3"] is False and len(large.tape) == 107
    assert len(large.cells) == 27 and [c.group.path for c in large.cells if c.group][3] == "Net.encoder.3"
    assert [i.index for i in large.cells[5].inputs] == [4]  # parameters stay inside
    cell, x = tg.nn.Linear(4, 4), tg.randn(2, 4)
    for _ in range(3):  # a module that runs again is another group: nothing goes in circles
        x = tg.nn.Sequential(cell, tg.nn.Tanh())(x).exp()
    assert [(g.first, g.last) for g in viz.graph(x.sum(), collapse=True).groups] == [(0, 1), (3, 4), (6, 7)]


def test_pictures_of_modules(tmp_path):
    loss = Net(3)(tg.randn(3, 4))
    for collapse, modules, frames in ((True, 1, 0), (False, 0, 7)):
        g = viz.graph(loss, collapse=collapse)
        assert g.svg.count('class="module"') == g.dot.count("box3d") == modules
        assert g.svg.count('fill-opacity=".035"') == g.dot.count("subgraph") == frames and g.dot.count("{") == g.dot.count("}")
        html.parser.HTMLParser().feed(g.svg)


@pytest.mark.skipif(not CHROMIUM, reason="no chromium or chrome to show the page")
def test_modules_open_and_close_on_a_click(tmp_path):
    drawn = viz.graph(Net(20)(tg.randn(3, 4)), tmp_path / "g.html")
    middle = "(([x, y]) => [(x - view.x) * view.s + size.w / 2, (y - view.y) * view.s + size.h / 2])"
    with open_page(f"file://{tmp_path}/g.html#step=30") as page:
        page.until("!glide")
        assert page.js("[boxes.filter(b => b.group).length, boxes.length]") == [20, len(drawn.cells) + 2]  # with the stem's leaves
        assert page.js("boxOf[29].group.path") == "Net.encoder.5" and page.js(STATE)["op"] == drawn.tape[29].op
        page.click(*page.js(middle + "([boxOf[29].x, boxOf[29].y])"))
        assert page.js("[boxOf[26].step.op, boxOf[29].group.path, boxes.length]") == ["NativeLayerNormBackward0", "Net.encoder.5.mlp", 33]
        page.until("!glide")
        page.click(*page.js(middle + "((({ l, t }) => [l + 4, t + 8])(frames[0].name))"))
        assert page.js("[boxOf[26].group.path, boxes.length]") == ["Net.encoder.5", 29]
        page.go(f"file://{tmp_path}/g.html?#check")
        assert page.js(STATE)["errors"] == "0" and page.js(STATE)["closedAndOpen"].split()[0] == "29"


# ---- in a notebook

def test_tensors_in_a_notebook():
    x = tg.tensor([[1.0, 2.5], [float("nan"), -3.0]], requires_grad=True)
    y = x * 2
    text = y._repr_html_()
    html.parser.HTMLParser().feed(text)
    line = f"test_viz.py:{y.grad_fn.place.rpartition(' in ')[0].rpartition(':')[2]}"
    assert all(part in text for part in ("float32[2, 2]", "cpu", "grad_fn=MulBackward0", line, "y = x * 2", ">5<", ">nan<", ">-6<"))
    assert "float32[2, 2] · cpu · requires_grad" in x._repr_html_() and repr(x).startswith("tensor([[ 1.0000")
    assert "<b>Parameter</b>" in tg.nn.Linear(2, 2).weight._repr_html_()
    shown = tg.arange(100_000).view(10, 100, 100)._repr_html_()
    assert all(f">{k}<" in shown for k in (0, 3, 96, 9999, 10_000)) and ">4<" not in shown and ">20000<" not in shown and "8 more" in shown
    for t in (tg.tensor(True), tg.zeros(0, 3), tg.zeros(3, 0), tg.tensor([1 + 2j]), tg.ones(3, dtype=tg.bfloat16), tg.ones(1, 1, 1, 1, 1), tg.ones(20)):
        html.parser.HTMLParser().feed(t._repr_html_())


def test_large_tensors_are_not_read():
    t = tg.zeros(1 << 14, 1 << 12)[:, ::2]
    start = time.perf_counter()
    text = t._repr_html_()
    assert time.perf_counter() - start < 0.1 and len(text) < 5000  # 0.3 ms


def test_nodes_and_tapes_in_a_notebook():
    loss, w, _ = model()
    text = loss.grad_fn._repr_html_()
    assert text.count('class="step"') == len(tg.tape(loss)) and text.count('class="leaf"') == 2 and "test_viz.py:" in text and w.grad is None
    assert "float32[3, 2] · cpu · requires_grad" in w.mul(1).grad_fn.next_functions[0][0]._repr_html_()
    long = long_chain(1000)
    text, tape = long.grad_fn._repr_html_(), tg.tape(long)._repr_html_()
    assert 40 <= text.count('class="step"') <= 41 and "left out" in text and 40 <= tape.count('class="step"') <= 41
    assert "the last 100 of 1,001 steps" in tape and tape.count("<tr>") == 101
    text = tg.tape(Net(20)(tg.randn(3, 4)))._repr_html_()
    assert text.count('class="module"') == 20 and "left out" not in text
    loss.backward()
    assert loss.grad_fn._repr_html_().count('class="step"') == 5 and tg.tape(w)._repr_html_().startswith("<table>")


def test_notebooks_find_the_hooks():
    formatters = pytest.importorskip("IPython.core.formatters")
    show = formatters.HTMLFormatter()
    loss, w, _ = model()
    assert show(w) == w._repr_html_() and "<svg" in show(loss.grad_fn) and "<table>" in show(tg.tape(loss)) and show(tg.Tensor) is None


def test_backward_explains(capsys):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    assert loss.backward(explain=True) is None and x.grad.tolist() == [2, 4]
    text = capsys.readouterr().out
    scope = {"values": {"x": x.detach().numpy()}}
    exec(text, scope)
    assert scope["gradients"]["x"].tolist() == [2, 4] and "# step 0, MulBackward0, from test_viz.py:" in text
    y = x.exp()
    y.backward(tg.tensor([1.0, 3.0]), explain=True)
    assert "d_y = gradient" in capsys.readouterr().out
    chain = viz.explain_backward(x.exp(), gradient=tg.tensor([1.0, 3.0]))
    np.testing.assert_allclose(chain.run()["x"], np.exp([1, 2]) * [1, 3], rtol=1e-6)
    (x * 2).sum().backward(explain=False)
    x.grad = None
    with pytest.raises(RuntimeError, match="scalar"):
        x.exp().backward(explain=True)
    with pytest.raises(NotImplementedError, match="CumprodBackward0"):
        x.cumprod(0).sum().backward(explain=True)
    with pytest.raises(TypeError):
        x.sum().backward(None, None, False, None, True)
    assert x.grad is None and not capsys.readouterr().out


# ---- the chain rule as source

F = tg.nn.functional


def check(loss, leaves):
    chain = viz.explain_backward(loss, leaves)
    scope = {"values": chain.values}
    exec(chain.source, scope)
    found = scope["gradients"]
    loss.backward(tg.ones_like(loss))
    for name, t in leaves.items():
        np.testing.assert_allclose(found[name], t.grad.numpy(), rtol=2e-4, atol=1e-5, err_msg=str(chain))
    return chain


def leaf(*size, low=-1.5, high=1.5):
    t = tg.empty(*size).uniform_(low, high)
    return t.requires_grad_()


def test_chain_of_an_mlp():
    tg.manual_seed(0)
    net = tg.nn.Sequential(tg.nn.Linear(5, 8), tg.nn.ReLU(), tg.nn.LayerNorm(8), tg.nn.Linear(8, 8), tg.nn.Tanh(), tg.nn.Linear(8, 3))
    loss = F.cross_entropy(net(tg.randn(6, 5)), tg.tensor([0, 1, 2, 0, 1, 2]))
    chain = check(loss, dict(net.named_parameters()))
    text = str(chain)
    assert "# step 0, AddmmBackward0, from test_viz.py:" in text and "loss = F.cross_entropy(net(" in text and "(softmax(" in text


UNARY = ["neg", "deg2rad", "abs", "exp", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asinh", "atan", "erf", "erfc", "sigmoid", "square", "frac", "floor",
         "sign", "exp2"]
POSITIVE = ["sqrt", "rsqrt", "reciprocal", "log", "log2", "log10", "log1p"]
ACTIVATIONS = ["relu", "leaky_relu", "silu", "mish", "gelu", "softplus", "logsigmoid", "elu", "hardsigmoid", "hardswish", "hardtanh", "softsign",
               "tanhshrink", "softshrink", "hardshrink", "celu", "selu"]


@pytest.mark.parametrize("name", UNARY + POSITIVE + ["asin", "acos", "atanh"])
def test_chain_of_functions(name):
    tg.manual_seed(1)
    x = leaf(3, 4, low=0.2, high=2.0) if name in POSITIVE else leaf(3, 4, low=-0.9, high=0.9)
    check((getattr(tg, name)(x) * tg.randn(3, 4)).sum(), {"x": x})


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_chain_of_activations(name):
    tg.manual_seed(1)
    x = leaf(3, 4, low=-4, high=4)
    check((getattr(F, name)(x) * tg.randn(3, 4)).sum(), {"x": x})


TWO = {
    "add": lambda a, b: a + b, "add scaled": lambda a, b: tg.add(a, b, alpha=2.5), "sub": lambda a, b: a - b, "rsub": lambda a, b: 1 - a * b,
    "mul": lambda a, b: a * b, "div": lambda a, b: a / b, "numbers": lambda a, b: (2 * a - 3) / 4 + b, "self": lambda a, b: a * a + b, "thrice": lambda a, b: tg.addcmul(a, a, a) + b,
    "pow": lambda a, b: a ** b, "powers": lambda a, b: a ** 2 + b ** 3 + a ** 0.5 + b ** 1.7, "maximum": tg.maximum, "minimum": tg.minimum,
    "atan2": tg.atan2, "hypot": tg.hypot, "logaddexp": tg.logaddexp, "where": lambda a, b: tg.where(a > 1, a, b), "lerp": lambda a, b: tg.lerp(a, a * 2, b), "lerp number": lambda a, b: tg.lerp(a, b.expand(3, 4), 0.3), "xlogy": tg.xlogy, "fmax": tg.fmax,
    "logaddexp2": tg.logaddexp2, "prelu": lambda a, b: F.prelu(a - 1, b),
    "addcmul": lambda a, b: tg.addcmul(a, a, b, value=0.3), "addcdiv": lambda a, b: tg.addcdiv(a, a, b, value=0.3), "mse": lambda a, b: F.mse_loss(a, b.expand(3, 4)),
    "mse sum": lambda a, b: F.mse_loss(a, b.expand(3, 4), reduction="sum"), "l1": lambda a, b: F.l1_loss(a, b.expand(3, 4)),
}


@pytest.mark.parametrize("name", TWO)
def test_chain_of_two(name):
    tg.manual_seed(2)
    a, b = leaf(3, 4, low=0.3, high=2), leaf(4, low=0.3, high=2)
    y = TWO[name](a, b)
    check((y * tg.randn(y.shape)).sum(), {"a": a, "b": b})


ONE = {
    "sum": lambda x: x.sum(), "sum 1": lambda x: x.sum(1), "sum keep": lambda x: x.sum((0, 2), keepdim=True), "mean": lambda x: x.mean(), "mean 0": lambda x: x.mean(0),
    "var": lambda x: x.var(), "var 1": lambda x: x.var(1), "std": lambda x: x.std(2, keepdim=True), "prod": lambda x: x.prod(), "norm": lambda x: x.norm(),
    "max": lambda x: x.max(), "max 1": lambda x: x.max(1)[0], "min 2": lambda x: x.min(2)[0], "amax": lambda x: x.amax(1), "sort": lambda x: x.sort(1)[0],
    "topk": lambda x: x.topk(2, 2)[0], "logsumexp": lambda x: x.logsumexp(1), "softmax": lambda x: x.softmax(1), "log_softmax": lambda x: x.log_softmax(2),
    "cumsum": lambda x: x.cumsum(1), "view": lambda x: x.view(6, 4), "reshape": lambda x: x.transpose(0, 1).reshape(-1), "transpose": lambda x: x.transpose(0, 2),
    "permute": lambda x: x.permute(2, 0, 1), "unsqueeze": lambda x: x.unsqueeze(1).squeeze(1), "expand": lambda x: x[:1].expand(5, 3, 4), "flip": lambda x: x.flip(1),
    "roll": lambda x: x.roll(1, 2), "tril": lambda x: x.tril(), "triu": lambda x: x.triu(1), "repeat": lambda x: x.repeat(2, 1, 3), "select": lambda x: x[1],
    "slice": lambda x: x[:, 1:, ::2], "mixed": lambda x: x[0, 1:3, 2], "diagonal": lambda x: x.diagonal(0, 1, 2), "index": lambda x: x[:, tg.tensor([0, 2, 2])],
    "index 2": lambda x: x[tg.tensor([0, 1, 1]), tg.tensor([2, 0, 0])], "mask": lambda x: x[x > 0], "index_select": lambda x: x.index_select(2, tg.tensor([3, 0, 0])),
    "gather": lambda x: x.gather(1, tg.tensor([[[0, 1, 2, 0]], [[1, 1, 2, 2]]])), "cat": lambda x: tg.cat([x, x[:, :1] * 2], 1), "stack": lambda x: tg.stack([x, x * 2], 1),
    "split": lambda x: x.split(2, 1)[0] * 2, "chunk": lambda x: x.chunk(2, 2)[0] * x.chunk(2, 2)[1], "unbind": lambda x: x.unbind(1)[0] * x.unbind(1)[2],
    "masked_fill": lambda x: x.masked_fill(x > 0, 0.5), "clamp": lambda x: x.clamp(-0.5, 0.5), "pad": lambda x: F.pad(x, (1, 2, 0, 1)), "dropout": lambda x: F.dropout(x, 0.5),
    "clone": lambda x: x.clone(), "double": lambda x: x.double(), "rms_norm": lambda x: F.rms_norm(x, (4,)), "layer_norm": lambda x: F.layer_norm(x, (3, 4)),
    "group_norm": lambda x: F.group_norm(x.view(2, 3, 4), 3), "batch_norm": lambda x: F.batch_norm(x, None, None, training=True), "instance": lambda x: F.instance_norm(x),
    "bce": lambda x: F.binary_cross_entropy_with_logits(x, tg.ones(2, 3, 4) * 0.3), "einsum": lambda x: tg.einsum("abc,abd->acd", x, x), "outer": lambda x: tg.outer(x[0, 0], x[1, 1]),
}


@pytest.mark.parametrize("name", ONE)
def test_chain_of_one(name):
    tg.manual_seed(3)
    x = leaf(2, 3, 4)
    y = ONE[name](x * 1.5)
    check((y * tg.randn(y.shape)).sum(), {"x": x})


PRODUCTS = {"mm": ((3, 4), (4, 2)), "mv": ((3, 4), (4,)), "vm": ((4,), (4, 2)), "dot": ((4,), (4,)), "bmm": ((2, 3, 4), (2, 4, 5)),
            "broadcast": ((2, 1, 3, 4), (5, 4, 2)), "fold": ((2, 3, 4), (4, 5)), "batch by vector": ((2, 3, 4), (4,))}


@pytest.mark.parametrize("name", PRODUCTS)
def test_chain_of_products(name):
    tg.manual_seed(4)
    a, b = (leaf(*size) for size in PRODUCTS[name])
    y = a @ b
    check((y * tg.randn(y.shape)).sum(), {"a": a, "b": b})


@pytest.mark.parametrize("rows", [(6,), (2, 3), ()])
def test_chain_of_linear(rows):
    tg.manual_seed(5)
    x, w, b = leaf(*rows, 4), leaf(5, 4), leaf(5)
    check((F.linear(x, w, b) * tg.randn(*rows, 5)).sum(), {"x": x, "w": w, "b": b})


@pytest.mark.parametrize("kwargs", [{}, {"reduction": "sum"}, {"reduction": "none"}, {"weight": True}, {"ignore_index": 1}], ids=str)
def test_chain_of_cross_entropy(kwargs):
    tg.manual_seed(6)
    if "weight" in kwargs:
        kwargs = {"weight": tg.tensor([0.5, 1.0, 2.0])}
    x = leaf(6, 3)
    loss = F.cross_entropy(x, tg.tensor([0, 1, 2, 2, 0, 1]), **kwargs)
    check(loss, {"x": x})


@pytest.mark.parametrize("how", [{}, {"stride": 2, "padding": 1}, {"padding": 2}], ids=str)
def test_chain_of_a_convolutional_net(how):
    tg.manual_seed(8)
    x, w, b = leaf(2, 3, 9, 9), leaf(4, 3, 3, 3), leaf(4)
    h = F.max_pool2d(F.relu(F.conv2d(x, w, b, **how)), 2)
    loss = F.avg_pool2d(h, 2, 1, ceil_mode=False).square().mean()
    check(loss, {"x": x, "w": w, "b": b})


def test_chain_of_embedding_and_reuse():
    tg.manual_seed(7)
    table, w = leaf(7, 4), leaf(4, 4)
    h = F.embedding(tg.tensor([[1, 2, 2], [0, 6, 1]]), table)
    for _ in range(3):
        h = tg.tanh(h @ w) + h
    chain = check(h.mean(), {"table": table, "w": w})
    assert "d_w = d_w + " in str(chain)


@pytest.mark.parametrize("kind, how", [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("LSTM", {"proj_size": 2}), ("GRU", {}),
                                       ("LSTM", {"bidirectional": True, "batch_first": True, "num_layers": 2}), ("GRU", {"bidirectional": True, "bias": False})])
@pytest.mark.parametrize("read", ["outputs", "states", "both"])
def test_chain_of_recurrent_layers(kind, how, read):
    tg.manual_seed(9)
    net, x = getattr(tg.nn, kind)(3, 4, **how), leaf(5, 2, 3)
    y, h = net(x)
    states = [t.sin().sum() for t in (h if isinstance(h, tuple) else (h,))]
    check(sum((states if read != "outputs" else []) + ([y.square().sum()] if read != "states" else [])),
          {k: t for k, t in {"x": x, **dict(net.named_parameters())}.items() if read != "states" or "l1" not in k})


def test_chain_of_first_states_and_cells():
    x, h, c, cell = leaf(5, 2, 3), leaf(2, 4), leaf(2, 4), tg.nn.LSTMCell(3, 4)
    y, _ = tg.nn.LSTM(3, 4)(x, (h[None], c[None]))
    check((y * y).sum(), {"x": x, "h": h, "c": c})
    x, h, c = leaf(2, 3), leaf(2, 4), leaf(2, 4)
    for _ in range(2):
        state = cell(x, (h, c))
    chain = check(sum(t.square().sum() for t in state), {"x": x, "h": h, "c": c, **dict(cell.named_parameters())})
    assert "# c = f * before" not in str(chain) and "lstm_backward(range(1)" in str(chain)


@pytest.mark.parametrize("how", [{}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": "numbers"}, {"attn_mask": "bool"}], ids=str)
def test_chain_of_attention(how):
    tg.manual_seed(10)
    q, k, v = leaf(2, 3, 5, 4), leaf(2, 3, 7, 4), leaf(2, 3, 7, 3)
    if "attn_mask" in how:
        how = {"attn_mask": tg.randn(5, 7) if how["attn_mask"] == "numbers" else tg.randn(5, 7) > -0.5}
    y = F.scaled_dot_product_attention(q, k, v, **how)
    chain = check((y * tg.randn(y.shape)).sum(), {"q": q, "k": k, "v": v})
    assert ("np.tri(" in str(chain)) == bool(how.get("is_causal")) and ("weights_0" in str(chain)) == bool(how and not how.get("is_causal"))
    q = leaf(1, 2, 6, 4)
    check(F.scaled_dot_product_attention(q, q, q).square().sum(), {"q": q})


L = tg.linalg
DECOMPOSITIONS = {
    "inv": lambda a, b: L.inv(a), "det": lambda a, b: L.det(a), "slogdet": lambda a, b: L.slogdet(a)[1], "solve": L.solve,
    "solve a vector": lambda a, b: L.solve(a, b[..., 0]), "solve from the right": lambda a, b: L.solve(a, b.mT, left=False),
    "upper": lambda a, b: L.solve_triangular(a, b, upper=True), "lower": lambda a, b: L.solve_triangular(a, b.mT, upper=False, left=False),
    "unit": lambda a, b: L.solve_triangular(a, b, upper=True, unitriangular=True), "cholesky": lambda a, b: L.cholesky(a @ a.mT + tg.eye(4, dtype=a.dtype)),
    "cholesky upper": lambda a, b: L.cholesky(a @ a.mT + tg.eye(4, dtype=a.dtype), upper=True), "eigh": lambda a, b: (lambda e: e[1].square() @ e[0][..., None])(L.eigh(a + a.mT)),
    "eigvalsh": lambda a, b: L.eigvalsh(a), "qr": lambda a, b: L.qr(a)[0].square() + L.qr(a)[1], "qr tall": lambda a, b: L.qr(b)[0] @ L.qr(b)[1].square(),
    "svd": lambda a, b: (lambda u, s, v: u @ (s.square()[..., None] * v))(*L.svd(a)), "svdvals": lambda a, b: L.svdvals(b), "pinv": lambda a, b: L.pinv(b),
    "svd tall": lambda a, b: (lambda u, s, v: u @ (s.square()[..., None] * v))(*L.svd(b, full_matrices=False)),
    "svd wide": lambda a, b: (lambda u, s, v: u[..., :3] @ (s.square()[..., None] * v[..., :3, :]))(*L.svd(b.mT)),
}


@pytest.mark.parametrize("batch", [(), (2,)])
@pytest.mark.parametrize("name", DECOMPOSITIONS)
def test_chain_of_decompositions(name, batch):
    tg.manual_seed(11)
    a, b = (tg.randn(*batch, 4, n, dtype=tg.float64, requires_grad=True) for n in (4, 3))
    y = DECOMPOSITIONS[name](a, b)
    leaves = {k: t for k, t in {"a": a, "b": b}.items() if any(t is leaf.tensor for leaf in tg.tape(y).leaves)}
    check((y * tg.randn(y.shape, dtype=tg.float64)).sum(), leaves)


def test_chain_says_what_it_cannot():
    x = leaf(1, 1, 5, 5)
    loss = F.conv2d(x, tg.ones(1, 1, 2, 2), dilation=2).sum()
    with pytest.raises(NotImplementedError, match=r"ConvolutionBackward0 \(step 0, .*test_viz.py.* no NumPy formula for what it was called with"):
        viz.explain_backward(loss)
    with pytest.raises(NotImplementedError, match=r"explain_backward: CumprodBackward0 \(step 0"):
        viz.explain_backward(x.cumprod(3).sum())
    done = (x * x).sum()
    done.backward()
    with pytest.raises(RuntimeError, match="freed by the first backward"):
        viz.explain_backward(done)


def test_every_op_can_be_shown():
    """The tape of each op is read without changing its gradient, and where there is NumPy source it gives the same."""
    explained, samples = set(), {s.name: s for s in reversed(SAMPLES)}.values()  # one of each op
    for s in samples:
        call = op_samples.Call(tg, s.tree(), dtype="float64")
        inputs = {f"in{k}": x for k, x in enumerate(call.inputs) if x.dtype == tg.float64 and x.numel()}
        result = op_samples.run(op_samples.function_of(tg, s.row), s, call)
        outputs = [t for t in op_samples.tensors_of(tg, result) if t.requires_grad and t.dtype == tg.float64]
        if not inputs or not outputs:
            continue
        wanted = op_samples.gradients(tg, s, outputs, list(inputs.values()))
        outputs = [t for t in op_samples.tensors_of(tg, op_samples.run(op_samples.function_of(tg, s.row), s, call))
                   if t.requires_grad and t.dtype == tg.float64]
        loss = sum((t * tg.from_numpy(op_samples.direction(s, f"0.{k}", tuple(t.shape), False))).sum() for k, t in enumerate(outputs))
        t = tg.tape(loss, inputs)
        assert not t.problem and all(v.state == "kept" for step in t for v in step.saved), s.repro
        try:
            found = viz.explain_backward(loss, inputs).run()
            explained.add(s.name)
        except NotImplementedError as e:
            assert "explain_backward: " in str(e) and ("Backward" in str(e) or "CopySlices" in str(e)), e
            found = {}
        after = tg.autograd.grad(loss, list(inputs.values()), allow_unused=True)
        for name, before, g in zip(inputs, wanted, after):
            if before is not None:
                np.testing.assert_allclose(g.numpy(), before.numpy(), err_msg=s.repro)
                np.testing.assert_allclose(found.get(name, g.numpy()), g.numpy(), rtol=1e-6, atol=1e-8, err_msg=s.repro)
    assert len(explained) > 295, sorted(explained)
