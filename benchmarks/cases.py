"""What is timed. A case is code that reads the same for both libraries, which are bound to the name `torch` in turn."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    group: str
    name: str
    code: str            # the timed statement
    setup: str = ""      # runs once per library; numbers come from NumPy, so both see the same
    threads: int = 1     # 0: all cores


SMALL = """
x = torch.ones({n}); y = torch.ones({n})
xg = torch.ones({n}, requires_grad=True); yg = torch.ones({n})
"""


def overhead():
    def case(name, code, setup=SMALL.format(n=4)):
        return Case("Python overhead, ns", name, code, setup)

    for n in (1, 4, 16):
        setup = SMALL.format(n=n)
        yield case(f"a + b, {n} elements", "x + y", setup)
        yield case(f"a + b, {n} elements, recorded", "xg + yg", setup)
    yield case("x + 1.0", "x + 1.0")
    yield case("x * y recorded", "xg * yg")
    yield case("torch.relu(x)", "relu(x)", SMALL.format(n=4) + "relu = torch.relu")
    yield case("x.exp()", "x.exp()")
    yield case("x.exp() recorded", "xg.exp()")
    yield case("x.sum()", "x.sum()")
    yield case("m @ m, 4x4", "m @ m", "m = torch.ones(4, 4)")
    yield case("m @ m, 4x4, recorded", "m @ m", "m = torch.ones(4, 4, requires_grad=True)")
    yield case("m.view(4)", "m.view(4)", "m = torch.ones(2, 2)")
    yield case("m.transpose(0, 1)", "m.transpose(0, 1)", "m = torch.ones(2, 2)")
    yield case("x[0]", "x[0]")
    yield case("x[1:3]", "x[1:3]")
    yield case("m[:, 1]", "m[:, 1]", "m = torch.ones(4, 4)")
    yield case("torch.zeros(4)", "zeros(4)", "zeros = torch.zeros")
    yield case("x.add_(y)", "x.add_(y)")
    yield case("x.shape", "x.shape")
    yield case("x.item(), one element", "x.item()", "x = torch.ones(1)")
    yield case("torch.tensor([4 floats])", "tensor(v)", "tensor = torch.tensor; v = [1.0, 2.0, 3.0, 4.0]")
    yield case("from_numpy(a)", "from_numpy(a)", "a = np.ones(4, np.float32); from_numpy = torch.from_numpy")
    yield case("x.numpy()", "x.numpy()")
    yield case("with no_grad(): pass", "with no_grad(): pass", "no_grad = torch.no_grad")
    yield case("Linear(4, 4)(m)", "layer(m)", "layer = torch.nn.Linear(4, 4); m = torch.ones(4, 4)")
    yield case("(a * b).sum().backward()", "(xg * yg).sum().backward()")
    yield case("100 adds and backward", "z = xg\nfor _ in hundred: z = z + yg\nz.sum().backward()", SMALL.format(n=4) + "hundred = range(100)")


TRAIN = """
{model}
opt = torch.optim.{optimizer}(net.parameters(), lr=1e-3)
def step():
    opt.zero_grad()
    loss = F.cross_entropy(net(x), t)
    loss.backward()
    opt.step()
"""
MLP = """
F = torch.nn.functional; nn = torch.nn
net = nn.Sequential(nn.Linear({i}, {h}), nn.ReLU(), nn.Linear({h}, {h}), nn.ReLU(), nn.Linear({h}, 10))
x = torch.from_numpy(r.standard_normal(({b}, {i}), np.float32)); t = torch.from_numpy(r.integers(0, 10, {b}))
"""
CNN = """
F = torch.nn.functional; nn = torch.nn
net = nn.Sequential(nn.Conv2d({c}, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
                    nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
                    nn.Flatten(), nn.Linear(64 * ({s} // 4) ** 2, 10))
x = torch.from_numpy(r.standard_normal(({b}, {c}, {s}, {s}), np.float32)); t = torch.from_numpy(r.integers(0, 10, {b}))
"""
TRANSFORMER = """
F = torch.nn.functional; nn = torch.nn
class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
    def forward(self, x):
        b, l, d = x.shape
        q, k, v = self.qkv(self.n1(x)).view(b, l, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(a.transpose(1, 2).reshape(b, l, d))
        return x + self.down(F.gelu(self.up(self.n2(x))))
class Net(nn.Module):
    def __init__(self, words, d, heads, layers):
        super().__init__()
        self.embed = nn.Embedding(words, d)
        self.blocks = nn.Sequential(*[Block(d, heads) for _ in range(layers)])
        self.head = nn.Linear(d, words)
    def forward(self, x):
        return self.head(self.blocks(self.embed(x))).flatten(0, 1)
net = Net({w}, {d}, {heads}, {layers})
x = torch.from_numpy(r.integers(0, {w}, ({b}, {l}))); t = torch.from_numpy(r.integers(0, {w}, {b} * {l}))
"""
RNN = """
F = torch.nn.functional; nn = torch.nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.{kind}({i}, {h}, {layers}), nn.Linear({h}, 10)
    def forward(self, x):
        return self.head(self.rnn(x)[0][-1])
net = Net()
x = torch.from_numpy(r.standard_normal(({l}, {b}, {i}), np.float32)); t = torch.from_numpy(r.integers(0, 10, {b}))
"""


def models():
    def case(name, model, optimizer="Adam", threads=0):
        return Case("Training steps, ms", name, "step()", TRAIN.format(model=model, optimizer=optimizer), threads)

    yield case("MLP 64-128-128-10, batch 32, SGD", MLP.format(i=64, h=128, b=32), "SGD")
    yield case("MLP 64-128-128-10, batch 32, Adam", MLP.format(i=64, h=128, b=32))
    yield case("MLP 784-1024-1024-10, batch 128, Adam", MLP.format(i=784, h=1024, b=128))
    yield case("CNN 1x8x8, batch 32, Adam", CNN.format(c=1, s=8, b=32))
    yield case("CNN 3x32x32, batch 32, Adam", CNN.format(c=3, s=32, b=32))
    yield case("transformer d 64, 2 layers, 8x32 tokens, Adam", TRANSFORMER.format(w=128, d=64, heads=4, layers=2, b=8, l=32))
    yield case("transformer d 256, 4 layers, 8x64 tokens, Adam", TRANSFORMER.format(w=512, d=256, heads=8, layers=4, b=8, l=64))
    yield case("LSTM 32-64, 2 layers, 16x32 steps, Adam", RNN.format(kind="LSTM", i=32, h=64, layers=2, b=16, l=32))
    yield case("LSTM 128-256, 32x64 steps, Adam", RNN.format(kind="LSTM", i=128, h=256, layers=1, b=32, l=64))
    yield case("GRU 128-256, 32x64 steps, Adam", RNN.format(kind="GRU", i=128, h=256, layers=1, b=32, l=64))


def gemm():
    for threads in (1, 0):
        for m, n, k in [(64, 64, 64), (256, 256, 256), (1024, 1024, 1024), (32, 1024, 1024), (2048, 64, 512)]:
            yield Case("Matrix products, us", f"{m}x{k} @ {k}x{n}", "a @ b",
                       f"a = torch.from_numpy(r.standard_normal(({m}, {k}), np.float32)); b = torch.from_numpy(r.standard_normal(({k}, {n}), np.float32))",
                       threads)


def conv():
    shapes = [("3x3, 64 to 64, 56x56, batch 1", (1, 64, 56, 56), (64, 64, 3, 3), 1, 1, 1),
              ("3x3, 32 to 64, 16x16, batch 32", (32, 32, 16, 16), (64, 32, 3, 3), 1, 1, 1),
              ("1x1, 256 to 64, 28x28, batch 8", (8, 256, 28, 28), (64, 256, 1, 1), 1, 0, 1),
              ("7x7 stride 2, 3 to 64, 112x112, batch 2", (2, 3, 112, 112), (64, 3, 7, 7), 2, 3, 1),
              ("depthwise 3x3, 128, 28x28, batch 8", (8, 128, 28, 28), (128, 1, 3, 3), 1, 1, 128)]
    for name, x, w, stride, padding, groups in shapes:
        setup = (f"F = torch.nn.functional; x = torch.from_numpy(r.standard_normal({x}, np.float32)).requires_grad_()\n"
                 f"w = torch.from_numpy(r.standard_normal({w}, np.float32)).requires_grad_()\n"
                 f"def forward(): return F.conv2d(x, w, None, {stride}, {padding}, 1, {groups})\n"
                 "def plain():\n    with torch.no_grad(): forward()\n"
                 "y = forward().detach()\ndef both(): torch.autograd.grad(forward(), (x, w), y)")
        yield Case("Convolution, us", name + ", forward", "plain()", setup, 0)
        yield Case("Convolution, us", name + ", forward and backward", "both()", setup, 0)


def elementwise():
    for n in (100_000, 10_000_000):
        setup = (f"x = torch.from_numpy(r.standard_normal({n}, np.float32)); y = torch.from_numpy(r.random({n}, np.float32) + 0.5)\n"
                 f"rows = x.reshape(-1, 100); row = x[:100]")
        for code in ("x + y", "x * 2.0", "x.exp()", "x.tanh()", "torch.sigmoid(x)", "torch.nn.functional.gelu(x)", "y ** 1.7",
                     "torch.where(x > 0, x, y)", "rows + row", "x.to(torch.float16)", "x.clone()"):
            yield Case("Elementwise, us", f"{code}, {n:,}", code, setup, 0)


def reductions():
    setup = ("x = torch.from_numpy(r.standard_normal((1000, 1000), np.float32)); wide = x.reshape(-1, 100)\n"
             "F = torch.nn.functional; labels = torch.from_numpy(r.integers(0, 1000, 1000)); w = x[0].clone()")
    for code in ("x.sum()", "x.sum(0)", "x.sum(1)", "x.mean(1)", "x.var(1)", "x.max(1)", "x.argmax(0)", "x.softmax(1)", "wide.softmax(1)",
                 "x.log_softmax(1)", "x.logsumexp(1)", "F.layer_norm(x, (1000,), w, w)", "F.cross_entropy(x, labels)", "x.cumsum(1)",
                 "x.sort(1)", "x[labels]", "x.t().contiguous()"):
        yield Case("Reductions and rows, 1000x1000, us", code, code, setup, 0)


def all_cases():
    for group in (overhead, models, gemm, conv, elementwise, reductions):
        yield from group()
