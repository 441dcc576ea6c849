"""Three small models whose weights after training are compared bit for bit, over numbers of threads and instruction sets. Tensors are
large enough that their work is shared out. As a program: `trained_models.py STEPS THREADS…` prints a line `model threads digest` each."""
import hashlib
import sys

import tapegrad as tg
from tapegrad import nn
from tapegrad.nn import functional as F


class Perceptron:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(64, 192), nn.ReLU(), nn.Linear(192, 192), nn.Tanh(), nn.Linear(192, 10))
        self.optimizer = tg.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
        self.x, self.y = tg.randn(512, 64), tg.randint(0, 10, (512,))

    def loss(self):
        at = tg.randint(0, 512, (256,))
        return F.cross_entropy(self.model(self.x[at]), self.y[at])


class Convolutional:
    def __init__(self):
        self.model = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 16, 3, padding=1),
                                   nn.BatchNorm2d(16), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(16 * 16, 10))
        self.optimizer = tg.optim.Adam(self.model.parameters(), lr=2e-3)
        self.x, self.y = tg.randn(256, 1, 16, 16), tg.randint(0, 10, (256,))

    def loss(self):
        at = tg.randperm(256)[:32]
        return F.cross_entropy(self.model(self.x[at]), self.y[at])


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2, self.heads = nn.LayerNorm(width), nn.LayerNorm(width), heads
        self.attend, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.Dropout(0.1))

    def forward(self, x):
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.attend(self.norm1(x)).chunk(3, -1))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


class Characters(nn.Module):
    def __init__(self, letters=48, length=32, width=48):
        super().__init__()
        self.letters, self.places = nn.Embedding(letters, width), nn.Embedding(length, width)
        self.blocks, self.norm, self.head = nn.Sequential(Block(width, 4), Block(width, 4)), nn.LayerNorm(width), nn.Linear(width, letters)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.letters(x) + self.places(tg.arange(x.shape[1])))))


class Transformer:
    def __init__(self):
        self.model = Characters()
        self.optimizer = tg.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.text = (tg.arange(4000) ** 2 // 7) % 48

    def loss(self):
        at = tg.randint(0, 3900, (12, 1)) + tg.arange(33)
        text = self.text[at]
        return F.cross_entropy(self.model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())


MODELS = {"perceptron": Perceptron, "convolutional": Convolutional, "transformer": Transformer}


def digest(name, steps, threads):
    """SHA-256 of all weights and buffers after so many steps."""
    before = tg.get_num_threads()
    tg.set_num_threads(threads)
    try:
        tg.manual_seed(1)
        run = MODELS[name]()
        for _ in range(steps):
            run.optimizer.zero_grad()
            loss = run.loss()
            loss.backward()
            run.optimizer.step()
        assert loss.isfinite()
        parts = (t.detach().numpy().tobytes() for t in run.model.state_dict().values())
        return hashlib.sha256(b"".join(parts)).hexdigest()
    finally:
        tg.set_num_threads(before)


if __name__ == "__main__":
    for name in MODELS:
        for threads in sys.argv[2:]:
            print(name, threads, digest(name, int(sys.argv[1]), int(threads)), flush=True)
