"""A run that is stopped and goes on from its checkpoint has the losses of one that was never stopped, to the bit."""
import random

import pytest
import tapegrad as tg
from tapegrad import checkpoint, nn
from tapegrad.utils.data import (BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler, SubsetRandomSampler,
                                 WeightedRandomSampler, get_worker_info)


class Points(Dataset):
    """Samples that may be changed at random, by tapegrad's numbers and by Python's."""

    def __init__(self, noise):
        self.noise = noise

    def __len__(self):
        return 28

    def __getitem__(self, i):
        x = tg.arange(4, dtype=tg.float32).mul(i + 1).sin()
        return (x + tg.randn(4) * random.random() if self.noise else x), i % 3


class Stream(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        for i in range(info.id if info else 0, 28, info.num_workers if info else 1):
            yield tg.randn(4) + i / 28, i % 3


LOADERS = {
    "in order": lambda: DataLoader(Points(False), 4),
    "shuffled": lambda: DataLoader(Points(False), 4, shuffle=True),
    "noise": lambda: DataLoader(Points(True), 4, shuffle=True),
    "own generator": lambda: DataLoader(Points(True), 4, shuffle=True, generator=tg.Generator().manual_seed(5)),
    "sampler's generator": lambda: DataLoader(Points(False), 4, sampler=RandomSampler(range(28), True, 28, tg.Generator().manual_seed(6))),
    "subset": lambda: DataLoader(Points(False), 4, sampler=SubsetRandomSampler(range(4, 28))),
    "weighted": lambda: DataLoader(Points(False), batch_sampler=BatchSampler(WeightedRandomSampler([1.0] * 28, 28), 4, False)),
    "stream": lambda: DataLoader(Stream(), 4),
    "workers": lambda: DataLoader(Points(False), 4, shuffle=True, num_workers=2),
    "workers with noise": lambda: DataLoader(Points(True), 4, shuffle=True, num_workers=2, generator=tg.Generator().manual_seed(5)),
    "workers that stay": lambda: DataLoader(Points(True), 4, shuffle=True, num_workers=2, persistent_workers=True),
    "workers of a stream": lambda: DataLoader(Stream(), 4, num_workers=2),
}


class Run:
    """All that a training run consists of."""

    def __init__(self, make_loader):
        tg.manual_seed(11)
        random.seed(11)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 3))
        self.adam = tg.optim.AdamW(self.net.parameters(), lr=0.05)
        self.scheduler = tg.optim.lr_scheduler.OneCycleLR(self.adam, 0.1, total_steps=40)
        self.scaler = tg.amp.GradScaler("cpu", init_scale=2.0 ** 20, growth_interval=3)
        self.loader = make_loader()

    def parts(self):
        return {"model": self.net, "optimizer": self.adam, "scheduler": self.scheduler, "scaler": self.scaler, "loader": self.loader, "rng": True}

    def train(self, epochs, stop_at=None, path=None):
        """Trains until so many epochs are over, or so many steps are done and written. The losses."""
        losses = []
        for _ in range(epochs):
            for x, y in self.loader:
                self.adam.zero_grad()
                loss = nn.functional.cross_entropy(self.net(x), y)
                self.scaler.scale(loss).backward()
                self.scaler.step(self.adam)
                self.scaler.update()
                self.scheduler.step()
                losses.append(loss.item())
                if len(losses) == stop_at:
                    checkpoint.save(path, **self.parts(), epochs_left=epochs - _)
                    return losses
        return losses


@pytest.mark.parametrize("name", LOADERS)
def test_losses_go_on_to_the_bit(name, tmp_path):
    path = tmp_path / "run.safetensors"
    whole = Run(LOADERS[name]).train(3)
    n = len(whole) // 3
    for stop in (3, n, n + 2):
        first = Run(LOADERS[name]).train(3, stop, path)
        again = Run(LOADERS[name])
        tg.manual_seed(99)  # where the new process stands does not matter
        random.seed(99)
        left = checkpoint.load(path, **again.parts())
        assert first + again.train(left["epochs_left"]) == whole, stop


def test_what_is_not_asked_for_comes_back_as_it_is(tmp_path):
    run = Run(LOADERS["shuffled"])
    path = tmp_path / "run.safetensors"
    run.train(1, 3, path)
    found = checkpoint.load(path)
    assert set(found) == {"model", "optimizer", "scheduler", "scaler", "loader", "epochs_left"}
    assert found["loader"]["batches"] == 3 and found["scaler"] == run.scaler.state_dict() and found["scheduler"]["last_epoch"] == 3
    checkpoint.save(path, run.net)
    for missing in ("scheduler", "scaler", "loader"):
        with pytest.raises(tg.safetensors.SafetensorError, match=f"holds no state of the {missing}"):
            checkpoint.load(path, **{missing: getattr(run, missing)})
    with pytest.raises(tg.safetensors.SafetensorError, match="holds no state of the rng"):
        checkpoint.load(path, rng=True)


SCHEDULES = {
    "multi": lambda o: tg.optim.lr_scheduler.MultiStepLR(o, [2, 5]), "plateau": lambda o: tg.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "lambda": lambda o: tg.optim.lr_scheduler.LambdaLR(o, lambda n: 0.9 ** n), "cosine": lambda o: tg.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
    "sequence": lambda o: tg.optim.lr_scheduler.SequentialLR(o, [tg.optim.lr_scheduler.ConstantLR(o), tg.optim.lr_scheduler.ExponentialLR(o, 0.9)], [3]),
    "cycle": lambda o: tg.optim.lr_scheduler.CyclicLR(o, 0.1, 1.0, step_size_up=3),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name, tmp_path):
    def rates(optimizer, schedule, n):
        out = []
        for _ in range(n):
            optimizer.step()
            schedule.step(*([1.0] if name == "plateau" else []))
            out.append(optimizer.param_groups[0]["lr"])
        return out

    def make():
        optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=0.5, momentum=0.9)
        return optimizer, SCHEDULES[name](optimizer)
    whole = rates(*make(), 9)
    first = make()
    assert rates(*first, 4) == whole[:4]
    checkpoint.save(tmp_path / "x", optimizer=first[0], scheduler=first[1])
    again = make()
    checkpoint.load(tmp_path / "x", optimizer=again[0], scheduler=again[1])
    assert rates(*again, 5) == whole[4:]


def test_a_loader_after_its_pass_begins_anew():
    loader = LOADERS["own generator"]()
    assert loader.state_dict() == {"batches": 0}
    for i, _ in enumerate(loader):
        assert loader.state_dict()["batches"] == i + 1
    assert loader.state_dict() == {"batches": 0}
    loader.load_state_dict(loader.state_dict())
    assert len(list(loader)) == len(loader) == 7
    it = iter(loader)
    next(it)
    state = loader.state_dict()
    other = LOADERS["in order"]()
    with pytest.raises(ValueError, match="draws from 1 generators, the state is of 2"):
        other.load_state_dict(state)
