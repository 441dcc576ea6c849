"""Indexing on the device: what several threads write to one place, bounds that are found there, strides."""
import numpy as np
import pytest

import tapegrad as tg
import tapegrad.nn.functional as F
from both import array, close, compare, same

RNG = np.random.default_rng(7)


def on(device, a):
    return tg.tensor(a).to(device)


@pytest.mark.parametrize("dim", [1, 3, 4, 64, 130])
@pytest.mark.parametrize("dtype", [tg.float32, tg.bfloat16, tg.float16, tg.float64])
def test_embedding(dim, dtype):
    ids = RNG.integers(0, 50, (3, 40))
    ids[:, ::2] = 7  # one id in most places
    for padding in (None, 7):
        compare(lambda w: F.embedding(on(w.device, ids), w, padding_idx=padding), array((50, dim)), dtype=dtype)


def test_embedding_sums_cross_tiles():
    """Runs of one id that fill tiles, begin in the middle of one and end in another."""
    for counts in ([1000], [31, 1, 32, 64, 33, 200], [5, 27, 32], [100] * 7, [1] * 100):
        ids = np.concatenate([np.full(c, k) for k, c in enumerate(counts)])
        compare(lambda w: F.embedding(on(w.device, ids), w), array((len(counts), 5)), limit=1e-4)


def test_sums_are_in_index_order():
    ids = RNG.integers(0, 9, 3000)
    values = array((3000, 3)).astype(np.float32)
    runs = [tg.zeros(9, 3, device="cuda").index_add_(0, on("cuda", ids), on("cuda", values)) for _ in range(2)]
    same(*runs)


@pytest.mark.parametrize("dtype", [tg.uint8, tg.int8, tg.int16, tg.int32, tg.int64, tg.bool, tg.float32, tg.float64, tg.complex64])
def test_writes_of_all_dtypes(dtype):
    ids = [3, 1, 3, 3, 0, 1]
    values = tg.arange(18).reshape(6, 3).to(dtype)
    for op in ("index_add", "index_copy"):
        cpu, cuda = (getattr(tg.ones(5, 3, dtype=dtype, device=d), op)(0, tg.tensor(ids).to(d), values.to(d)) for d in ("cpu", "cuda"))
        same(cuda, cpu)


def test_last_of_equal_indices_wins():
    ids = RNG.integers(0, 20, 4000)
    values = np.arange(4000)
    for device in ("cpu", "cuda"):
        x = tg.zeros(20, dtype=tg.int64, device=device)
        x[on(device, ids)] = on(device, values)
        want = [int(np.max(values[ids == k])) for k in range(20)]
        assert x.tolist() == want


def test_index_of_several_tensors():
    i, j = RNG.integers(-4, 4, (3, 5)), RNG.integers(-6, 6, (5,))
    compare(lambda x: x[on(x.device, i), on(x.device, j)], array((4, 6, 3)))
    compare(lambda x: x[on(x.device, i), :, on(x.device, j)], array((4, 3, 6)))
    compare(lambda x: x[:, on(x.device, j)], array((4, 6, 3)))
    compare(lambda x: x.permute(2, 1, 0)[:, on(x.device, j)], array((4, 6, 3)))
    compare(lambda x, v: x.index_put([on(x.device, i), on(x.device, j)], v, accumulate=True), array((4, 6)), array((3, 5), 1))
    compare(lambda x: x[x > 100], array((4, 6)))
    compare(lambda x: x[tg.tensor(i)], array((4, 6)))  # indices may come from the CPU


@pytest.mark.parametrize("shape,index_shape,dim", [((5, 6), (3, 4), 0), ((5, 6), (5, 9), 1), ((3, 4, 5), (2, 4, 7), 2), ((3, 4, 5), (9, 2, 5), 0), ((7,), (300,), 0)])
def test_gather_and_scatter(shape, index_shape, dim):
    ids = RNG.integers(0, shape[dim], index_shape)
    compare(lambda x: x.gather(dim, on(x.device, ids)), array(shape))
    compare(lambda x, s: x.scatter_add(dim, on(x.device, ids), s), array(shape), array(index_shape, 1), limit=1e-4)
    compare(lambda x, s: x.scatter(dim, on(x.device, ids), s), array(shape), array(index_shape, 1), grad=False)
    compare(lambda x: x.scatter(dim, on(x.device, ids), 2.5), array(shape))
    for how in ("sum", "mean", "amax", "amin", "prod"):
        compare(lambda x, s: x.scatter_reduce(dim, on(x.device, ids), s, how), array(shape), array(index_shape, 1), limit=1e-3)
        compare(lambda x, s: x.scatter_reduce(dim, on(x.device, ids), s, how, include_self=False), array(shape), array(index_shape, 1), grad=False,
                limit=1e-3)


def test_one_hot_and_take():
    x = RNG.integers(0, 9, (4, 5))
    same(F.one_hot(on("cuda", x)), F.one_hot(on("cpu", x)))
    same(F.one_hot(on("cuda", x), 12), F.one_hot(on("cpu", x), 12))
    compare(lambda t: tg.take(t, on(t.device, x)), array((3, 4)))


@pytest.mark.parametrize("dtype", [tg.float32, tg.bfloat16, tg.float16, tg.float64])
@pytest.mark.parametrize("dim", [1, 6, 8, 300])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag(mode, dim, dtype):
    ids, starts = RNG.integers(0, 20, 57), np.array([0, 0, 5, 6, 6, 40])
    weight = array((20, dim))

    def bags(**options):
        compare(lambda w: F.embedding_bag(on(w.device, ids), w, on(w.device, starts), mode=mode, **options), weight, dtype=dtype)

    bags()
    bags(padding_idx=int(ids[6]))
    bags(include_last_offset=True)  # what is behind the last offset is in no bag
    compare(lambda w: F.embedding_bag(on(w.device, ids[:56].reshape(8, 7)), w, mode=mode, padding_idx=3), weight, dtype=dtype)
    compare(lambda w: F.embedding_bag(on(w.device, ids[:0]), w, on(w.device, starts[:2]), mode=mode), weight, dtype=dtype)
    if mode != "max":
        bags(scale_grad_by_freq=True, padding_idx=int(ids[6]))
    if mode == "sum":
        for options in ({}, {"padding_idx": int(ids[6])}, {"include_last_offset": True}):
            compare(lambda w, s: F.embedding_bag(on(w.device, ids), w, on(w.device, starts), mode=mode, per_sample_weights=s, **options), weight,
                    array((57,), 1), dtype=dtype)


@pytest.mark.parametrize("mode,options", [("sum", {"scaled": True}), ("mean", {"scale_grad_by_freq": True}), ("max", {})])
def test_embedding_bag_waits_for_nothing(mode, options):
    """What a kernel finds wrong is raised when the host waits: neither forward nor backward does."""
    weight, scale = (tg.randn(*size, device="cuda", requires_grad=True) for size in ((5, 4), (3,)))
    options = {"per_sample_weights": scale} if options.pop("scaled", False) else options
    ids, starts = tg.tensor([0, 5, 1]).cuda(), tg.tensor([0, 1]).cuda()
    F.embedding_bag(ids, weight, starts, mode=mode, padding_idx=1, **options).sum().backward()
    with pytest.raises(IndexError, match="index 5 is out of bounds for dimension 0 with size 5 .found on the device, in embedding_bag"):
        tg.cuda.synchronize()


def test_embedding_bag_errors():
    weight, ids = tg.randn(5, 4, device="cuda"), tg.tensor([0, 5, 1]).cuda()
    with pytest.raises(IndexError, match="index 5 is out of bounds for dimension 0 with size 5 .found on the device, in embedding_bag"):
        F.embedding_bag(ids, weight, tg.tensor([0, 1]).cuda()).cpu()
    for starts in ([1, 2], [0, 4], [0, 2, 1]):
        with pytest.raises(ValueError, match="offsets must begin with 0 and rise up to the 3 indices, got .* .found on the device, in embedding_bag"):
            F.embedding_bag(ids.clamp(0, 4), weight, tg.tensor(starts).cuda()).cpu()
    with pytest.raises(tg.Error, match="one device"):
        F.embedding_bag(ids, weight, tg.tensor([0]).cuda(), mode="sum", per_sample_weights=tg.ones(3))


@pytest.mark.parametrize("run,name", [
    (lambda x, i: F.embedding(i, x), "embedding"), (lambda x, i: x[i], "index"), (lambda x, i: x.index_select(0, i), "index_select"),
    (lambda x, i: x.gather(0, i[:, None]), "gather"), (lambda x, i: x.scatter_add(0, i[:, None], x[:3]), "scatter_add"),
    (lambda x, i: x.index_add(0, i, x[:3]), "index_add"), (lambda x, i: x[i, i], "index")])
def test_out_of_bounds(run, name):
    x = tg.randn(5, 5, device="cuda")
    y = run(x, tg.tensor([0, 5, 1]).cuda())
    with pytest.raises(IndexError, match=f"index 5 is out of bounds for dimension 0 with size 5 .found on the device, in {name}"):
        y.cpu()
    close(x[tg.tensor([-5, 4]).cuda()], x.cpu()[tg.tensor([-5, 4])], 0)  # noted once, and what is in bounds works on


def test_values_must_be_on_the_device():
    x = tg.zeros(4, device="cuda")
    with pytest.raises(Exception, match="must be on one device"):
        x.index_put_([tg.tensor([0, 1]).cuda()], tg.ones(2))
