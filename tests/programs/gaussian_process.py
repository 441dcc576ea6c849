"""Gaussian process regression: an RBF kernel's hyperparameters by the marginal likelihood through a Cholesky factor."""
import math

import torch
from shared import normal, uniform
from torch import nn


class GP(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_lengthscale = nn.Parameter(torch.zeros(()))
        self.log_outputscale = nn.Parameter(torch.tensor(0.0))
        self.log_noise = nn.Parameter(torch.tensor(-2.0))

    def kernel(self, a, b):
        d2 = (a.unsqueeze(1) - b.unsqueeze(0)).pow(2).sum(-1)
        return self.log_outputscale.exp() * torch.exp(-0.5 * d2 / self.log_lengthscale.exp() ** 2)

    def factor(self, x):
        return torch.linalg.cholesky(self.kernel(x, x) + self.log_noise.exp() * torch.eye(len(x), dtype=x.dtype))

    def neg_log_likelihood(self, x, y):
        L = self.factor(x)
        alpha = torch.cholesky_solve(y.unsqueeze(-1), L)
        fit = 0.5 * y.unsqueeze(0) @ alpha
        return (fit.squeeze() + L.diagonal().log().sum() + 0.5 * len(x) * math.log(2 * math.pi)) / len(x)

    @torch.no_grad()
    def predict(self, x, y, new):
        L = self.factor(x)
        ks = self.kernel(x, new)
        v = torch.linalg.solve_triangular(L, ks, upper=False)
        mean = v.t() @ torch.linalg.solve_triangular(L, y[:, None], upper=False)
        return mean.squeeze(-1), self.kernel(new, new).diagonal() - (v * v).sum(0)


def main():
    x = uniform(40, 1, seed=1).double() * 6
    y = torch.sin(x[:, 0]) + 0.1 * normal(40, seed=2).double()
    model = GP().double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        loss = model.neg_log_likelihood(x, y)
        loss.backward()
        optimizer.step()
        yield loss.item()
    mean, var = model.predict(x, y, torch.linspace(0, 6, 9, dtype=torch.float64).unsqueeze(1))
    assert mean.shape == (9,) and bool((var > 0).all())
