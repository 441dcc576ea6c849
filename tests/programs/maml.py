"""MAML on sine waves: gradients through the inner step of gradient descent (second order), functional_call with fast weights."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from shared import init, rng
from torch.func import functional_call


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 24), nn.ReLU(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))

    def forward(self, x):
        return self.net(x)


def task(r):
    amplitude, phase = r.uniform(0.5, 2.0), r.uniform(0, math.pi)

    def sample(n):
        x = torch.from_numpy(r.uniform(-3, 3, (n, 1)).astype("float32"))
        return x, amplitude * torch.sin(x + phase)
    return sample


def main():
    r = rng(1)
    model = init(Net())
    meta = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(20):
        meta_loss = 0.0
        for _ in range(4):
            sample = task(r)
            x, y = sample(10)
            fast = dict(model.named_parameters())
            for _ in range(2):
                loss = F.mse_loss(functional_call(model, fast, (x,)), y)
                grads = torch.autograd.grad(loss, tuple(fast.values()), create_graph=True)
                fast = {name: p - 0.05 * g for (name, p), g in zip(fast.items(), grads)}
            x, y = sample(10)
            meta_loss = meta_loss + F.mse_loss(functional_call(model, fast, (x,)), y)
        meta.zero_grad()
        meta_loss.backward()
        meta.step()
        yield meta_loss.item() / 4
