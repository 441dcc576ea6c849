"""REINFORCE on a corridor: an episode's log-probabilities weighted by normalised discounted returns."""
from collections import deque
from itertools import count

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from shared import init, rng
from torch.distributions import Categorical

FALLS = False  # a policy gradient's surrogate says nothing about progress
TOLERANCE = 1e-3  # returns minus their mean, over a small deviation, magnify rounding


class Corridor:
    """Walk left or right from the middle; the right end pays 1, the left end -1, each step costs 0.02."""

    def __init__(self, seed, length=9):
        self.random, self.length = rng(seed), length

    def observe(self):
        x = (self.place - self.length // 2) / self.length
        return np.array([x, x * x, self.time / 20, 1.0], dtype=np.float32)

    def reset(self):
        self.place, self.time = self.length // 2, 0
        return self.observe()

    def step(self, action):
        slip = self.random.random_sample() < 0.1
        self.place += (1 if action == 1 else -1) * (-1 if slip else 1)
        self.time += 1
        ends = {0: -1.0, self.length - 1: 1.0}
        return self.observe(), ends.get(self.place, -0.02), self.place in ends or self.time == 20


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 16)
        self.dropout = nn.Dropout(p=0.0)
        self.affine2 = nn.Linear(16, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        x = F.relu(self.dropout(self.affine1(x)))
        return F.softmax(self.affine2(x), dim=1)


def main():
    env, chooser = Corridor(1), rng(2)
    policy = init(Policy())
    optimizer = optim.Adam(policy.parameters(), lr=1e-2)
    eps = np.finfo(np.float32).eps.item()
    for _ in range(20):
        state = env.reset()
        for _ in count():
            probs = policy(torch.from_numpy(state).float().unsqueeze(0))
            m = Categorical(probs)
            action = torch.tensor([int(chooser.random_sample() > probs[0, 0].item())])  # m.sample(), drawn by NumPy
            policy.saved_log_probs.append(m.log_prob(action))
            state, reward, done = env.step(action.item())
            policy.rewards.append(reward)
            if done:
                break
        R, returns = 0, deque()
        for r in policy.rewards[::-1]:
            R = r + 0.99 * R
            returns.appendleft(R)
        returns = torch.tensor(returns)
        returns = (returns - returns.mean()) / (returns.std() + eps)
        policy_loss = [-log_prob * R for log_prob, R in zip(policy.saved_log_probs, returns)]
        optimizer.zero_grad()
        policy_loss = torch.cat(policy_loss).sum()
        policy_loss.backward()
        optimizer.step()
        del policy.rewards[:]
        del policy.saved_log_probs[:]
        yield policy_loss.item()
