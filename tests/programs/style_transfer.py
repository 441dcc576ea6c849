"""Style transfer: Gram matrices of a fixed random network's features; the image itself is what LBFGS optimises."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from shared import digits, init
from torch.optim import LBFGS


TOLERANCE = 5e-4  # a step of LBFGS divides by differences of gradients


class ContentLoss(nn.Module):
    def __init__(self, target):
        super().__init__()
        self.target = target.detach()

    def forward(self, input):
        self.loss = F.mse_loss(input, self.target)
        return input


def gram_matrix(input):
    a, b, c, d = input.size()
    features = input.view(a * b, c * d)
    return torch.mm(features, features.t()).div(a * b * c * d)


class StyleLoss(nn.Module):
    def __init__(self, target_feature):
        super().__init__()
        self.target = gram_matrix(target_feature).detach()

    def forward(self, input):
        self.loss = F.mse_loss(gram_matrix(input), self.target)
        return input


def main():
    images, _ = digits()
    big = F.interpolate(images[:2], size=(16, 16), mode="bilinear", align_corners=False)
    content_img, style_img = big[:1], big[1:]
    cnn = init(nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(inplace=False), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
                             nn.AvgPool2d(2), nn.Conv2d(8, 16, 3, padding=1))).eval()
    model, content_losses, style_losses = nn.Sequential(), [], []
    for i, layer in enumerate(cnn.children()):
        name = f"conv_{i}" if isinstance(layer, nn.Conv2d) else f"layer_{i}"
        model.add_module(name, layer)
        if isinstance(layer, nn.Conv2d):
            style_losses.append(StyleLoss(model(style_img).detach()))
            model.add_module(f"style_loss_{i}", style_losses[-1])
        if i == 2:
            content_losses.append(ContentLoss(model(content_img).detach()))
            model.add_module(f"content_loss_{i}", content_losses[-1])
    model.requires_grad_(False)
    input_img = content_img.clone()
    input_img.requires_grad_(True)
    optimizer = LBFGS([input_img], max_iter=2, lr=0.1)
    history = []
    while len(history) < 20:
        def closure():
            with torch.no_grad():
                input_img.clamp_(0, 1)
            optimizer.zero_grad()
            model(input_img)
            style_score = sum(sl.loss for sl in style_losses)
            content_score = sum(cl.loss for cl in content_losses)
            loss = 1e4 * style_score + content_score
            loss.backward()
            history.append(loss.item())
            return loss
        optimizer.step(closure)
    yield from history[:20]
