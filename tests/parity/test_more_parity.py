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
    assert tuple(mine.shape) == tuple(theirs.shape)
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


POSITIONAL = [
    ("hinge_embedding_loss", 2, (0.5, 2)), ("hinge_embedding_loss", 2, ()), ("kl_div", 2, ()), ("kl_div", 2, (1,)), ("margin_ranking_loss", 3, (0.1, 0)),
    ("cosine_embedding_loss", 3, (0.2,)), ("triplet_margin_loss", 3, (0.5, 2.0, 1e-6, True, 2)), ("poisson_nll_loss", 2, (True, True, 1e-8, 1)),
    ("binary_cross_entropy_with_logits", 2, (None, None, 0)),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, tensors, rest", POSITIONAL, ids=str)
def test_losses_at_the_top_level(rng, name, tensors, rest):
    x = [pair(rng.random((4, 3)) + 0.1, grad=False) for _ in range(tensors)]
    if name == "cosine_embedding_loss":
        x[2] = pair(np.array([1.0, -1.0, 1.0, 1.0]), grad=False)
    same(*[getattr(lib, name)(*(v[k] for v in x), *rest) for k, lib in enumerate((tapegrad, torch))])


def test_layers_at_the_top_level(rng):
    w = pair(rng.standard_normal((5, 3)), grad=False)
    x = pair(rng.standard_normal((2, 3, 8)), grad=False)
    g = pair(rng.uniform(-1, 1, (2, 4, 4, 2)), grad=False)
    c = pair(rng.standard_normal((3, 3, 4)), grad=False)
    for f in (lambda lib, k: lib.embedding(w[k], lib.tensor([[1, 2]])), lambda lib, k: lib.adaptive_max_pool1d(x[k], 3)[0],
              lambda lib, k: lib.adaptive_max_pool1d(x[k], 3)[1], lambda lib, k: lib.grid_sampler(x[k].unsqueeze(2), g[k], 0, 1, False),
              lambda lib, k: lib.conv_tbc(x[k], lib.ones(2, 8, 3, dtype=lib.float64), lib.zeros(3, dtype=lib.float64), 1),
              lambda lib, k: lib.instance_norm(x[k], None, None, None, None, True, 0.1, 1e-5, False),
              lambda lib, k: lib.norm_except_dim(c[k], 2, 1), lambda lib, k: lib.ctc_loss(x[k], lib.tensor([[1], [2], [3]]), (2, 2, 2), (1, 1, 1)),
              lambda lib, k: lib.celu_(x[k].clone()), lambda lib, k: lib.threshold_(x[k].clone(), 0.1, 2.0), lambda lib, k: lib.zero_(x[k].clone())):
        same(f(tapegrad, 0), f(torch, 1))
    assert tapegrad.broadcast_shapes((2, 1), 3, (1, 3)) == (2, 3)


def test_apply_and_map():
    x, y = tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]]).t(), tapegrad.tensor([10.0, 20.0])
    assert x.apply_(lambda v: v + 1).tolist() == [[2, 4], [3, 5]]
    assert x.map_(y, lambda a, b: a * b).tolist() == [[20, 80], [30, 100]]
    assert x.map2_(y, y, lambda a, b, c: a + b - c).tolist() == [[20, 80], [30, 100]]
    assert tapegrad.tensor([1, 2]).apply_(lambda v: v * 2).tolist() == [2, 4]
    with pytest.raises(RuntimeError, match="gradient"):
        tapegrad.ones(2, requires_grad=True).apply_(abs)
    with pytest.raises(TypeError, match="map_"):
        tapegrad.ones(2).map_(3, max)
    with pytest.raises(ZeroDivisionError):
        tapegrad.ones(2).apply_(lambda v: 1 / 0)


LAWS = {
    "cauchy_": (lambda t: t.cauchy_(2.0, 0.5), lambda v: (np.median(v), np.quantile(v, 0.75)), (2.0, 2.5)),
    "log_normal_": (lambda t: t.log_normal_(0.5, 0.25), lambda v: (np.log(v).mean(), np.log(v).std()), (0.5, 0.25)),
    "geometric_": (lambda t: t.geometric_(0.3), lambda v: (v.mean(), (v == 1).mean()), (1 / 0.3, 0.3)),
    "few": (lambda t: tapegrad.binomial(t.fill_(12), t.clone().fill_(0.2)), lambda v: (v.mean(), v.var()), (2.4, 1.92)),
    "many": (lambda t: tapegrad.binomial(t.fill_(400), t.clone().fill_(0.7)), lambda v: (v.mean() / 100, v.var() / 100), (2.8, 0.84)),
}


@pytest.mark.parametrize("law", LAWS)
def test_random_laws(law):
    tapegrad.manual_seed(7)
    draw, measure, expected = LAWS[law]
    values = draw(tapegrad.empty(40000, dtype=tapegrad.float64)).numpy()
    np.testing.assert_allclose(measure(values), expected, rtol=0.03)


def test_as_strided_scatter_gradient():
    """Of the input, by differences: PyTorch 2.13 returns it where src was written instead of elsewhere."""
    x, src = tapegrad.rand(3, 4, dtype=tapegrad.float64, requires_grad=True), tapegrad.rand(2, 2, dtype=tapegrad.float64)
    assert tapegrad.autograd.gradcheck(lambda v: tapegrad.as_strided_scatter(v, src, (2, 2), (1, 4), 1), [x])


def test_linear_cross_entropy(rng):
    x, w, b = (pair(rng.standard_normal(s)) for s in ((6, 4), (5, 4), (5,)))
    wide = pair(rng.standard_normal((5, 3, 4)))
    f = [lib.nn.functional.linear_cross_entropy for lib in (tapegrad, torch)]
    labels, grid = rng.integers(0, 5, 6), rng.integers(0, 5, (6, 3))
    same(*[f[k](x[k], w[k], lib.from_numpy(labels), linear_bias=b[k], ignore_index=2, label_smoothing=0.1) for k, lib in enumerate((tapegrad, torch))])
    same(*[f[k](x[k], wide[k], lib.from_numpy(grid), reduction="none") for k, lib in enumerate((tapegrad, torch))])


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag_module(rng, mode):
    ours, theirs = (lib.nn.EmbeddingBag(7, 3, mode=mode, padding_idx=2, dtype=lib.float64) for lib in (tapegrad, torch))
    with tapegrad.no_grad():
        ours.weight.copy_(tapegrad.from_numpy(theirs.weight.detach().numpy()))
    index, starts = rng.integers(0, 7, 9), np.array([0, 0, 4])
    for module, lib in ((ours, tapegrad), (theirs, torch)):
        module(lib.from_numpy(index), lib.from_numpy(starts)).square().sum().backward()
    same(ours.weight.grad, theirs.weight.grad)
    assert str(ours) == str(theirs)


def test_the_nearest_pixel_gives_the_grid_a_gradient_of_zeros(rng):
    image, grid = pair(rng.standard_normal((1, 2, 3, 3)), grad=False), pair(rng.uniform(-2, 2, (1, 2, 2, 2)))
    for k, lib in enumerate((tapegrad, torch)):
        lib.nn.functional.grid_sample(image[k], grid[k], mode="nearest", align_corners=False).sum().backward()
    same(grid[0].grad, grid[1].grad)
