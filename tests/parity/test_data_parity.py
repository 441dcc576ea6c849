"""Batches of the DataLoader, samplers without randomness and collation, side by side with PyTorch's."""
import itertools
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import tapegrad
import torch

LIBRARIES = (tapegrad, torch)
Point = namedtuple("Point", "x y")


def plain(x):
    """Tensors as (dtype, values), containers by type, so that both libraries' results compare equal."""
    if hasattr(x, "untyped_storage"):
        return str(x.dtype).split(".")[1], tuple(x.shape), x.tolist()
    if isinstance(x, dict):
        return type(x).__name__, [(k, plain(v)) for k, v in x.items()]
    if isinstance(x, (list, tuple)):
        return type(x).__name__, [plain(v) for v in x]
    return type(x).__name__, x


def datasets(lib):
    data = lib.utils.data
    x, y = lib.arange(22.0).reshape(11, 2), lib.arange(11)

    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(range(11))

    class Samples(data.Dataset):
        def __len__(self):
            return 11

        def __getitem__(self, i):
            return {"x": x[i], "n": i, "f": i / 2, "name": f"s{i}", "p": Point(i, x[i, 0]), "a": np.full(2, i, dtype=np.int16), "l": [i, (i, i)]}
    tensors = data.TensorDataset(x, y)
    return {"tensors": tensors, "stream": Stream(), "samples": Samples(), "subset": data.Subset(tensors, [7, 3, 3, 0]),
            "concat": data.ConcatDataset([tensors, data.Subset(tensors, [1])]), "stack": data.StackDataset(a=tensors, b=list(range(11))),
            "chain": Stream() + Stream(), "list": list(range(11)), "arrays": np.arange(22.0).reshape(11, 2)}


@pytest.mark.parametrize("name", list(datasets(torch)))
@pytest.mark.parametrize("batch_size,drop_last", [(1, False), (4, False), (4, True), (None, False), (20, True)])
def test_batches(name, batch_size, drop_last):
    mine, theirs = ([plain(b) for b in lib.utils.data.DataLoader(datasets(lib)[name], batch_size, drop_last=drop_last)] for lib in LIBRARIES)
    assert mine == theirs


@pytest.mark.parametrize("name", ["tensors", "stream", "samples", "stack"])
@pytest.mark.parametrize("batch_size", [3, None])
@pytest.mark.filterwarnings("ignore")
def test_batches_of_workers(name, batch_size):
    mine, theirs = ([plain(b) for b in lib.utils.data.DataLoader(datasets(lib)[name], batch_size, num_workers=2)] for lib in LIBRARIES)
    assert mine == theirs


def test_lengths():
    for name, size, drop in itertools.product(("tensors", "subset", "concat", "stack", "list"), (1, 3, 20, None), (False, True)):
        if size is None and drop:
            continue
        mine, theirs = (len(lib.utils.data.DataLoader(datasets(lib)[name], size, drop_last=drop)) for lib in LIBRARIES)
        assert mine == theirs, (name, size, drop)


def test_distributed_sampler():
    for n, replicas, drop in itertools.product((1, 5, 8, 13), (1, 2, 3, 7), (False, True)):
        for rank in range(replicas):
            mine, theirs = (lib.utils.data.DistributedSampler(range(n), replicas, rank, shuffle=False, drop_last=drop) for lib in LIBRARIES)
            assert list(mine) == list(theirs) and len(mine) == len(theirs), (n, replicas, rank, drop)


@pytest.mark.parametrize("lengths", [[0.5, 0.5], [0.3, 0.3, 0.4], [0.9, 0.1], [4, 7], [1.0], [1], [0.1, 0.2, 0.7], [0.0, 1.0]])
@pytest.mark.filterwarnings("ignore:Length of split at index 0 is 0")
def test_random_split_sizes(lengths):
    mine, theirs = ([len(p) for p in lib.utils.data.random_split(range(11), lengths)] for lib in LIBRARIES)
    assert mine == theirs


BATCHES = [[1, 2], [1.5, 2], [True, False], ["a", "b"], [b"a", b"b"], [np.float32(1), np.float32(2)], [np.zeros(2), np.ones(2)], [np.int64(3)] * 2,
           [(1, 2.0), (3, 4.0)], [[1, 2], [3, 4]], [{"a": 1}, {"a": 2}], [OrderedDict(a=1), OrderedDict(a=2)], [Point(1, 2), Point(3, 4)],
           [[(1, {"k": [2]})], [(3, {"k": [4]})]], [range(2), range(2)]]


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_collate_and_convert(batch):
    for name in ("default_collate", "default_convert"):
        mine, theirs = (plain(getattr(lib.utils.data, name)(batch)) for lib in LIBRARIES)
        assert mine == theirs, name


@pytest.mark.parametrize("batch", [[[1], [1, 2]], [object(), object()], [np.array(["a"]), np.array(["b"])], [None, None], [np.zeros(2), np.zeros(3)]], ids=str)
def test_what_cannot_be_collated(batch):
    kinds = []
    for lib in LIBRARIES:
        with pytest.raises(Exception) as e:
            lib.utils.data.default_collate(batch)
        kinds.append(e.value)
    assert isinstance(kinds[0], type(kinds[1])), kinds


BAD = [dict(num_workers=-1), dict(timeout=-1), dict(prefetch_factor=2), dict(batch_size=0), dict(shuffle=True, sampler=[1]), dict(batch_size=None, drop_last=True),
       dict(batch_sampler=[[1]], batch_size=2), dict(persistent_workers=True), dict(batch_size=2.5), dict(num_workers=1, prefetch_factor=-1)]


@pytest.mark.parametrize("options", BAD, ids=str)
def test_bad_options(options):
    errors = []
    for lib in LIBRARIES:
        with pytest.raises(Exception) as e:
            lib.utils.data.DataLoader(list(range(3)), **options)
        errors.append(type(e.value))
    assert issubclass(errors[0], errors[1]), errors
