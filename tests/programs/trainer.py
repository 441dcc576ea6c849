"""A training script with everything around the model: workers, mixed precision, accumulation, checkpoints, averages, logs, profiling."""
import contextlib
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F
from shared import digits, init, rng
from torch.optim.swa_utils import AveragedModel, update_bn
from torch.profiler import profile, record_function
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset, Sampler, Subset

TOLERANCE = 2e-2  # bfloat16 products


class Digits(Dataset):
    def __init__(self, transform=None):
        self.images, self.labels = digits()
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.images[index]
        return (self.transform(image) if self.transform else image), int(self.labels[index])


class Shuffled(Sampler):
    def __init__(self, size, seed):
        self.order = rng(seed).permutation(size).tolist()

    def __iter__(self):
        return iter(self.order)

    def __len__(self):
        return len(self.order)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Hardswish(), nn.MaxPool2d(2))
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(128, 32), nn.SiLU())
        self.head = nn.utils.parametrizations.weight_norm(nn.Linear(32, 10))

    def forward(self, x):
        x = self.features(x)
        x = checkpoint(self.body, x, use_reentrant=False)
        return self.head(x)


@torch.no_grad()
def evaluate(model, loader, device):
    model.eval()
    correct = sum((model(x.to(device)).argmax(-1) == y.to(device)).sum().item() for x, y in loader)
    model.train()
    return correct / len(loader.dataset)


def save_checkpoint(path, model, optimizer, scheduler, step):
    torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, path)


def main():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = Digits(transform=lambda image: (image - 0.3) / 0.4)
    train, test = Subset(data, range(1280)), Subset(data, range(1280, 1400))
    loader = DataLoader(train, batch_size=32, sampler=Shuffled(len(train), 0), num_workers=1, drop_last=True)
    test_loader = DataLoader(test, batch_size=60)

    model = init(Net()).to(device)
    seen = []
    averaged = AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    hook = model.features[0].register_forward_hook(lambda module, args, out: seen.append(tuple(out.shape)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=20)
    scaler = torch.amp.GradScaler("cuda", enabled=torch.cuda.is_available())
    folder = tempfile.TemporaryDirectory()
    path = os.path.join(folder.name, "last.pt")
    step = 0
    with profile() as prof:
        batches = iter(loader)
        while step < 20:
            total = 0.0
            for _ in range(2):  # accumulate two batches
                x, y = next(batches)
                x, y = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
                with torch.autocast(device_type=device.type, dtype=torch.bfloat16) if step % 2 else contextlib.nullcontext():
                    with record_function("forward"):
                        loss = F.cross_entropy(model(x), y) / 2
                scaler.scale(loss).backward()
                total += loss.item()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0, error_if_nonfinite=True)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
            averaged.update_parameters(model)
            step += 1
            if step == 10:  # stop, and go on from a file
                save_checkpoint(path, model, optimizer, scheduler, step)
                state = torch.load(path, map_location=device, weights_only=True)
                model.load_state_dict(state["model"], strict=True)
                optimizer.load_state_dict(state["optimizer"])
                scheduler.load_state_dict(state["scheduler"])
                step = state["step"]
            yield total
    hook.remove()
    update_bn(DataLoader(train, batch_size=128), averaged)
    assert evaluate(averaged, test_loader, device) > 0.3
    assert len(seen) == 40 and seen[0] == (32, 8, 8, 8)
    assert any(e.key == "forward" and e.count == 40 for e in prof.key_averages())
    folder.cleanup()
