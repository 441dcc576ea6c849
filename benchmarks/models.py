"""Training programs that are timed: source that reads the same for both libraries, which are bound to the name `torch` in turn."""

STEP = """
opt = torch.optim.{optimizer}(net.parameters(), lr=1e-3{options})
def step():
    opt.zero_grad()
    loss = F.{loss}(net(x), t)
    loss.backward()
    opt.step()
"""

MLP = """
F = torch.nn.functional; nn = torch.nn
net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
x = torch.from_numpy(r.standard_normal((32, 784), np.float32)); t = torch.from_numpy(r.integers(0, 10, 32))
"""

TINY_MLP = """
F = torch.nn.functional; nn = torch.nn
net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
x = torch.ones(1, 2); t = torch.ones(1, 1)
"""

MNIST_CNN = """
F = torch.nn.functional; nn = torch.nn
net = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
                    nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))
x = torch.from_numpy(r.standard_normal((64, 1, 28, 28), np.float32)); t = torch.from_numpy(r.integers(0, 10, 64))
"""

RESNET18 = """
F = torch.nn.functional; nn = torch.nn
class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        same = stride == 1 and i == o
        self.short = nn.Identity() if same else nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))
    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.short(x))
blocks = [Block(i, o, s) for i, o, s in ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1))]
net = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
x = torch.from_numpy(r.standard_normal((16, 3, 32, 32), np.float32)); t = torch.from_numpy(r.integers(0, 10, 16))
"""

GPT = """
F = torch.nn.functional; nn = torch.nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm({d}), nn.LayerNorm({d})
        self.qkv, self.out = nn.Linear({d}, 3 * {d}), nn.Linear({d}, {d})
        self.mlp = nn.Sequential(nn.Linear({d}, 4 * {d}), nn.GELU(), nn.Linear(4 * {d}, {d}))
    def forward(self, x):
        b, l, d = x.shape
        q, k, v = (y.view(b, l, {heads}, d // {heads}).transpose(1, 2) for y in self.qkv(self.n1(x)).split({d}, 2))
        if {sdpa}:
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-2, -1)) * (d // {heads}) ** -0.5
            a = scores.masked_fill(mask[:l, :l] == 0, float("-inf")).softmax(-1) @ v
        x = x + self.out(a.transpose(1, 2).contiguous().view(b, l, d))
        return x + self.mlp(self.n2(x))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(65, {d}), nn.Embedding({l}, {d})
        self.blocks = nn.Sequential(*[Block() for _ in range({layers})])
        self.norm, self.head = nn.LayerNorm({d}), nn.Linear({d}, 65, bias=False)
    def forward(self, x):
        return self.head(self.norm(self.blocks(self.words(x) + self.places(torch.arange(x.shape[1]))))).view(-1, 65)
mask = torch.tril(torch.ones({l}, {l}))
net = Net()
x = torch.from_numpy(r.integers(0, 65, ({b}, {l}))); t = torch.from_numpy(r.integers(0, 65, {b} * {l}))
"""

CELL = """
F = torch.nn.functional; nn = torch.nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.{kind}Cell(64, 64), nn.Linear(64, 10)
    def forward(self, x):
        h = torch.zeros(x.shape[1], 64)
        state = (h, torch.zeros(x.shape[1], 64)) if "{kind}" == "LSTM" else h
        for row in x:
            state = self.cell(row, state)
        return self.head(state[0] if "{kind}" == "LSTM" else state)
net = Net()
x = torch.from_numpy(r.standard_normal((32, {b}, 64), np.float32)); t = torch.from_numpy(r.integers(0, 10, {b}))
"""

LAYER = """
F = torch.nn.functional; nn = torch.nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.{kind}({i}, {h}), nn.Linear({h}, 10)
    def forward(self, x):
        return self.head(self.rnn(x)[0][-1])
net = Net()
x = torch.from_numpy(r.standard_normal(({l}, {b}, {i}), np.float32)); t = torch.from_numpy(r.integers(0, 10, {b}))
"""


def with_step(model, optimizer, options, loss):
    return model + STEP.format(optimizer=optimizer, options=options, loss=loss)
