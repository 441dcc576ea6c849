"""What is timed. A case is code that reads the same for both libraries, which are bound to the name `torch` in turn."""
from dataclasses import dataclass

import models as programs


@dataclass(frozen=True)
class Case:
    group: str           # title of its table, with the unit behind the last comma
    name: str
    code: str            # the timed statement
    setup: str = ""      # runs once per library; numbers come from NumPy, so both see the same
    mark: float = 1.0    # the ratio to reach: PyTorch's time over ours
    threads: tuple = (1, 2)


def normal(*shape, grad=False, dtype="float32"):
    return f"torch.from_numpy(r.standard_normal({shape}).astype(np.{dtype})){'.requires_grad_()' if grad else ''}"


SMALL = """
x = torch.ones({n}); y = torch.ones({n})
xg = torch.ones({n}, requires_grad=True); yg = torch.ones({n})
"""


def overhead():
    def case(name, mark, code, setup=SMALL.format(n=4)):
        return Case("Python overhead, ns", name, code, setup, mark, (1,))

    for n in (1, 16):
        setup = SMALL.format(n=n)
        yield case(f"a + b, {n} elements", 18, "x + y", setup)
        yield case(f"a + b, {n} elements, recorded", 18, "xg + yg", setup)
    yield case("x + 1.0", 25, "x + 1.0")
    yield case("torch.relu(x)", 14, "relu(x)", SMALL.format(n=4) + "relu = torch.relu")
    yield case("x.sum()", 18, "x.sum()")
    yield case("m @ m, 4x4", 12, "m @ m", "m = torch.ones(4, 4)")
    yield case("m.view(4)", 12, "m.view(4)", "m = torch.ones(2, 2)")
    yield case("m.transpose(0, 1)", 12, "m.transpose(0, 1)", "m = torch.ones(2, 2)")
    yield case("x[0]", 12, "x[0]")
    yield case("x[1:3]", 12, "x[1:3]")
    yield case("m[:, 1]", 12, "m[:, 1]", "m = torch.ones(4, 4)")
    yield case("torch.zeros(4)", 12, "zeros(4)", "zeros = torch.zeros")
    yield case("x.add_(y)", 12, "x.add_(y)")
    yield case("torch.tensor([4 floats])", 25, "tensor(v)", "tensor = torch.tensor; v = [1.0, 2.0, 3.0, 4.0]")
    yield case("from_numpy(a)", 4, "from_numpy(a)", "a = np.ones(4, np.float32); from_numpy = torch.from_numpy")
    yield case("x.numpy()", 4, "x.numpy()")
    yield case("with no_grad(): pass", 10, "with no_grad(): pass", "no_grad = torch.no_grad")
    linear = "layer = torch.nn.Linear(4, 4); m = torch.ones(4, 4)\ndef plain():\n    with torch.no_grad(): return layer(m)"
    yield case("Linear(4, 4)(m)", 15, "layer(m)", linear)
    yield case("Linear(4, 4)(m) under no_grad", 15, "plain()", linear)
    yield case("(a * b).sum().backward(), 16 elements", 60, "(xg * yg).sum().backward()", SMALL.format(n=16))
    yield case("100 adds and backward", 25, "z = xg\nfor _ in hundred: z = z + yg\nz.sum().backward()", SMALL.format(n=4) + "hundred = range(100)")


def models():
    def case(name, mark, model, optimizer="Adam", options="", loss="cross_entropy", threads=(1, 2)):
        return Case("Training steps, ms", name, "step()", programs.with_step(model, optimizer, options, loss), mark, threads)

    yield case("MLP 784-128-10, batch 32, SGD", 2.2, programs.MLP, "SGD")
    yield case("MLP 784-128-10, batch 32, Adam", 3, programs.MLP)
    yield case("MLP 2-16-16-1, batch 1, SGD", 20, programs.TINY_MLP, "SGD", loss="mse_loss", threads=(1,))
    for kind in ("RNN", "LSTM", "GRU"):
        yield case(f"{kind}Cell, 32 steps, hidden 64, batch 1, SGD", 8, programs.CELL.format(kind=kind, b=1), "SGD", threads=(1,))
    yield case("nn.LSTM 64-64, 32 steps, batch 1, SGD", 2, programs.LAYER.format(kind="LSTM", i=64, h=64, l=32, b=1), "SGD")
    yield case("nn.LSTM 128-256, 32 x 64 steps, Adam", 1, programs.LAYER.format(kind="LSTM", i=128, h=256, l=64, b=32))
    yield case("nn.GRU 128-256, 32 x 64 steps, Adam", 1, programs.LAYER.format(kind="GRU", i=128, h=256, l=64, b=32))
    yield case("MNIST CNN, batch 64, Adam", 1.6, programs.MNIST_CNN)
    yield case("ResNet-18, 32x32, batch 16, SGD with momentum", 1.45, programs.RESNET18, "SGD", ", momentum=0.9")
    for d, heads, layers, b, n, mark in ((128, 4, 4, 12, 64, 1.5), (384, 6, 6, 4, 256, 1.2)):
        for sdpa in (False, True):
            yield case(f"char GPT {layers}x{d}, batch {b}, {n} characters, {'fused' if sdpa else 'matmul'} attention, AdamW", mark,
                       programs.GPT.format(d=d, heads=heads, layers=layers, b=b, l=n, sdpa=sdpa), "AdamW")


def optimizers():
    setup = ("ps = [torch.nn.Parameter(torch.zeros(200_000)) for _ in range(50)]\nfor p in ps: p.grad = torch.ones(200_000)\n"
             "opt = torch.optim.{}(ps, lr=1e-3{})")
    yield Case("Optimisers on 10,000,000 parameters in 50 tensors, ms", "Adam", "opt.step()", setup.format("Adam", ""), 1.3)
    yield Case("Optimisers on 10,000,000 parameters in 50 tensors, ms", "SGD with momentum", "opt.step()", setup.format("SGD", ", momentum=0.9"), 1.3)


def gemm():
    def case(name, mark, left, right, dtype="float32"):
        return Case("Matrix products, us", name, "a @ b", f"a = {normal(*left, dtype=dtype)}; b = {normal(*right, dtype=dtype)}", mark)

    for n in (64, 128, 256, 512, 1024, 2048):
        yield case(f"{n}x{n} @ {n}x{n}", 1.03, (n, n), (n, n))
    for n in (64, 256, 1024):
        yield case(f"{n}x{n} @ {n}x{n}, float64", 1.1, (n, n), (n, n), "float64")
    yield case("1x1024 @ 1024x1024", 1.5, (1, 1024), (1024, 1024))
    yield case("32x784 @ 784x128", 1.5, (32, 784), (784, 128))
    yield case("512 products of 8x8 by 8x8", 4, (512, 8, 8), (512, 8, 8))


def conv():
    # name, input, weight, stride, padding, groups, marks of forward, data and weights: the shapes of the design notes
    three = (1.4, 1.4, 1.6)
    shapes = [("3x3, 64 to 64, 56x56, batch 8", (8, 64, 56, 56), (64, 64, 3, 3), 1, 1, 1, three),
              ("3x3, 128 to 128, 28x28, batch 8", (8, 128, 28, 28), (128, 128, 3, 3), 1, 1, 1, three),
              ("3x3, 256 to 256, 14x14, batch 8", (8, 256, 14, 14), (256, 256, 3, 3), 1, 1, 1, three),
              ("3x3, 512 to 512, 7x7, batch 8", (8, 512, 7, 7), (512, 512, 3, 3), 1, 1, 1, three),
              ("3x3, 16 to 16, 32x32, batch 16", (16, 16, 32, 32), (16, 16, 3, 3), 1, 1, 1, three),
              ("3x3, 32 to 64, 26x26, batch 64", (64, 32, 26, 26), (64, 32, 3, 3), 1, 0, 1, three),
              ("3x3 stride 2, 64 to 128, 56x56, batch 8", (8, 64, 56, 56), (128, 64, 3, 3), 2, 1, 1, (1, 1, 1)),
              ("1x1, 64 to 256, 56x56, batch 8", (8, 64, 56, 56), (256, 64, 1, 1), 1, 0, 1, (1.1, 1.1, 1.1)),
              ("1x1, 256 to 64, 56x56, batch 8", (8, 256, 56, 56), (64, 256, 1, 1), 1, 0, 1, (1.1, 1.1, 1.1)),
              ("7x7 stride 2, 3 to 64, 224x224, batch 4", (4, 3, 224, 224), (64, 3, 7, 7), 2, 3, 1, (1, 3, 1)),
              ("5x5, 1 to 32, 28x28, batch 64", (64, 1, 28, 28), (32, 1, 5, 5), 1, 0, 1, (1, 6, 1)),
              ("5x5, 32 to 64, 12x12, batch 64", (64, 32, 12, 12), (64, 32, 5, 5), 1, 0, 1, (1, 1, 1)),
              ("depthwise 3x3, 128, 56x56, batch 8", (8, 128, 56, 56), (128, 1, 3, 3), 1, 1, 128, (1.5, 1.5, 1.5))]
    for name, x, w, stride, padding, groups, marks in shapes:
        setup = (f"F = torch.nn.functional; x = {normal(*x, grad=True)}; w = {normal(*w, grad=True)}\n"
                 f"def forward():\n    with torch.no_grad(): return F.conv2d(x, w, None, {stride}, {padding}, 1, {groups})\n"
                 f"y = F.conv2d(x, w, None, {stride}, {padding}, 1, {groups}); g = torch.ones_like(y)\n"
                 "def data(): return torch.autograd.grad(y, x, g, retain_graph=True)\n"
                 "def weights(): return torch.autograd.grad(y, w, g, retain_graph=True)")
        for what, mark in zip(("forward", "data", "weights"), marks):
            yield Case("Convolution, us", f"{name}, {what}", what + "()", setup, mark)


def pool():
    setup = f"F = torch.nn.functional; x = {normal(32, 64, 56, 56)}"
    for code, mark in (("F.max_pool2d(x, 2)", 12), ("F.max_pool2d(x, 3, 2, 1)", 12), ("F.avg_pool2d(x, 2)", 6), ("F.adaptive_avg_pool2d(x, 1)", 1)):
        yield Case("Pooling 32x64x56x56, us", code, code, setup, mark)


def elementwise():
    def setup(n):
        return (f"F = torch.nn.functional; x = {normal(n)}; y = torch.from_numpy(r.random({n}, np.float32) + 0.5)\n"
                f"rows = x.reshape(-1, 1000); row = x[:1000].clone(); column = x[:{n // 1000}].reshape(-1, 1).clone(); out = torch.empty({n}); mask = x > 0")

    fresh = (("x + y", 4), ("x * y", 4), ("torch.relu(x)", 4), ("x.exp()", 4), ("x.tanh()", 7), ("torch.sigmoid(x)", 4), ("F.gelu(x)", 4),
             ("torch.where(mask, x, y)", 7), ("rows + row", 4), ("rows + column", 4), ("x.clone()", 4), ("x.to(torch.float64)", 4), ("x.to(torch.float16)", 4))
    for code, mark in fresh:
        yield Case("Elementwise, 10,000,000 floats, fresh result, us", code, code, setup(10_000_000), mark)
    for code in ("torch.add(x, y, out=out)", "torch.mul(x, y, out=out)", "out.copy_(x)"):
        yield Case("Elementwise, 10,000,000 floats, into a tensor, us", code, code, setup(10_000_000), 1.2)
    for code, mark in (("x + y", 1.2), ("x.exp()", 2), ("x.tanh()", 4), ("F.gelu(x)", 2), ("torch.sigmoid(x)", 1), ("y ** 1.7", 1), ("rows + row", 1)):
        yield Case("Elementwise, 100,000 floats, us", code, code, setup(100_000), mark)
    strided = f"m = {normal(3200, 3125)}; t = {normal(3125, 3200)}"
    yield Case("Transposed, 10,000,000 floats, us", "m + t.t()", "m + t.t()", strided, 5)
    yield Case("Transposed, 10,000,000 floats, us", "t.t().contiguous()", "t.t().contiguous()", strided, 4)


def reductions():
    setup = f"x = {normal(10_000, 1000)}"
    for code, mark in (("x.sum()", 1), ("x.mean()", 1), ("x.max()", 1), ("x.norm()", 1), ("x.sum(0)", 2), ("x.sum(1)", 1), ("x.max(1)", 5),
                       ("x.argmax(1)", 5), ("x.argmax(0)", 1), ("x.var()", 6), ("x.var(1)", 6), ("x.logsumexp(1)", 1)):
        yield Case("Reductions, 10,000x1,000, us", code, code, setup, mark)


def rows():
    setup = (f"F = torch.nn.functional; x = {normal(10_000, 1000)}; xg = {normal(10_000, 1000, grad=True)}; w = torch.ones(1000, requires_grad=True)\n"
             "b = torch.zeros(1000, requires_grad=True); plain = torch.ones(1000); g = torch.ones_like(x)\n"
             "def back(y): y.backward(g); xg.grad = w.grad = b.grad = None")
    group = "Softmax and norms, 10,000x1,000, us"
    for code, mark in (("x.softmax(1)", 5), ("x.log_softmax(1)", 5), ("F.layer_norm(x, (1000,), plain, plain)", 5),
                       ("back(xg.softmax(1))", 6), ("back(xg.log_softmax(1))", 6), ("back(F.layer_norm(xg, (1000,), w, b))", 6)):
        yield Case(group, code, code, setup, mark)
    yield Case(group, "100,000x100: x.softmax(1)", "x.softmax(1)", f"x = {normal(100_000, 100)}", 1)
    bn = (f"F = torch.nn.functional; x = {normal(32, 64, 56, 56)}; xg = {normal(32, 64, 56, 56, grad=True)}; net = torch.nn.BatchNorm2d(64); g = torch.ones_like(x)\n"
          "def back():\n    net(xg).backward(g); xg.grad = None; net.zero_grad()")
    group = "Norms and losses, us"
    yield Case(group, "batch_norm 32x64x56x56, training, forward", "net(x)", bn, 2)
    yield Case(group, "batch_norm 32x64x56x56, training, forward and backward", "back()", bn, 2)
    loss = (f"F = torch.nn.functional; x = {normal(4096, 1000, grad=True)}; t = torch.from_numpy(r.integers(0, 1000, 4096))\n"
            "def both():\n    F.cross_entropy(x, t).backward(); x.grad = None")
    yield Case(group, "cross_entropy 4096x1000, forward and backward", "both()", loss, 2.5)
    attention = "F = torch.nn.functional; " + "; ".join(f"{n} = {normal(4, 8, 256, 64, grad=True)}" for n in "qkv") + """
g = torch.ones_like(q)
def attend(): return F.scaled_dot_product_attention(q, k, v, is_causal=True)
def plain():
    with torch.no_grad(): attend()
def both():
    attend().backward(g); q.grad = k.grad = v.grad = None"""
    yield Case(group, "attention, causal, 4x8x256x64, forward", "plain()", attention, 1.2)
    yield Case(group, "attention, causal, 4x8x256x64, forward and backward", "both()", attention, 1.2)


def indexing():
    def case(name, mark, code, setup):
        return Case("Scans, sorting and indexing, us", name, code, setup, mark)

    x = f"x = {normal(3200, 3125)}; i = torch.from_numpy(r.integers(0, 3125, (3200, 3125))); rows = torch.from_numpy(r.integers(0, 3200, 3200)); mask = x > 0"
    yield case("cumsum(1), 3200x3125", 2, "x.cumsum(1)", x)
    yield case("cumsum(0), 3200x3125", 2, "x.cumsum(0)", x)
    yield case("sort, 1,000,000", 2, "x.sort()", f"x = {normal(1_000_000)}")
    yield case("topk(10), 1000x1000", 1.5, "x.topk(10)", f"x = {normal(1000, 1000)}")
    yield case("gather(1), 3200x3125", 5, "x.gather(1, i)", x)
    yield case("masked_select, 3200x3125", 5, "x.masked_select(mask)", x)
    yield case("x[rows], 3200x3125", 2, "x[rows]", x)
    yield case("scatter_add, 1,000,000 into 1,000", 2, "z.scatter_add(0, i, x)",
               f"x = {normal(1_000_000)}; z = torch.zeros(1000); i = torch.from_numpy(r.integers(0, 1000, 1_000_000))")
    embedding = (f"F = torch.nn.functional; w = {normal(10_000, 128, grad=True)}; i = torch.from_numpy(r.integers(0, 10_000, (32, 128))); g = torch.ones(32, 128, 128)\n"
                 "def both():\n    F.embedding(i, w).backward(g); w.grad = None")
    yield case("embedding 10,000x128 of 32x128, forward and backward", 2, "both()", embedding)


def random():
    setup = "F = torch.nn.functional; x = torch.ones(10_000_000); p = torch.full((10_000_000,), 0.3)"
    for code, mark in (("torch.rand(10_000_000)", 6), ("torch.randn(10_000_000)", 3), ("F.dropout(x, 0.5)", 20), ("x.bernoulli_(0.3)", 15)):
        yield Case("Random numbers, 10,000,000, us", code, code, setup, mark)


GROUPS = (overhead, models, optimizers, gemm, conv, pool, elementwise, reductions, rows, indexing, random)
