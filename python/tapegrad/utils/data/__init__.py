"""Datasets, samplers and the loader that turns them into batches."""
from .collate import default_collate, default_convert  # noqa: F401
from .dataset import ChainDataset, ConcatDataset, Dataset, IterableDataset, StackDataset, Subset, TensorDataset, random_split  # noqa: F401
from .dataloader import DataLoader  # noqa: F401
from .sampler import (BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler,  # noqa: F401
                      WeightedRandomSampler)
from . import distributed  # noqa: F401
from .distributed import DistributedSampler  # noqa: F401
from .worker import get_worker_info  # noqa: F401
