"""A normalising flow (RealNVP) of two moons: affine couplings with alternating masks, a base density, exact inverses."""
import math

import numpy as np
import torch
import torch.nn as nn
from shared import init, rng
from torch.distributions import Independent, Normal


def two_moons(n, r):
    angle = np.pi * r.random_sample(n)
    upper = r.randint(0, 2, n).astype(bool)
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return torch.from_numpy((np.stack([x, y], 1) + 0.05 * r.standard_normal((n, 2))).astype(np.float32))


class RealNVP(nn.Module):
    def __init__(self, layers=4, hidden=24):
        super().__init__()
        def net(last):
            return nn.Sequential(nn.Linear(2, hidden), nn.LeakyReLU(), nn.Linear(hidden, 2), *last)
        self.mask = nn.Parameter(torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(layers // 2, 1), requires_grad=False)
        self.s = nn.ModuleList([net([nn.Tanh()]) for _ in range(layers)])
        self.t = nn.ModuleList([net([]) for _ in range(layers)])
        self.register_buffer("loc", torch.zeros(2))
        self.register_buffer("scale", torch.ones(2))

    @property
    def prior(self):
        return Independent(Normal(self.loc, self.scale), 1)

    def g(self, z):
        x = z
        for mask, s, t in zip(self.mask, self.s, self.t):
            x_ = x * mask
            x = x_ + (1 - mask) * (x * torch.exp(s(x_) * (1 - mask)) + t(x_) * (1 - mask))
        return x

    def f(self, x):
        log_det_J, z = x.new_zeros(x.shape[0]), x
        for i in reversed(range(len(self.t))):
            z_ = self.mask[i] * z
            s, t = self.s[i](z_) * (1 - self.mask[i]), self.t[i](z_) * (1 - self.mask[i])
            z = (1 - self.mask[i]) * (z - t) * torch.exp(-s) + z_
            log_det_J -= s.sum(dim=1)
        return z, log_det_J

    def log_prob(self, x):
        z, logp = self.f(x)
        return self.prior.log_prob(z) + logp


def main():
    r = rng(5)
    masks = RealNVP().mask.data.clone()
    flow = init(RealNVP())
    flow.mask.data.copy_(masks)
    optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(20):
        loss = -flow.log_prob(two_moons(128, r)).mean()
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.step()
        yield loss.item()
    with torch.no_grad():
        x = two_moons(8, r)
        z, _ = flow.f(x)
        assert torch.allclose(flow.g(z), x, atol=1e-4) and math.isfinite(flow.prior.sample((3,)).sum().item())
