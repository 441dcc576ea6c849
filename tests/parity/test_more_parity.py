"""What the op table's samples cannot say about the less common functions: ctc_loss's gradient, Python-only poolings, bags."""
import numpy as np
import pytest
import tapegrad
import torch


def pair(array, grad=True):
    a = np.asarray(array)
    tensors = tapegrad.from_numpy(a.copy()), torch.from_numpy(a.copy())
    return [t.requires_grad_() if grad else t for t in tensors]


def same(mine, theirs):
    np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-11)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_ctc_loss_and_gradient(rng, reduction, zero_infinity):
    x = pair(rng.standard_normal((7, 3, 5)))
    targets = np.array([[1, 1, 2, 4], [3, 2, 0, 0], [4, 4, 4, 4]])
    lengths = (7, 6, 7), (4, 2, 4)
    losses = []
    for lib, t in zip((tapegrad, torch), x):
        loss = lib.nn.functional.ctc_loss(lib.log_softmax(t, 2), lib.from_numpy(targets), *lengths, reduction=reduction,
                                          zero_infinity=zero_infinity)
        loss.sum().backward()
        losses.append(loss)
    same(*losses)
    same(x[0].grad, x[1].grad)
    assert tapegrad.autograd.gradcheck(lambda v: tapegrad.nn.functional.ctc_loss(
        tapegrad.log_softmax(v, 2), tapegrad.from_numpy(targets[:2]), lengths[0][:2], lengths[1][:2]), [x[0].detach()[:, :2].requires_grad_()])


def test_ctc_loss_of_impossible_targets(rng):
    x = pair(rng.standard_normal((2, 1, 4)))
    for zero_infinity in (False, True):
        losses = [lib.nn.functional.ctc_loss(lib.log_softmax(t, 2), lib.tensor([[1, 1]]), (2,), (2,), reduction="none", zero_infinity=zero_infinity)
                  for lib, t in zip((tapegrad, torch), x)]
        assert losses[0].item() == losses[1].item()
    losses[0].backward(tapegrad.ones(1, dtype=tapegrad.float64))
    assert not x[0].grad.any()


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_max_unpool(rng, dims):
    x = pair(rng.standard_normal((2, 3) + (6, 7, 5)[:dims]))
    out = []
    for lib, t in zip((tapegrad, torch), x):
        f = lib.nn.functional
        y, i = getattr(f, f"max_pool{dims}d")(t, 2, 2, return_indices=True)
        z = getattr(f, f"max_unpool{dims}d")(y, i, 2, 2, output_size=t.shape)
        (z * z).sum().backward()
        out.append(z)
    same(*out)
    same(x[0].grad, x[1].grad)


@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_max_pool(rng, dims):
    x = pair(rng.standard_normal((2, 3) + (9, 8, 7)[:dims]))
    u = pair(rng.random((2, 3, dims)), grad=False)
    out = []
    for lib, t, v in zip((tapegrad, torch), x, u):
        y, i = getattr(lib.nn.functional, f"fractional_max_pool{dims}d")(t, 2, output_size=(5, 4, 3)[:dims], _random_samples=v, return_indices=True)
        (y * y).sum().backward()
        out.append((y, i))
    same(out[0][0], out[1][0])
    assert (out[0][1].numpy() == out[1][1].numpy()).all()
    same(x[0].grad, x[1].grad)
    assert getattr(tapegrad.nn.functional, f"fractional_max_pool{dims}d")(x[0], 2, output_ratio=0.5).shape == (2, 3) + (4, 4, 3)[:dims]


def test_lp_pool3d(rng):
    x = pair(rng.standard_normal((1, 2, 4, 5, 6)))
    same(*[lib.nn.functional.lp_pool3d(t.abs(), 3, 2) for lib, t in zip((tapegrad, torch), x)])


def test_embedding_scaled_by_frequency(rng):
    w = pair(rng.standard_normal((5, 3)))
    index = np.array([0, 2, 2, 1, 2, 0])
    for lib, t in zip((tapegrad, torch), w):
        y = lib.nn.functional.embedding(lib.from_numpy(index), t, padding_idx=1, scale_grad_by_freq=True)
        (y * y).sum().backward()
    same(w[0].grad, w[1].grad)


def test_embedding_bag_scaled_by_frequency(rng):
    """Against embedding: PyTorch's CPU kernel divides by the counts of other rows (aten/src/ATen/native/EmbeddingBag.cpp)."""
    weight, index = tapegrad.from_numpy(rng.standard_normal((5, 3))), tapegrad.tensor([[0, 2], [2, 1], [2, 0]])
    grads = []
    for f in (lambda w: tapegrad.nn.functional.embedding_bag(index, w, mode="sum", scale_grad_by_freq=True),
              lambda w: tapegrad.nn.functional.embedding(index, w, scale_grad_by_freq=True).sum(1)):
        w = weight.clone().requires_grad_()
        f(w).square().sum().backward()
        grads.append(w.grad)
    same(*grads)


def test_embedding_bag_renormalises(rng):
    w = pair(3 * rng.standard_normal((5, 3)), grad=False)
    same(*[lib.nn.functional.embedding_bag(lib.tensor([[0, 2], [2, 1]]), t, max_norm=1.0) for lib, t in zip((tapegrad, torch), w)])
    same(*w)


def test_triplet_margin_with_distance_loss(rng):
    x = [pair(rng.standard_normal((4, 3))) for _ in range(3)]
    for swap in (False, True):
        same(*[lib.nn.functional.triplet_margin_with_distance_loss(*(v[k] for v in x), swap=swap, margin=0.5)
               for k, lib in enumerate((tapegrad, torch))])
