"""utils.data: datasets, samplers, collation, the loader with and without workers, and what happens when workers fail."""
import os
import signal
import time
from collections import defaultdict, namedtuple

import pytest
import tapegrad as tg
from tapegrad.utils import data

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning", "ignore:This process:DeprecationWarning")


class Squares(data.Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if not 0 <= i < self.n:
            raise IndexError(i)
        return tg.tensor([float(i), float(i * i)]), i


class Stream(data.IterableDataset):
    """0 … n - 1, shared out over the workers."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        info = data.get_worker_info()
        start, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(start, self.n, step))


class Failing(Squares):
    def __init__(self, n, how):
        super().__init__(n)
        self.how = how

    def __getitem__(self, i):
        if i == 3:
            if self.how == "raise":
                raise KeyError("three is bad")
            if self.how == "odd":
                raise Odd(1, 2)
            if self.how == "die":
                os._exit(7)
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "hang":
                time.sleep(60)
        return super().__getitem__(i)


class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(f"odd {a} {b}")


class Env(data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return float(tg.rand(())), data.get_worker_info().id if data.get_worker_info() else -1


# ---- datasets

def test_datasets():
    x, y = tg.arange(6).reshape(3, 2), tg.arange(3)
    t = data.TensorDataset(x, y)
    assert len(t) == 3 and t[1][0].tolist() == [2, 3] and int(t[-1][1]) == 2
    with pytest.raises(AssertionError):
        data.TensorDataset(x, tg.arange(4))
    both = Squares(3) + Squares(2)
    assert len(both) == 5 and both[3][1] == 0 and both[-1][1] == 1 and both[4][1] == 1
    with pytest.raises(ValueError):
        both[-6]
    sub = data.Subset(Squares(10), [7, 2])
    assert len(sub) == 2 and sub[0][1] == 7
    assert data.StackDataset(a=[1, 2], b=[3, 4])[1] == {"a": 2, "b": 4}
    assert list(Stream(2) + Stream(3)) == [0, 1, 0, 1, 2]
    with pytest.raises(NotImplementedError):
        data.Dataset()[0]


def test_random_split():
    g = tg.Generator()
    parts = data.random_split(range(10), [0.5, 0.25, 0.25], generator=g.manual_seed(3))
    assert [len(p) for p in parts] == [6, 2, 2] and sorted(i for p in parts for i in p.indices) == list(range(10))
    again = data.random_split(range(10), [6, 2, 2], generator=g.manual_seed(3))
    assert [p.indices for p in again] == [p.indices for p in parts]
    with pytest.raises(ValueError):
        data.random_split(range(10), [3, 3])


# ---- samplers

def test_samplers():
    g = tg.Generator()
    assert list(data.SequentialSampler(range(3))) == [0, 1, 2]
    r = data.RandomSampler(range(20), generator=g)
    assert sorted(r) == list(range(20)) and list(r) != list(r) and len(r) == 20
    many = list(data.RandomSampler(range(3), replacement=True, num_samples=50, generator=g))
    assert len(many) == 50 and set(many) == {0, 1, 2}
    assert len(list(data.RandomSampler(range(3), num_samples=7))) == 7
    assert sorted(data.SubsetRandomSampler([5, 9, 1])) == [1, 5, 9]
    w = list(data.WeightedRandomSampler([0.0, 1.0, 3.0], 400, generator=g.manual_seed(0)))
    assert 0 not in w and 2 < w.count(2) / w.count(1) < 4.5
    assert list(data.BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]] and list(data.BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    shards = [list(data.DistributedSampler(range(7), 3, k, shuffle=False)) for k in range(3)]
    assert shards == [[0, 3, 6], [1, 4, 0], [2, 5, 1]]
    for bad in (lambda: data.BatchSampler(range(3), 0, False), lambda: data.RandomSampler([], num_samples=0), lambda: data.WeightedRandomSampler([1.0], 0)):
        with pytest.raises(ValueError):
            bad()


# ---- collate

def test_default_collate():
    P = namedtuple("P", "x y")
    out = data.default_collate([{"a": 1, "b": (2.5, "s"), "c": [True, P(1, tg.zeros(2))]}] * 3)
    assert out["a"].tolist() == [1, 1, 1] and out["a"].dtype == tg.int64
    assert out["b"][0].dtype == tg.float64 and out["b"][1] == ["s"] * 3 and isinstance(out["b"], list)
    assert out["c"][0].dtype == tg.bool and type(out["c"][1]) is P and tuple(out["c"][1].y.shape) == (3, 2)
    with pytest.raises(RuntimeError, match="equal size"):
        data.default_collate([[1], [1, 2]])
    with pytest.raises(TypeError, match="found"):
        data.default_collate([object()])
    np = pytest.importorskip("numpy")
    assert data.default_collate([np.zeros(2), np.ones(2)]).dtype == tg.float64
    assert data.default_collate([np.float32(1.5)]).tolist() == [1.5]
    assert data.default_convert({"a": np.ones(2), "b": "t"})["a"].tolist() == [1, 1]


# ---- loader

@pytest.mark.parametrize("workers", [0, 2])
def test_batches_in_order(workers):
    loader = data.DataLoader(Squares(10), batch_size=4, num_workers=workers)
    for _ in range(2):
        batches = [(x.tolist(), i.tolist()) for x, i in loader]
        assert [i for _, i in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] and batches[1][0][0] == [4.0, 16.0]
    assert len(loader) == 3 and len(data.DataLoader(Squares(10), 4, drop_last=True)) == 2
    assert [i.tolist() for _, i in data.DataLoader(Squares(5), batch_size=2, drop_last=True, num_workers=workers)] == [[0, 1], [2, 3]]
    assert [i for _, i in data.DataLoader(Squares(3), batch_size=None, num_workers=workers)] == [0, 1, 2]
    assert [b for b in data.DataLoader(Squares(3), collate_fn=lambda s: s[0][1], num_workers=workers)] == [0, 1, 2]
    assert [i.tolist() for _, i in data.DataLoader(Squares(5), batch_sampler=[[4], [0, 2]], num_workers=workers)] == [[4], [0, 2]]


@pytest.mark.parametrize("workers", [0, 2])
def test_shuffle_is_reproducible(workers):
    def order(seed):
        g = tg.Generator()
        g.manual_seed(seed)
        return [int(i) for _, b in data.DataLoader(Squares(30), 7, shuffle=True, num_workers=workers, generator=g) for i in b]
    assert order(1) == order(1) != order(2) and sorted(order(1)) == list(range(30))


def test_streams():
    assert [b.tolist() for b in data.DataLoader(Stream(5), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in data.DataLoader(Stream(7), batch_size=2, num_workers=2)] == [[0, 2], [1, 3], [4, 6], [5]]
    assert [b.tolist() for b in data.DataLoader(Stream(7), batch_size=2, num_workers=2, drop_last=True)] == [[0, 2], [1, 3], [4, 6]]
    assert sorted(data.DataLoader(Stream(7), batch_size=None, num_workers=3)) == list(range(7))


def test_workers_have_own_seeds_and_init():
    tg.manual_seed(5)
    first = [(float(v), int(w)) for v, w in data.DataLoader(Env(), num_workers=2)]
    assert {w for _, w in first} == {0, 1} and len({v for v, _ in first}) == 8
    tg.manual_seed(5)
    assert [(float(v), int(w)) for v, w in data.DataLoader(Env(), num_workers=2)] == first
    tg.manual_seed(6)
    assert [(float(v), int(w)) for v, w in data.DataLoader(Env(), num_workers=2)] != first
    with pytest.raises(ZeroDivisionError, match="DataLoader worker process"):
        list(data.DataLoader(Env(), num_workers=1, worker_init_fn=lambda i: 1 / i))


def test_persistent_workers_stay():
    loader = data.DataLoader(Squares(6), num_workers=2, persistent_workers=True)
    list(loader)
    pids = [p.pid for p in loader._workers.processes]
    list(loader)
    assert [p.pid for p in loader._workers.processes] == pids and all(p.is_alive() for p in loader._workers.processes)
    processes = loader._workers.processes
    loader._workers.close()
    assert not any(p.is_alive() for p in processes)


def test_leaving_early_ends_the_workers():
    it = iter(data.DataLoader(Squares(1000), num_workers=2))
    next(it)
    processes = it.workers.processes
    del it
    assert not any(p.is_alive() for p in processes)


def test_errors_arrive_with_their_traceback():
    with pytest.raises(KeyError) as e:
        list(data.DataLoader(Failing(8, "raise"), num_workers=2))
    assert "Caught KeyError in DataLoader worker process 1" in str(e.value) and "three is bad" in str(e.value) and "__getitem__" in str(e.value)
    with pytest.raises(RuntimeError, match="odd 1 2"):
        list(data.DataLoader(Failing(8, "odd"), num_workers=1))
    with pytest.raises(KeyError):
        list(data.DataLoader(Failing(8, "raise")))
    with pytest.raises(Exception, match="sending a batch from DataLoader worker process 0"):
        list(data.DataLoader(Squares(2), collate_fn=lambda b: (lambda: b), num_workers=1))


@pytest.mark.parametrize("how,text", [("die", "exit code 7"), ("kill", "killed by signal 9")])
def test_a_dying_worker_is_an_error_and_no_hang(how, text):
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=f"exited unexpectedly.*{text}"):
        list(data.DataLoader(Failing(20, how), num_workers=2))
    assert time.monotonic() - start < 20


def test_timeout():
    with pytest.raises(RuntimeError, match="timed out after 1 seconds"):
        list(data.DataLoader(Failing(8, "hang"), num_workers=1, timeout=1))


def test_large_batches_and_index_lists_do_not_deadlock():
    loader = data.DataLoader(Squares(60000), batch_size=20000, num_workers=2, collate_fn=lambda b: tg.zeros(300000))
    assert len(list(loader)) == 3


def test_bad_arguments():
    for kwargs in (dict(num_workers=-1), dict(timeout=-1), dict(prefetch_factor=2), dict(batch_size=0), dict(shuffle=True, sampler=[1]),
                   dict(batch_size=None, drop_last=True), dict(batch_sampler=[[1]], batch_size=2), dict(persistent_workers=True)):
        with pytest.raises(ValueError):
            data.DataLoader(Squares(3), **kwargs)
    with pytest.raises(ValueError, match="batch_size attribute should not be set"):
        data.DataLoader(Squares(3)).batch_size = 2
    with pytest.raises(ValueError, match="IterableDataset"):
        data.DataLoader(Stream(3), shuffle=True)


def test_options_of_workers_need_workers():
    for option in (dict(multiprocessing_context="fork"), dict(timeout=3)):
        with pytest.raises(ValueError, match=next(iter(option)) + ".*num_workers > 0"):
            data.DataLoader(Squares(3), **option)
    with pytest.raises(ValueError, match="multiprocessing_context.*'nothing'"):
        data.DataLoader(Squares(3), num_workers=1, multiprocessing_context="nothing")


def test_collation_keeps_mappings_and_numpy_texts():
    numpy = pytest.importorskip("numpy")
    sample = defaultdict(list, a=1.0)
    batch = data.default_collate([sample, sample])
    assert type(batch) is defaultdict and batch["a"].tolist() == [1, 1] and batch["b"] == [] and "b" not in sample
    assert data.default_collate([numpy.str_("a"), numpy.str_("b")]) == ["a", "b"]
