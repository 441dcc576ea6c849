"""A user's program with all its types written down. mypy --strict checks it against the package's stubs; test_typing.py also runs it."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

import tapegrad as tg
from tapegrad import Tensor, nn
from tapegrad.nn import functional as F
from tapegrad.optim import SGD, Adam, Optimizer
from tapegrad.optim.lr_scheduler import StepLR
from tapegrad.utils.data import DataLoader, Dataset, TensorDataset


class Squares(Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, n: int) -> None:
        self.x = tg.linspace(-1, 1, n).reshape(n, 1)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.x[index] ** 2


class Block(nn.Module):
    def __init__(self, width: int, p: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(p)
        self.scale = nn.Parameter(tg.ones(width))
        self.register_buffer("steps", tg.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.drop(F.gelu(self.norm(self.linear(x))))
        return x + self.scale * y


class Net(nn.Module):
    def __init__(self, inputs: int, outputs: int, width: int = 16, depth: int = 2) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.head(x)
        return out


class Clamp(tg.autograd.Function):
    @staticmethod
    def forward(ctx: tg.autograd.function.FunctionCtx, x: Tensor, low: float) -> Tensor:
        ctx.save_for_backward(x > low)
        return x.clamp(min=low)

    @staticmethod
    def backward(ctx: tg.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor | None, ...]:
        mask, = ctx.saved_tensors
        return grads[0] * mask, None


def batches(n: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    yield from DataLoader(Squares(n), batch_size=size, shuffle=True, generator=tg.Generator().manual_seed(0))


def train(net: nn.Module, optimizer: Optimizer, epochs: int) -> list[float]:
    losses: list[float] = []
    scheduler = StepLR(optimizer, step_size=5, gamma=0.5)
    net.train()
    for _ in range(epochs):
        total = 0.0
        for x, y in batches(64, 16):
            optimizer.zero_grad()
            loss = F.mse_loss(net(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            total += loss.item()
        scheduler.step()
        losses.append(total)
    return losses


@tg.no_grad()
def evaluate(net: nn.Module, x: Tensor) -> Tensor:
    net.eval()
    y: Tensor = net(x)
    return y


def tensors() -> Tensor:
    x = tg.randn(2, 3, 4, dtype=tg.float64, generator=tg.Generator().manual_seed(1), requires_grad=True)
    shape: tg.Size = x.shape
    rows, columns = shape[0], x.size(1)
    parts: Sequence[Tensor] = x.split(1, dim=0)
    first: Tensor = x[0, :, None, ..., 1:3]
    picked = x[x > 0] + x[tg.tensor([0, 1]), 1:2].sum()
    best, at = x.max(dim=1)
    named = x.sort(dim=-1, descending=True)
    order: Tensor = named.indices
    moved = x.permute(2, 0, 1).contiguous().view(4, -1).to(tg.float32)
    other = x.reshape((6, 4)).T @ tg.ones(6, 1, dtype=x.dtype) * 2 - 1 / (1 + x.abs().mean())
    joined = tg.cat([p.squeeze(0) for p in parts], dim=0)
    stacked = tg.stack((best, at.double()), dim=-1)
    changed = x.detach().clone()
    changed[0, 0] = 1.0
    changed.add_(1).mul_(0.5)
    y = tg.where(joined > 0, joined, tg.zeros_like(joined)).sum(dim=(0, 1), keepdim=True)
    flags: bool = bool((y == y).all()) and x.is_floating_point() and x.requires_grad
    number: float = float(y) + rows * columns if flags else 0.0
    assert number == number and order.dim() == 3 and first.ndim == 3 and stacked.numel() > 0 and moved.dtype is tg.float32
    value = Clamp.apply(other, 0.5)
    assert isinstance(value, Tensor)
    grads = tg.autograd.grad(value.sum() + picked.sum(), [x], create_graph=True)
    return grads[0]


def main() -> float:
    tg.manual_seed(0)
    net = Net(1, 1)
    losses = train(net, Adam(net.parameters(), lr=0.01), 3)
    losses += train(net, SGD([{"params": net.head.parameters(), "lr": 0.1}], momentum=0.9), 1)
    state: dict[str, Tensor] = dict(net.state_dict())
    net.load_state_dict(state, strict=True)
    data = TensorDataset(tg.arange(4.0), tg.arange(4))
    assert len(data) == 4 and [n for n, _ in net.named_parameters()][0] == "first.weight"
    weight: Tensor | None = net.first.weight.grad
    assert weight is not None and weight.shape == net.first.weight.shape
    assert evaluate(net, tg.zeros(2, 1)).shape == (2, 1) and tensors().shape == (2, 3, 4)
    device: tg.device = net.first.weight.device
    total = sum(p.numel() for p in net.parameters() if p.requires_grad)
    return losses[-1] if device.type == "cpu" and total > 0 else -1.0


if __name__ == "__main__":
    print(main())
