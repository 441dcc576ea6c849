"""Rarer layers and losses against torch.nn: unpooling, adaptive softmax, CTC, response norms, uninitialised buffers."""
import copy
import pickle

import numpy as np
import pytest
import tapegrad as tg
import torch
from test_rnn_parity import both, compare, numbers

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("make,shape", [
    (lambda nn: nn.ChannelShuffle(2), (2, 6, 3, 3)), (lambda nn: nn.SyncBatchNorm(4), (3, 4, 5)), (lambda nn: nn.SyncBatchNorm(4).eval(), (3, 4)),
])
def test_layers(make, shape):
    ours, theirs = both(make)
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(*shape)])


@pytest.mark.parametrize("options", [(3,), (5, 0.3, 0.5, 2)])
def test_cross_map_response_norm(options):
    """PyTorch's is compared on the channels before it goes wrong, LocalResponseNorm on all."""
    x = numbers(2, 7, 3, 3)
    ours = tg.nn.CrossMapLRN2d(*options)
    y, theirs = ours(tg.from_numpy(x)).numpy(), torch.nn.CrossMapLRN2d(*options)
    assert repr(ours) == repr(theirs)
    reach = (options[0] - 1) // 2
    np.testing.assert_allclose(y[:, :reach + 1], theirs(torch.from_numpy(x)).numpy()[:, :reach + 1], rtol=1e-11)
    np.testing.assert_allclose(y, torch.nn.LocalResponseNorm(*options)(torch.from_numpy(x)).numpy(), rtol=1e-11)


def test_sync_batch_norm_conversion():
    def make(nn):
        return nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.BatchNorm1d(4, affine=False))))
    ours, theirs = both(make)
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(5, 3)])


def test_power_pooling():
    ours, theirs = both(lambda nn: nn.LPPool3d(2, 2, stride=1))
    compare(ours, theirs, lambda m, lib, x: m(x.abs()), [numbers(2, 3, 4, 4, 5)])


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_unpooling(dims):
    ours, theirs = both(lambda nn: getattr(nn, f"MaxUnpool{dims}d")(2))

    def call(m, lib, x):
        y, places = getattr(lib.nn, f"MaxPool{dims}d")(2, return_indices=True)(x)
        return m(y, places, output_size=None if x.shape[2] == 4 else x.shape)
    compare(ours, theirs, call, [numbers(2, 3, *(5, 4, 7)[:dims])])
    compare(ours, theirs, call, [numbers(2, 3, *(4, 6, 2)[:dims])])


@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_pooling(dims):
    samples = np.random.RandomState(0).rand(2, 3, dims)
    for size in (dict(output_size=3), dict(output_ratio=0.6)):
        ours, theirs = (getattr(lib.nn, f"FractionalMaxPool{dims}d")(2, **size, _random_samples=lib.from_numpy(samples.copy())) for lib in (tg, torch))
        compare(ours, theirs, lambda m, lib, x: m(x), [numbers(2, 3, *(7, 8, 7)[:dims])])


@pytest.mark.parametrize("arguments", [dict(), dict(output_size=2, output_ratio=0.5), dict(output_ratio=1.5)])
def test_fractional_pooling_refusals(arguments):
    for lib in (tg, torch):
        with pytest.raises(ValueError):
            lib.nn.FractionalMaxPool2d(2, **arguments)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ctc(reduction):
    ours, theirs = both(lambda nn: nn.CTCLoss(2, reduction, zero_infinity=True))

    def call(m, lib, x):
        return m(x.log_softmax(2), lib.tensor([[0, 1, 1], [3, 0, 0]]), lib.tensor([6, 5]), lib.tensor([3, 1]))
    compare(ours, theirs, call, [numbers(6, 2, 4)])


@pytest.mark.parametrize("options", [dict(), dict(swap=True, margin=0.5), dict(reduction="sum"), dict(reduction="none")], ids=str)
def test_triplets_with_any_distance(options):
    three = [numbers(4, 5), numbers(4, 5, seed=1), numbers(4, 5, seed=2)]
    for distance in (None, lambda a, b: 1 - (a * b).sum(1)):
        ours, theirs = both(lambda nn: nn.TripletMarginWithDistanceLoss(distance_function=distance, **options))
        compare(ours, theirs, lambda m, lib, *x: m(*x), three)
    for lib in (tg, torch):
        with pytest.raises(ValueError):
            lib.nn.TripletMarginWithDistanceLoss(margin=-1)
        with pytest.raises(RuntimeError):
            lib.nn.functional.triplet_margin_with_distance_loss(lib.ones(2), lib.ones(2, 2), lib.ones(2))


@pytest.mark.parametrize("options", [dict(), dict(div_value=2.0, head_bias=True)], ids=str)
def test_adaptive_softmax(options):
    ours, theirs = both(lambda nn: nn.AdaptiveLogSoftmaxWithLoss(16, 20, [4, 10], **options))
    classes = np.random.RandomState(0).randint(0, 20, 12)
    compare(ours, theirs, lambda m, lib, x: m(x, lib.from_numpy(classes)), [numbers(12, 16)])
    compare(ours, theirs, lambda m, lib, x: m.log_prob(x), [numbers(12, 16)])
    x = numbers(12, 16)
    np.testing.assert_array_equal(ours.predict(tg.from_numpy(x)).numpy(), theirs.predict(torch.from_numpy(x)).numpy())
    one = [m(lib.from_numpy(x[0]), lib.tensor(7)) for m, lib in ((ours, tg), (theirs, torch))]
    assert one[0].output.shape == one[1].output.shape == () and type(one[0]).__name__ == "_ASMoutput"
    np.testing.assert_allclose(one[0].loss.detach().numpy(), one[1].loss.detach().numpy(), rtol=1e-11)
    for lib, m in ((tg, ours), (torch, theirs)):
        for bad in (lambda: m(lib.zeros(3, 16).double(), lib.tensor([1, 2])), lambda: m(lib.zeros(2, 16).double(), lib.tensor([1, 20])),
                    lambda: m(lib.zeros(2, 16).double(), lib.tensor([[1], [2]]))):
            with pytest.raises(RuntimeError):
                bad()


@pytest.mark.parametrize("cutoffs", [[], [5, 3], [3, 3], [20], [0, 4]])
def test_adaptive_softmax_refusals(cutoffs):
    for lib in (tg, torch):
        with pytest.raises(ValueError):
            lib.nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs)


def test_old_name_of_the_loss_for_images():
    x, t = numbers(2, 4, 3), np.array([[0, 1, 3], [2, 0, 0]])
    a, b = (lib.nn.NLLLoss2d()(lib.from_numpy(x), lib.from_numpy(t)) for lib in (tg, torch))
    np.testing.assert_allclose(a.numpy(), b.numpy())


def test_uninitialised_tensors():
    from tapegrad.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy
    for cls, becomes in ((UninitializedParameter, tg.nn.Parameter), (UninitializedBuffer, tg.nn.Buffer)):
        t = cls(dtype=tg.float64)
        for other in (t, copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
            assert is_lazy(other) and other.dtype == tg.float64
        t.materialize((2, 3))
        assert type(t) is becomes and t.shape == (2, 3) and not is_lazy(t)
    hidden = UninitializedBuffer(persistent=False)
    assert not copy.deepcopy(hidden).persistent and not hidden.requires_grad


@pytest.mark.parametrize("options", [dict(), dict(mode="sum", padding_idx=-2), dict(mode="max"), dict(mode="sum", include_last_offset=True)], ids=str)
def test_embedding_bags(options):
    ours, theirs = both(lambda nn: nn.EmbeddingBag(7, 3, **options))
    index = np.array([1, 2, 4, 5, 4, 3, 2, 5, 1])
    for shape, offsets in (((3, 3), None), ((9,), [0, 4, 4, 7]), ((9,), [0, 4, 9])):
        if options.get("include_last_offset") and offsets and offsets[-1] != 9:
            continue

        def call(m, lib):
            x = lib.from_numpy(index.reshape(shape))
            weights = lib.arange(9, dtype=lib.float64).reshape(shape) if options.get("mode") == "sum" else None
            return m(x, None if offsets is None else lib.tensor(offsets), weights)
        compare(ours, theirs, call, [])
    for lib in (tg, torch):
        frozen = lib.nn.EmbeddingBag.from_pretrained(lib.ones(4, 2), mode="sum")
        assert not frozen.weight.requires_grad and frozen(lib.tensor([[1, 2]])).tolist() == [[2, 2]]
        with pytest.raises(AssertionError):
            lib.nn.EmbeddingBag(3, 2, padding_idx=3)


@pytest.mark.parametrize("options", [dict(), dict(bias=True, reduction="sum", label_smoothing=0.1), dict(ignore_index=1, reduction="none"), dict(out_features=(2, 3), bias=True)], ids=str)
def test_linear_cross_entropy(options):
    ours, theirs = both(lambda nn: nn.LinearCrossEntropyLoss(4, 5, **options))
    target = np.random.RandomState(0).randint(0, 5, (6, *options.get("out_features", ())))
    compare(ours, theirs, lambda m, lib, x: m(x, lib.from_numpy(target)), [numbers(6, 4)])
    for lib in (tg, torch):
        f = lib.nn.functional.linear_cross_entropy
        for bad in (lambda: f(lib.ones(2, 3), lib.ones(4, 5), lib.tensor([1, 2])), lambda: f(lib.ones(2, 3, 3), lib.ones(4, 3), lib.tensor([1, 2])),
                    lambda: f(lib.ones(2, 3), lib.ones(3), lib.tensor([1, 2])), lambda: f(lib.ones(2, 3), lib.ones(4, 3), lib.ones(2, 4), ignore_index=1),
                    lambda: f(lib.ones(3), lib.ones(4, 2, 3), lib.tensor([1, 2])), lambda: f(lib.ones(2, 3), lib.ones(4, 3), lib.tensor([1, 2]), linear_bias=lib.ones(3))):
            with pytest.raises(RuntimeError):
                bad()
    compare(*both(lambda nn: nn.LinearCrossEntropyLoss(4, 5, options=nn.LinearCrossEntropyOptions(batch_chunk_size=2))),
            lambda m, lib, x: m(x, lib.from_numpy(np.arange(6) % 5)), [numbers(6, 4)])
    with pytest.raises(TypeError, match="options"):
        tg.nn.functional.linear_cross_entropy(tg.ones(2, 3), tg.ones(4, 3), tg.tensor([1, 2]), options=1)
