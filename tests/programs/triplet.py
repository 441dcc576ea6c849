"""A triplet network on digits: unit embeddings, batch-hard mining by a distance matrix, NAdam, an averaged copy of the weights."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from shared import digits, init


class EmbeddingNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.convnet = nn.Sequential(nn.Conv2d(1, 8, 3), nn.PReLU(), nn.MaxPool2d(2, stride=2), nn.Conv2d(8, 16, 2), nn.PReLU())
        self.fc = nn.Sequential(nn.Flatten(), nn.Linear(16 * 2 * 2, 32), nn.PReLU(), nn.Linear(32, 8))

    def forward(self, x):
        return F.normalize(self.fc(self.convnet(x)), p=2, dim=1)


def hardest(embeddings, labels):
    """(positives, negatives): for each row the farthest of its class and the nearest of another, as indices."""
    with torch.no_grad():
        distances = torch.cdist(embeddings, embeddings)
        same = labels[:, None] == labels[None, :]
        positives = distances.masked_fill(~same, -1).argmax(dim=1)
        negatives = distances.masked_fill(same, float("inf")).argmin(dim=1)
    return positives, negatives


def main():
    images, labels = digits()
    model = init(EmbeddingNet())
    average = copy.deepcopy(model).requires_grad_(False)
    criterion = nn.TripletMarginLoss(margin=0.5, p=2)
    optimizer = torch.optim.NAdam(model.parameters(), lr=5e-3)
    for step in range(20):
        x, y = images[step * 40:(step + 1) * 40], labels[step * 40:(step + 1) * 40]
        e = model(x)
        p, n = hardest(e, y)
        loss = criterion(e, e[p], e[n])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for a, b in zip(average.parameters(), model.parameters()):
            a.lerp_(b, 0.5)
        with torch.no_grad():
            gap = F.mse_loss(average(x), model(x))
        yield loss.item() + 0 * gap.item()
