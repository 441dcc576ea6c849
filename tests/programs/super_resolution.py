"""Super-resolution of digits by pixel shuffle (ESPCN): orthogonal initialisation, tanh, PSNR."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.init as weight_init
from shared import digits, init


class Net(nn.Module):
    def __init__(self, upscale_factor):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 16, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(16, 16, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(16, upscale_factor ** 2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        weight_init.orthogonal_(self.conv1.weight, weight_init.calculate_gain("relu"))
        weight_init.orthogonal_(self.conv2.weight, weight_init.calculate_gain("relu"))
        weight_init.orthogonal_(self.conv3.weight)

    def forward(self, x):
        return self.pixel_shuffle(self.conv3(torch.tanh(self.conv2(self.relu(self.conv1(x))))))


def main():
    images, _ = digits()
    small = F.avg_pool2d(images, 2)
    model = init(Net(upscale_factor=2))
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam([{"params": model.conv1.parameters()}, {"params": model.conv2.parameters()},
                                  {"params": model.conv3.parameters(), "lr": 5e-3}], lr=1e-2)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[8, 15], gamma=0.5)
    for step in range(20):
        rows = slice(step * 32, (step + 1) * 32)
        bicubic = F.interpolate(small[rows], scale_factor=2, mode="bicubic", align_corners=False)
        loss = criterion(bicubic + model(small[rows]), images[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        psnr = 10 * torch.log10(1 / loss.detach())
        assert psnr.item() > 0
        yield loss.item()
