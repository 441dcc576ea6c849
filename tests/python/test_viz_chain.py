"""The chain rule as NumPy source: what it gives equals what backward() gives."""
import numpy as np
import op_samples
import pytest
import tapegrad as tg
from tapegrad import viz
from test_ops_gradcheck import SAMPLES

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
    assert "# step 0, AddmmBackward0, from test_viz_chain.py:" in text and "loss = F.cross_entropy(net(" in text and "(softmax(" in text


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


@pytest.mark.parametrize("how", [{}, {"stride": 2, "padding": 1}, {"dilation": 2}, {"groups": 2}, {"stride": 2, "groups": 2, "dilation": 2, "padding": 3}], ids=str)
@pytest.mark.parametrize("kind", ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"])
def test_chain_of_convolutions(kind, how):
    tg.manual_seed(12)
    sizes = [9, 8, 7][:int(kind[-2])]
    x, w, b = leaf(2, 4, *sizes), leaf(*((4, 6 // how.get("groups", 1)) if "t" in kind else (6, 4 // how.get("groups", 1))), *[3] * len(sizes)), leaf(6)
    y = getattr(F, kind)(x, w, b, **how)
    check((y * tg.randn(y.shape)).sum(), {"x": x, "w": w, "b": b})


POOLS = {"max 1": lambda x: F.max_pool1d(x[0], 2), "max 3": lambda x: F.max_pool3d(x, 2, stride=1, padding=1), "avg 1": lambda x: F.avg_pool1d(x[0], 3, 2),
         "avg 3": lambda x: F.avg_pool3d(x, 2), "adaptive": lambda x: F.adaptive_avg_pool2d(x, 2), "unbatched": lambda x: F.max_pool2d(x[0], 2)}
WRITES = {"scatter": lambda x: x.scatter(2, tg.tensor([[[[0], [2]]]]), x[:1, :1, :2, :1] * 3), "scatter_add": lambda x: x.scatter_add(3, tg.tensor([[[[1, 1]]]]), x[:1, :1, :1, :2] * 2),
          "index_add": lambda x: x.index_add(1, tg.tensor([0, 0]), x[:, :2] * 2, alpha=0.5), "index_copy": lambda x: x.index_copy(2, tg.tensor([1]), x[:, :, :1] * 2),
          "index_put": lambda x: x.index_put((tg.tensor([0, 1]), tg.tensor([1, 0])), x[0, :2] * 2), "diag": lambda x: tg.diag_embed(x[0, 0], 1),
          "cumprod": lambda x: x.cumprod(2), "cummax": lambda x: x.cummax(3)[0], "logcumsumexp": lambda x: x.logcumsumexp(1), "sinc": lambda x: tg.sinc(x)}


@pytest.mark.parametrize("name", [*POOLS, *WRITES])
def test_chain_of_pools_and_writes(name):
    tg.manual_seed(13)
    x = leaf(2, 2, 4, 4, 4) if name in POOLS and "1" not in name and name not in ("adaptive", "unbatched") else leaf(2, 2, 4, 4)
    y = {**POOLS, **WRITES}[name](x * 1.5)
    check((y * tg.randn(y.shape)).sum(), {"x": x})


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


def test_backward_explains(capsys):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    assert loss.backward(explain=True) is None and x.grad.tolist() == [2, 4]
    text = capsys.readouterr().out
    scope = {"values": {"x": x.detach().numpy()}}
    exec(text, scope)
    assert scope["gradients"]["x"].tolist() == [2, 4] and "# step 0, MulBackward0, from test_viz_chain.py:" in text
    y = x.exp()
    y.backward(tg.tensor([1.0, 3.0]), explain=True)
    assert "d_y = gradient" in capsys.readouterr().out
    chain = viz.explain_backward(x.exp(), gradient=tg.tensor([1.0, 3.0]))
    np.testing.assert_allclose(chain.run()["x"], np.exp([1, 2]) * [1, 3], rtol=1e-6)
    (x * 2).sum().backward(explain=False)
    x.grad = None
    with pytest.raises(RuntimeError, match="scalar"):
        x.exp().backward(explain=True)
    with pytest.raises(NotImplementedError, match="LgammaBackward0"):
        x.lgamma().sum().backward(explain=True)
    with pytest.raises(TypeError):
        x.sum().backward(None, None, False, None, True)
    assert x.grad is None and not capsys.readouterr().out


def test_chain_says_what_it_cannot():
    x = leaf(1, 1, 5, 5)
    loss = F.conv2d(x, tg.ones(1, 1, 2, 2), stride=(1, 2)).sum()
    with pytest.raises(NotImplementedError, match=r"ConvolutionBackward0 \(step 0, .*test_viz_chain.py.* no NumPy formula for what it was called with"):
        viz.explain_backward(loss)
    with pytest.raises(NotImplementedError, match=r"explain_backward: LgammaBackward0 \(step 0"):
        viz.explain_backward(x.lgamma().sum())
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
    assert len(explained) > 340, sorted(explained)
