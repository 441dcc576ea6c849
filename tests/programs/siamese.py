"""A siamese network on pairs of digits: shared weights, contrastive loss on pairwise distances, a custom Dataset."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from shared import digits, init, rng
from torch.utils.data import DataLoader, Dataset


class Pairs(Dataset):
    def __init__(self, images, labels, count, seed):
        self.images, self.labels = images, labels
        r = rng(seed)
        self.pairs = [(int(a), int(b)) for a, b in r.randint(0, len(images), (count, 2))]

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        a, b = self.pairs[index]
        return self.images[a], self.images[b], torch.tensor(float(self.labels[a] != self.labels[b]))


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn1 = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(1, 4, kernel_size=3), nn.ReLU(inplace=True), nn.GroupNorm(2, 4),
                                  nn.ReflectionPad2d(1), nn.Conv2d(4, 8, kernel_size=3), nn.ReLU(inplace=True), nn.InstanceNorm2d(8, affine=True))
        self.fc1 = nn.Sequential(nn.Linear(8 * 8 * 8, 32), nn.ReLU(inplace=True), nn.Linear(32, 5))

    def forward_once(self, x):
        output = self.cnn1(x)
        return self.fc1(output.view(output.size()[0], -1))

    def forward(self, input1, input2):
        return self.forward_once(input1), self.forward_once(input2)


class ContrastiveLoss(torch.nn.Module):
    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        distance = F.pairwise_distance(output1, output2)
        return torch.mean((1 - label) * torch.pow(distance, 2)
                          + label * torch.pow(torch.clamp(self.margin - distance, min=0.0), 2))


def main():
    loader = DataLoader(Pairs(*digits(), count=640, seed=0), batch_size=32, num_workers=0)
    net = init(SiameseNetwork())
    criterion = ContrastiveLoss()
    optimizer = torch.optim.Adamax(net.parameters(), lr=3e-3)
    for img0, img1, label in loader:
        optimizer.zero_grad()
        loss = criterion(*net(img0, img1), label)
        loss.backward()
        optimizer.step()
        yield loss.item()
