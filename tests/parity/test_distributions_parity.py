"""tapegrad.distributions against torch.distributions: densities, moments, entropies, divergences, transforms, messages."""
import itertools
import warnings

import numpy as np
import pytest
import tapegrad as tg
import torch
import torch.distributions as T
from distribution_cases import CASES, build

D = tg.distributions
LIBS = ((tg, D), (torch, T))
IDS = [c[0] for c in CASES]
# PyTorch gives nan: at a concentration below 1 the mode is 0; its logarithm of Kumaraswamy's mode is of a negative number.
NO_FORMULA_HERE = {"Kumaraswamy-Kumaraswamy"}  # PyTorch's rule for equal transforms
MODES_OF_OUR_OWN = {"Kumaraswamy"}


@pytest.fixture(autouse=True)
def both_check_their_arguments():
    """PyTorch stops checking once its compiler is imported, which other tests cause."""
    T.Distribution.set_default_validate_args(True)


def numbers(t):
    return np.array(t.detach().tolist(), dtype=float)


def same(f, *args, rtol=1e-7):
    """f(library, distributions module) agrees, in shape and value; so do the errors. None where both raise."""
    out = []
    for lib, module in LIBS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out.append(f(lib, module))
        except (NotImplementedError, ValueError) as e:
            out.append(type(e))
    ours, theirs = out
    if isinstance(theirs, type):
        assert ours is theirs
    elif isinstance(theirs, torch.Tensor):
        assert tuple(ours.shape) == tuple(theirs.shape) and str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
        np.testing.assert_allclose(numbers(ours), numbers(theirs), rtol=rtol, atol=1e-9)
    else:
        assert ours == theirs


@pytest.mark.parametrize("name,args,values", CASES, ids=IDS)
def test_everything_but_draws(name, args, values):
    def value(lib):
        return lib.tensor(np.asarray(values).tolist(), dtype=lib.float64)

    def on(f):
        same(lambda lib, module: f(build(lib, module, name, args)[0], lib))
    on(lambda d, lib: d.log_prob(value(lib)))
    for what in ("mean", "mode", "variance", "stddev"):
        if what != "mode" or name not in MODES_OF_OUR_OWN:
            on(lambda d, lib: getattr(d, what))
    on(lambda d, lib: d.entropy())
    if name != "VonMises":
        on(lambda d, lib: d.cdf(value(lib)))
    on(lambda d, lib: d.icdf(lib.full((4, 3), 0.3, dtype=lib.float64)))
    on(lambda d, lib: d.enumerate_support())
    on(lambda d, lib: d.enumerate_support(expand=False))
    on(lambda d, lib: (tuple(d.batch_shape), tuple(d.event_shape), bool(d.has_rsample), bool(d.has_enumerate_support)))
    on(lambda d, lib: (d.support.event_dim, d.support.is_discrete))
    on(lambda d, lib: d.support.check(value(lib)))

    def wide(d):
        return d.expand((4,) + tuple(d.batch_shape))
    on(lambda d, lib: wide(d).log_prob(value(lib)))
    on(lambda d, lib: wide(d).mean)
    on(lambda d, lib: tuple(wide(d).sample((5, 2)).shape))
    on(lambda d, lib: str(d.sample().dtype).split(".")[1])
    on(lambda d, lib: d.log_prob(value(lib)[..., :2] if d.event_shape else -value(lib) - 0.5))  # not in the support


@pytest.mark.parametrize("name,args,values", CASES, ids=IDS)
def test_gradients_of_log_prob_and_entropy(name, args, values):
    def gradients(lib, module, f):
        d, parameters = build(lib, module, name, args, requires_grad=True)
        out = f(d, lib.tensor(np.asarray(values).tolist(), dtype=lib.float64)).sum()
        grads = lib.autograd.grad(out, parameters, allow_unused=True)
        return lib.cat([g.reshape(-1) for g in grads if g is not None])
    same(lambda lib, module: gradients(lib, module, lambda d, v: d.log_prob(v)), rtol=1e-6)
    if name not in ("HalfCauchy",):
        same(lambda lib, module: gradients(lib, module, lambda d, v: d.entropy()), rtol=1e-6)


def test_kl_of_every_pair():
    """The same pairs have a formula, but for those named above, which PyTorch alone has."""
    differ = []
    for (p, pa, _), (q, qa, _) in itertools.product(CASES, CASES):
        out = []
        for lib, module in LIBS:
            try:
                out.append(numbers(module.kl_divergence(build(lib, module, p, pa)[0], build(lib, module, q, qa)[0])))
            except (NotImplementedError, RuntimeError, ValueError):
                out.append(None)
        ours, theirs = out
        if (ours is None) != (theirs is None):
            differ.append(f"{p}-{q}")
        elif theirs is not None:
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9, err_msg=f"{p} {q}")
    assert set(differ) == NO_FORMULA_HERE


@pytest.mark.parametrize("q,parameters", [("Gamma", (1.3, 0.7)), ("Gumbel", (0.3, 1.2)), ("ContinuousBernoulli", (0.3,)), ("Beta", (1.4, 0.6)),
                                          ("Pareto", (0.1, 2.5)), ("Exponential", (0.7,)), ("Normal", (0.1, 2.0)), ("Uniform", (0.0, 1.0))])
def test_kl_of_a_uniform(q, parameters):
    """Inside the other's support, where it is finite."""
    def kl(lib, module):
        def tensors(*values):
            return [lib.tensor(v, dtype=lib.float64) for v in values]
        return module.kl_divergence(module.Uniform(*tensors([0.2, 0.1, -1.0], [0.9, 0.99, 3.0])), getattr(module, q)(*tensors(*parameters)))
    same(kl)


@pytest.mark.parametrize("a", [1e-3, 0.05, 0.3, 1.0, 1.5, 4.0, 30.0, 500.0, 1e5])
def test_slope_of_gamma_draws(a):
    """Against PyTorch's own gradient, an approximation good to about 1e-3."""
    from tapegrad.distributions.gamma_sampler import slope
    rng = np.random.RandomState(0)
    z = rng.gamma(a, size=40).clip(1e-30)
    ours = numbers(slope(tg.full((40,), a, dtype=tg.float64), tg.tensor(z.tolist(), dtype=tg.float64)))
    theirs = numbers(torch._standard_gamma_grad(torch.full((40,), a, dtype=torch.float64), torch.tensor(z)))
    np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-30)


TRANSFORMS = [("ExpTransform", ()), ("SigmoidTransform", ()), ("TanhTransform", ()), ("SoftplusTransform", ()), ("AffineTransform", (1.5, -2.0)),
              ("StickBreakingTransform", ()), ("SoftmaxTransform", ()), ("LowerCholeskyTransform", ()), ("AbsTransform", ()),
              ("CorrCholeskyTransform", ()), ("PowerTransform", (2.0,)), ("AffineTransform", (0.5, 2.0, 1))]


@pytest.mark.parametrize("name,args", TRANSFORMS, ids=lambda x: x if isinstance(x, str) else "")
def test_transforms(name, args):
    rng = np.random.RandomState(1)
    x = rng.rand(2, 3, 3) + 0.2 if name == "PowerTransform" else rng.randn(2, 3, 3)

    def at(f):
        same(lambda lib, module: f(getattr(module, name)(*args), lib.tensor(x.tolist(), dtype=lib.float64)), rtol=1e-6)
    at(lambda t, v: t(v))
    at(lambda t, v: t.inv(t(v)))
    at(lambda t, v: t.log_abs_det_jacobian(v, t(v)))
    at(lambda t, v: (t.domain.event_dim, t.codomain.event_dim, t.bijective, tuple(t.forward_shape(v.shape))))


def test_composed_and_registered_transforms():
    x = np.random.RandomState(2).randn(4, 3).tolist()

    def transformed(lib, module):
        base = module.Normal(lib.zeros(3, dtype=lib.float64), lib.ones(3, dtype=lib.float64))
        d = module.TransformedDistribution(base, [module.AffineTransform(1.0, 0.5), module.SigmoidTransform(), module.AffineTransform(0, 3.0)])
        y = 3 * lib.sigmoid(lib.tensor(x, dtype=lib.float64))
        return lib.stack([d.log_prob(y), d.cdf(y), d.icdf(d.cdf(y))])
    same(transformed)
    for what in ("positive", "unit_interval", "simplex", "real", "lower_cholesky"):
        same(lambda lib, module: module.transform_to(getattr(module.constraints, what))(lib.tensor([x[:3]], dtype=lib.float64)))
    same(lambda lib, module: module.biject_to(module.constraints.interval(-1.0, 2.0))(lib.tensor(x)), rtol=1e-5)


def test_mixture_and_independent():
    def parts(lib, module):
        w = lib.tensor([[0.2, 0.8], [0.5, 0.5]], dtype=lib.float64)
        loc = lib.tensor([[[0.0, 1.0], [2.0, -1.0]], [[1.0, 1.0], [0.5, 3.0]]], dtype=lib.float64)
        return module.MixtureSameFamily(module.Categorical(w), module.Independent(module.Normal(loc, lib.ones_like(loc)), 1))
    v = np.random.RandomState(3).randn(5, 2, 2).tolist()
    same(lambda lib, module: parts(lib, module).log_prob(lib.tensor(v, dtype=lib.float64)))
    same(lambda lib, module: parts(lib, module).mean)
    same(lambda lib, module: parts(lib, module).variance)
    same(lambda lib, module: tuple(parts(lib, module).sample((7,)).shape))
    same(lambda lib, module: parts(lib, module).component_distribution.entropy())


@pytest.mark.parametrize("make", [
    lambda lib, m: m.Normal(lib.tensor([0.0, float("nan")]), 1.0), lambda lib, m: m.Normal(0.0, -1.0), lambda lib, m: m.Bernoulli(1.5),
    lambda lib, m: m.Categorical(lib.tensor([-1.0, 2.0])), lambda lib, m: m.Bernoulli(), lambda lib, m: m.Categorical(lib.tensor(1.0)),
    lambda lib, m: m.Normal(0.0, 1.0).log_prob(1.0), lambda lib, m: m.Exponential(1.0).log_prob(lib.tensor(-1.0)),
    lambda lib, m: m.Normal(lib.zeros(3), lib.ones(3)).log_prob(lib.zeros(2)), lambda lib, m: m.Uniform(2.0, 1.0),
], ids=range(10))
def test_messages(make):
    texts = []
    for lib, module in LIBS:
        with pytest.raises(ValueError) as e:
            make(lib, module)
        texts.append(str(e.value).replace("tapegrad", "torch"))
    assert texts[0].split("\n")[0] == texts[1].split("\n")[0]
