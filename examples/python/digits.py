"""Handwritten digits: trains a small convolutional network, tests it, saves it, and draws a page of its answers.

    python examples/python/digits.py                            # trains; writes digits.safetensors and digits.png
    python examples/python/digits.py --load digits.safetensors  # only tests a saved file (also one that digits.cpp wrote)

1,797 images of 8 x 8 pixels come with the package (UCI, Alpaydin and Kaynak, CC BY 4.0). Takes a few seconds on two cores.
"""
import argparse
import sys
import time

import tapegrad as tg
from tapegrad import nn
from tapegrad.nn import functional as F
from tapegrad.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    """Two convolutions with pooling, two linear layers: (N, 1, 8, 8) -> (N, 10) scores."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 2 * 2, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x).relu(), 2)
        x = F.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc2(self.fc1(x.flatten(1)).relu())


class Progress:
    """A bar that redraws itself on a terminal, and prints one line an epoch elsewhere."""

    def __init__(self, epochs, batches):
        self.total, self.batches, self.done, self.start = epochs * batches, batches, 0, time.perf_counter()
        self.live = sys.stdout.isatty()

    def step(self, text):
        self.done += 1
        seconds = time.perf_counter() - self.start
        if self.live:
            filled = 30 * self.done // self.total
            left = seconds * (self.total / self.done - 1)
            print(f"\r[{'#' * filled}{'.' * (30 - filled)}] {100 * self.done // self.total:3d} %  {seconds:4.1f} s, {left:4.1f} s left"
                  f"  {text}", end="" if self.done < self.total else "\n", flush=True)
        elif self.done % self.batches == 0:
            print(f"epoch {self.done // self.batches}/{self.total // self.batches}  {seconds:4.1f} s  {text}", flush=True)


def train(model, images, labels, epochs):
    loader = DataLoader(TensorDataset(images, labels), batch_size=64, shuffle=True)
    optimizer = tg.optim.Adam(model.parameters(), lr=2e-3)
    progress = Progress(epochs, len(loader))
    model.train()
    for _ in range(epochs):
        for x, y in loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            progress.step(f"loss {loss.item():.4f}")


@tg.no_grad()
def predict(model, images):
    model.eval()
    return model(images).argmax(1)


def draw(path, images, labels, predictions):
    """A page of the first 60 test images under their predictions, mistakes in red. Needs Matplotlib."""
    try:
        import matplotlib
    except ImportError:
        print("no Matplotlib here: no page of predictions")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(6, 10, figsize=(10, 7))
    for ax, image, label, answer in zip(axes.flat, images, labels.tolist(), predictions.tolist()):
        ax.imshow(image[0].numpy(), cmap="gray_r")
        ax.set_title(str(answer), color="black" if answer == label else "red")
        ax.axis("off")
    figure.tight_layout()
    figure.savefig(path)
    print(f"drew {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--load", metavar="FILE", help="test the model saved in this file instead of training one")
    parser.add_argument("--save", metavar="FILE", default="digits.safetensors", help="where to save the trained model")
    parser.add_argument("--page", metavar="FILE", default="digits.png", help="where to draw the page of predictions")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    tg.manual_seed(args.seed)
    model = Net()
    test_images, test_labels = tg.datasets.digits("test")
    if args.load:
        model.load_state_dict(tg.load(args.load))
    else:
        train(model, *tg.datasets.digits("train"), args.epochs)
        tg.save(model.state_dict(), args.save)
        print(f"saved {args.save}")
    predictions = predict(model, test_images)
    if not args.load:
        draw(args.page, test_images, test_labels, predictions)
    accuracy = (predictions == test_labels).float().mean().item()
    print(f"test accuracy {100 * accuracy:.2f} %")


if __name__ == "__main__":
    main()
