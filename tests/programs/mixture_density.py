"""A mixture density network for an inverse problem with several answers: log-sum-exp of Gaussian components."""
import math

import torch
import torch.nn as nn
from shared import init, normal, uniform

ONEOVERSQRT2PI = 1.0 / math.sqrt(2 * math.pi)


class MDN(nn.Module):
    def __init__(self, in_features, hidden, out_features, num_gaussians):
        super().__init__()
        self.out_features, self.num_gaussians = out_features, num_gaussians
        self.body = nn.Sequential(nn.Linear(in_features, hidden), nn.Tanh())
        self.pi = nn.Sequential(nn.Linear(hidden, num_gaussians), nn.LogSoftmax(dim=1))
        self.sigma = nn.Sequential(nn.Linear(hidden, out_features * num_gaussians), nn.Softplus())
        self.mu = nn.Linear(hidden, out_features * num_gaussians)

    def forward(self, minibatch):
        h = self.body(minibatch)
        sigma = self.sigma(h).view(-1, self.num_gaussians, self.out_features) + 1e-3
        return self.pi(h), sigma, self.mu(h).view(-1, self.num_gaussians, self.out_features)


def mdn_loss(log_pi, sigma, mu, target):
    target = target.unsqueeze(1).expand_as(sigma)
    log_component = math.log(ONEOVERSQRT2PI) - torch.log(sigma) - 0.5 * ((target - mu) / sigma) ** 2
    return -torch.logsumexp(log_pi + log_component.sum(dim=2), dim=1).mean()


def main():
    y = uniform(400, 1, seed=1) * 2 - 1
    x = y * 1.5 + 0.8 * torch.sin(2 * math.pi * y) + 0.05 * normal(400, 1, seed=2)
    model = init(MDN(1, 24, 1, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2, amsgrad=True)
    for _ in range(20):
        model.zero_grad()
        loss = mdn_loss(*model(x), y)
        loss.backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), 1.0)
        optimizer.step()
        yield loss.item()
