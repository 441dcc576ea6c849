"""A physics-informed network for the heat equation u_t = a u_xx: derivatives of the network inside the loss."""
import math

import torch
import torch.nn as nn
from shared import init, uniform


class PINN(nn.Module):
    def __init__(self, width=16, depth=3):
        super().__init__()
        sizes = [2] + [width] * depth
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))
        self.last = nn.Linear(width, 1)

    def forward(self, x, t):
        h = torch.cat([x, t], dim=1)
        for layer in self.layers:
            h = torch.tanh(layer(h))
        return self.last(h)


def derivative(y, x):
    return torch.autograd.grad(y, x, grad_outputs=torch.ones_like(y), create_graph=True, retain_graph=True)[0]


def main():
    model = init(PINN())
    a = nn.Parameter(torch.tensor([0.3]))
    optimizer = torch.optim.Adam(list(model.parameters()) + [a], lr=1e-2)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.98)
    for step in range(20):
        x = uniform(64, 1, seed=2 * step).requires_grad_()
        t = uniform(64, 1, seed=2 * step + 1).requires_grad_()
        u = model(x, t)
        u_xx = derivative(derivative(u, x), x)
        residual = derivative(u, t) - a * u_xx
        start = model(x, torch.zeros_like(t)) - torch.sin(math.pi * x)
        edges = model(torch.cat([torch.zeros_like(t), torch.ones_like(t)]), t.repeat(2, 1))
        loss = residual.pow(2).mean() + start.square().mean() + edges.square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        yield loss.item()
