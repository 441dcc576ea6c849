"""Actor-critic on the corridor: one net with two heads, entropy bonus, smooth L1 for the value."""
from collections import namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F
from reinforce import Corridor
from shared import init, rng
from torch.distributions import Categorical

FALLS = False  # a policy gradient's surrogate says nothing about progress
SavedAction = namedtuple("SavedAction", ["log_prob", "value", "entropy"])


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 16)
        self.action_head = nn.Linear(16, 2)
        self.value_head = nn.Linear(16, 1)

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


def main():
    env, chooser = Corridor(3), rng(4)
    model = init(Policy())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
    for _ in range(20):
        state, done, saved, rewards = env.reset(), False, [], []
        while not done:
            probs, state_value = model(torch.as_tensor(state))
            m = Categorical(probs)
            action = torch.tensor(int(chooser.random_sample() > probs[0].item()))
            saved.append(SavedAction(m.log_prob(action), state_value, m.entropy()))
            state, reward, done = env.step(action.item())
            rewards.append(reward)
        returns, R = [], 0
        for r in reversed(rewards):
            R = r + 0.99 * R
            returns.insert(0, R)
        returns = torch.tensor(returns)
        policy_losses, value_losses, entropies = [], [], []
        for (log_prob, value, entropy), R in zip(saved, returns):
            advantage = R - value.item()
            policy_losses.append(-log_prob * advantage)
            value_losses.append(F.smooth_l1_loss(value, torch.tensor([R])))
            entropies.append(entropy)
        loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum() - 0.01 * torch.stack(entropies).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()
