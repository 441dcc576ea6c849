"""nn.utils against PyTorch's: parametrizations, weight and spectral norm, fusion, stateless calls."""
import copy
import importlib

import numpy as np
import pytest
import tapegrad as tg
import torch
from test_rnn_parity import both, compare, numbers

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def utils(nn, name=""):
    lib = "tapegrad" if nn is tg.nn else "torch"
    return importlib.import_module(f"{lib}.nn.utils" + (f".{name}" if name else ""))


def close(a, b, tol=1e-10):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=tol, atol=tol)


def pair(lib):
    """Modules made for both libraries: x -> exp(x) with inverse, x -> 2 x, x -> (|x|, sign x) with inverse."""
    class Exp(lib.nn.Module):
        def forward(self, x):
            return x.exp()

        def right_inverse(self, y):
            return y.abs().log()

    class Twice(lib.nn.Module):
        def forward(self, x):
            return 2 * x

    class Parts(lib.nn.Module):
        def forward(self, size, sign):
            return size * sign

        def right_inverse(self, x):
            return x.abs(), x.sign()
    return Exp(), Twice(), Parts()


# ---- parametrize

@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1), (2, 1)])
def test_parametrized_layers(which):
    def make(nn):
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        for k in which:
            utils(nn, "parametrize").register_parametrization(net[0], "weight", pair(tg if nn is tg.nn else torch)[k])
        return net.double()
    ours, theirs = both(make)
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(5, 3)])
    for m, nn in ((ours, tg.nn), (theirs, torch.nn)):
        p = utils(nn, "parametrize")
        assert p.is_parametrized(m[0]) and p.is_parametrized(m[0], "weight") and not p.is_parametrized(m[0], "bias") and not p.is_parametrized(m)
        assert p.type_before_parametrizations(m[0]) is nn.Linear and type(m[0]).__name__ == "ParametrizedLinear"
        with p.cached():
            assert m[0].weight is m[0].weight
        assert m[0].weight is not m[0].weight
    a, b = copy.deepcopy(ours), copy.deepcopy(theirs)
    a[0].bias.data.zero_(), b[0].bias.data.zero_()
    compare(a, b, lambda m, lib, x: m(x), [numbers(5, 3)])
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(5, 3)])
    for leave in (True, False):
        if 2 in which and not leave:
            continue
        a, b = both(make)  # copies share a class in PyTorch, so theirs cannot be removed twice
        a = copy.deepcopy(a)
        utils(tg.nn, "parametrize").remove_parametrizations(a[0], "weight", leave)
        utils(torch.nn, "parametrize").remove_parametrizations(b[0], "weight", leave)
        assert type(a[0]) is tg.nn.Linear and list(a.state_dict()) == list(b.state_dict()) and isinstance(a[0].weight, tg.nn.Parameter)
        compare(a, b, lambda m, lib, x: m(x), [numbers(5, 3)])


def test_assigning_to_a_parametrized_weight():
    values = abs(numbers(4, 3))
    for k, tol in ((0, 1e-12), (2, 0)):
        got = []
        for lib in (tg, torch):
            layer = lib.nn.Linear(3, 4).double()
            original = layer.weight
            utils(lib.nn, "parametrize").register_parametrization(layer, "weight", pair(lib)[k])
            layer.weight = lib.from_numpy(values.copy())
            np.testing.assert_allclose(layer.weight.detach().numpy(), values, rtol=1e-12)
            got.append([v.numpy() for v in layer.state_dict().values()][1:])
            if k == 0:
                assert layer.parametrizations.weight.original is original  # an optimizer's parameter stays the same one
            with pytest.raises(AttributeError if lib is torch else (AttributeError, KeyError)):
                layer.no_such
        for a, b in zip(*got):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_parametrize_refusals():
    for lib in (tg, torch):
        p, (exp, twice, parts) = utils(lib.nn, "parametrize"), pair(lib)

        class Wide(lib.nn.Module):
            def forward(self, x):
                return x.double() if x.dim() == 1 else lib.cat([x, x])

        for name in ("weight", "bias"):
            layer = lib.nn.Linear(3, 4)
            with pytest.raises(ValueError):
                p.register_parametrization(layer, name, Wide())
            p.register_parametrization(layer, name, Wide(), unsafe=True)
        layer = lib.nn.Linear(3, 4)
        for bad in (lambda: p.register_parametrization(layer, "nothing", exp), lambda: p.remove_parametrizations(layer, "weight"),
                    lambda: p.ParametrizationList([], layer.weight)):
            with pytest.raises(ValueError):
                bad()
        p.register_parametrization(layer, "weight", parts)
        with pytest.raises(ValueError):
            p.remove_parametrizations(layer, "weight", leave_parametrized=False)
        p.register_parametrization(layer, "weight", twice)
        with pytest.raises(RuntimeError):
            layer.weight = lib.zeros(4, 3)
        with pytest.raises(RuntimeError):
            layer.__getstate__()


def test_sharing_parametrizations():
    for lib in (tg, torch):
        p = utils(lib.nn, "parametrize")
        a, b = lib.nn.Linear(3, 4), lib.nn.Linear(3, 4)
        for k in (0, 1):
            p.register_parametrization(a, "weight", pair(lib)[k])
        p.transfer_parametrizations_and_params(a, b)
        assert b.parametrizations.weight.original is a.parametrizations.weight.original and len(b.parametrizations.weight) == 2
        close(a.weight, b.weight)


# ---- norms

LAYERS = [(lambda nn: nn.Linear(3, 4), (5, 3)), (lambda nn: nn.Conv2d(2, 3, 2), (1, 2, 4, 4)), (lambda nn: nn.ConvTranspose1d(2, 3, 2), (1, 2, 4))]


@pytest.mark.parametrize("dim", [0, 1, -1, None])
@pytest.mark.parametrize("make,shape", LAYERS)
@pytest.mark.parametrize("where", ["parametrizations", ""])
def test_weight_norm(make, shape, dim, where):
    ours, theirs = both(lambda nn: utils(nn, where).weight_norm(make(nn).double(), dim=dim))
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(*shape)])
    if not where:
        for lib, m in ((tg, ours), (torch, theirs)):
            with pytest.raises(RuntimeError):
                utils(lib.nn).weight_norm(m)
            utils(lib.nn).remove_weight_norm(m)
            assert isinstance(m.weight, lib.nn.Parameter) and not m._forward_pre_hooks
            with pytest.raises(ValueError):
                utils(lib.nn).remove_weight_norm(m)
        assert sorted(ours.state_dict()) == sorted(theirs.state_dict()) == ["bias", "weight"]
        close(ours.weight, theirs.weight)


def test_weight_norm_reads_old_checkpoints():
    old = utils(tg.nn).weight_norm(tg.nn.Linear(3, 4))
    new = utils(tg.nn, "parametrizations").weight_norm(tg.nn.Linear(3, 4))
    new.load_state_dict(old.state_dict())
    x = tg.randn(2, 3)
    close(old(x), new(x))


@pytest.mark.parametrize("make,shape", LAYERS)
@pytest.mark.parametrize("where", ["parametrizations", ""])
def test_spectral_norm(make, shape, where):
    ours, theirs = both(lambda nn: utils(nn, where).spectral_norm(make(nn).double(), n_power_iterations=2))
    for _ in range(3):
        compare(ours, theirs, lambda m, lib, x: m(x), [numbers(*shape)], 1e-9)
    for (k, a), b in zip(ours.state_dict().items(), theirs.state_dict().values()):
        close(a, b, 1e-9)
    ours.eval(), theirs.eval()
    compare(ours, theirs, lambda m, lib, x: (m(x), m(x)), [numbers(*shape)], 1e-9)
    if not where:
        for lib, m in ((tg, ours), (torch, theirs)):
            utils(lib.nn).remove_spectral_norm(m)
            with pytest.raises(ValueError):
                utils(lib.nn).remove_spectral_norm(m)
        close(ours.weight, theirs.weight, 1e-9)
        for lib in (tg, torch):
            with pytest.raises(ValueError):
                utils(lib.nn).spectral_norm(lib.nn.Linear(2, 2), n_power_iterations=0)


def test_spectral_norm_of_a_vector_and_refusals():
    ours, theirs = both(lambda nn: utils(nn, "parametrizations").spectral_norm(nn.BatchNorm1d(4).double()))
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(5, 4)])
    for lib in (tg, torch):
        p = utils(lib.nn, "parametrizations")
        for bad, error in ((dict(dim=2), IndexError), (dict(n_power_iterations=0), ValueError), (dict(name="nothing"), ValueError)):
            with pytest.raises(error):
                p.spectral_norm(lib.nn.Linear(2, 2), **bad)


@pytest.mark.parametrize("trivial", [True, False])
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
def test_orthogonal(kind, shape, trivial):
    ours, theirs = both(lambda nn: utils(nn, "parametrizations").orthogonal(nn.Linear(*shape).double(), orthogonal_map=kind, use_trivialization=trivial))
    step = np.full((shape[1], shape[0]), 0.1)
    if kind == "householder":  # only what lies below the diagonal is free
        step = np.tril(step, -1) if shape[1] >= shape[0] else np.triu(step, 1)
    ours.parametrizations.weight.original.data.add_(tg.from_numpy(step.copy()))
    theirs.parametrizations.weight.original.data.add_(torch.from_numpy(step.copy()))
    close(ours.weight, theirs.weight, 1e-9)
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(2, shape[0])], 1e-8)
    w = ours.weight.detach().numpy()
    w = w if w.shape[0] >= w.shape[1] else w.T
    np.testing.assert_allclose(w.T @ w, np.eye(w.shape[1]), atol=1e-9)
    if trivial:
        q = np.linalg.qr(numbers(max(shape), min(shape)))[0]
        q = q if shape[1] >= shape[0] else q.T
        ours.weight = tg.from_numpy(np.ascontiguousarray(q))
        np.testing.assert_allclose(ours.weight.detach().numpy(), q, atol=1e-9)


def test_orthogonal_refusals():
    for lib in (tg, torch):
        p = utils(lib.nn, "parametrizations")
        for module, options in ((lib.nn.Linear(2, 2), dict(orthogonal_map="no")), (lib.nn.Linear(2, 2), dict(name="bias")), (lib.nn.Linear(2, 2), dict(name="x"))):
            with pytest.raises(ValueError):
                p.orthogonal(module, **options)


# ---- fusion

@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_fusion(affine, bias):
    def fill(net, lib):
        net.load_state_dict({k: lib.from_numpy(abs(numbers(*v.shape)) + 0.5) if v.is_floating_point() else v for k, v in net.state_dict().items()})
        return net.eval()
    for make, shape, fuse in ((lambda nn: nn.Sequential(nn.Conv2d(2, 3, 2, bias=bias), nn.BatchNorm2d(3, affine=affine)), (2, 2, 4, 4), "fuse_conv_bn_eval"),
                              (lambda nn: nn.Sequential(nn.ConvTranspose2d(2, 3, 2, bias=bias), nn.BatchNorm2d(3, affine=affine)), (2, 2, 4, 4), "fuse_conv_bn_eval"),
                              (lambda nn: nn.Sequential(nn.Linear(4, 3, bias=bias), nn.BatchNorm1d(3)), (5, 4), "fuse_linear_bn_eval")):
        x, results = numbers(*shape), []
        for lib in (tg, torch):
            net = fill(make(lib.nn).double(), lib)
            more = (True,) if isinstance(net[0], lib.nn.ConvTranspose2d) else ()
            fused = getattr(utils(lib.nn), fuse)(net[0], net[1], *more)
            close(fused(lib.from_numpy(x)), net(lib.from_numpy(x)))
            results.append((fused.weight.requires_grad, fused.weight.detach().numpy(), fused.bias.detach().numpy()))
        for a, b in zip(*results):
            np.testing.assert_allclose(a, b, rtol=1e-11)
    for lib in (tg, torch):
        with pytest.raises(AssertionError):
            utils(lib.nn).fuse_conv_bn_eval(lib.nn.Conv2d(2, 3, 1), lib.nn.BatchNorm2d(3))
        with pytest.raises(AssertionError):
            utils(lib.nn).fuse_linear_bn_eval(lib.nn.Linear(2, 3).eval(), lib.nn.BatchNorm1d(4).eval())


def test_skip_init_and_memory_formats():
    tg.manual_seed(3)
    a = tg.rand(3)
    tg.manual_seed(3)
    layer = utils(tg.nn).skip_init(tg.nn.Linear, 3, 4, bias=False)
    assert layer.weight.shape == (4, 3) and layer.bias is None and (tg.rand(3) == a).all()
    for bad in (3, dict):
        with pytest.raises(RuntimeError):
            utils(tg.nn).skip_init(bad)
    net = utils(tg.nn).convert_conv2d_weight_memory_format(tg.nn.Sequential(tg.nn.Conv2d(2, 3, 2), tg.nn.Conv1d(2, 3, 2)), tg.channels_last)
    assert net[0].weight.is_contiguous(memory_format=tg.channels_last) and net[0].weight.shape == (3, 2, 2, 2)


# ---- stateless

def test_functional_call():
    def make(nn):
        net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 3), nn.Linear(3, 4))
        net[3].weight = net[0].weight
        return net
    ours, theirs = both(make)
    for lib, net in ((tg, ours), (torch, theirs)):
        call, x = utils(lib.nn, "stateless").functional_call, lib.from_numpy(numbers(5, 3))
        before = {k: v.clone() for k, v in net.state_dict().items()}
        new = {k: v.detach().clone().requires_grad_(v.is_floating_point()) * 2 if v.is_floating_point() else v for k, v in net.named_parameters()}
        y = call(net, new, (x,))
        same = call(net, {k: v / 2 for k, v in new.items()}, x)
        close(same, net(x))
        assert y.grad_fn is not None and net[0].weight is net[3].weight
        buffers = {k: v.clone() for k, v in net.named_buffers()}
        call(net, {**new, **buffers}, (x,), strict=True)
        assert buffers["1.num_batches_tracked"] == before["1.num_batches_tracked"] + 4
        with pytest.raises(RuntimeError):
            call(net, {"0.weight": new["0.weight"]}, (x,), strict=True)
        with pytest.raises(ValueError):
            call(net, {"0.weight": new["0.weight"], "3.weight": new["0.weight"] + 1}, (x,))
        found = call(net, {"0.weight": new["0.weight"], "3.weight": new["0.weight"] + 1}, (x,), tie_weights=False)
        assert found.shape == (5, 4)
    with pytest.raises(RuntimeError, match="nothing"):
        utils(tg.nn, "stateless").functional_call(ours, {"nothing": tg.ones(1)}, x)
