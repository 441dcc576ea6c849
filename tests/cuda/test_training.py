"""Whole models learn on the device what they learn on the CPU: forward, backward, optimiser, dropout, autocast."""
import pytest

import tapegrad as tg
import tapegrad.nn.functional as F
from tapegrad import nn

TEXT = "the cat sat on the mat, the rat sat on the cat. " * 4
LETTERS = sorted(set(TEXT))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.1))

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (t.view(batch, length, self.heads, -1).transpose(1, 2) for t in self.qkv(self.before(x)).split(width, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.between(x))


class CharGpt(nn.Module):
    def __init__(self, length, width=16):
        super().__init__()
        self.letters, self.places = nn.Embedding(len(LETTERS), width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(Block(width, 2), Block(width, 2))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, len(LETTERS))

    def forward(self, x):
        h = self.letters(x) + self.places(tg.arange(x.shape[1], device=x.device))
        return self.head(self.norm(self.blocks(h)))


def losses_of(model, step, optimizer, steps):
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = step(model, k)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def check(make, step, optimizer, steps, limit):
    results = []
    for device in ("cpu", "cuda"):
        tg.manual_seed(3)
        model = make().to(device)
        results.append(losses_of(model, lambda m, k: step(m, k, device), optimizer(model.parameters()), steps))
        assert all(p.device.type == device for p in model.parameters())
    cpu, cuda = results
    assert cuda == pytest.approx(cpu, rel=limit, abs=limit)
    assert cuda[-1] < 0.8 * cuda[0]


def test_char_gpt():
    ids, length = tg.tensor([LETTERS.index(c) for c in TEXT]), 12

    def step(model, k, device):
        rows = [ids[i:i + length + 1] for i in range(7 * k % 20, 100, 25)]
        batch = tg.stack(rows).to(device)
        return F.cross_entropy(model(batch[:, :-1]).reshape(-1, len(LETTERS)), batch[:, 1:].reshape(-1))

    check(lambda: CharGpt(length), step, lambda p: tg.optim.AdamW(p, lr=1e-2), 15, 2e-3)


@pytest.mark.parametrize("half", [None, tg.float16, tg.bfloat16], ids=str)
def test_mlp(half):
    tg.manual_seed(1)
    x = tg.randn(40, 10)
    y = (x[:, :3].sum(1) > 0).long() + (x[:, 3] > 0).long()

    def step(model, k, device):
        with tg.autocast(device, dtype=half or tg.bfloat16, enabled=half is not None):
            return F.cross_entropy(model(x.to(device)).float(), y.to(device))

    check(lambda: nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.BatchNorm1d(32), nn.Linear(32, 3)), step,
          lambda p: tg.optim.SGD(p, lr=0.5, momentum=0.9), 12, 1e-3 if half is None else 5e-2)
