"""The tape as a table, as a page in a real browser, and in notebooks."""
import html.parser
import json
import re
import shutil
import subprocess
import sys
import time

import pytest
import tapegrad as tg
from browser import CHROMIUM, open_page
from tapegrad import viz


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
        page.until("!glide && !wanted")  # moved and drawn
        assert page.js("[boxes.filter(b => b.group).length, boxes.length]") == [20, len(drawn.cells) + 2]  # with the stem's leaves
        assert page.js("boxOf[29].group.path") == "Net.encoder.5" and page.js(STATE)["op"] == drawn.tape[29].op
        page.click(*page.js(middle + "([boxOf[29].x, boxOf[29].y])"))
        assert page.js("[boxOf[26].step.op, boxOf[29].group.path, boxes.length]") == ["NativeLayerNormBackward0", "Net.encoder.5.mlp", 33]
        page.until("!glide && !wanted")  # moved and drawn
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
    own = type("Own", (tg.Tensor,), {"__repr__": lambda self: "mine"})
    assert tg.ones(2).as_subclass(own)._repr_html_() is None
    for t in (tg.tensor(True), tg.zeros(0, 3), tg.zeros(3, 0), tg.tensor([1 + 2j]), tg.ones(3, dtype=tg.bfloat16), tg.ones(1, 1, 1, 1, 1), tg.ones(20)):
        html.parser.HTMLParser().feed(t._repr_html_())


def test_large_tensors_are_not_read():
    t = tg.zeros(1 << 14, 1).expand(-1, 1 << 40)  # would take days
    assert len(t._repr_html_()) < 5000


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
