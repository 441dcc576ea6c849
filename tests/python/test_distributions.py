"""Draws: moments and the distribution function of every distribution; pathwise gradients of gamma draws."""
import math

import numpy as np
import pytest
import tapegrad as tg
from distribution_cases import CASES, build

D = tg.distributions


@pytest.mark.parametrize("name,args,values", CASES, ids=[c[0] for c in CASES])
def test_draws_have_the_moments(name, args, values):
    tg.manual_seed(0)
    d, _ = build(tg, D, name, args)
    n = 20000
    x = d.sample((n,))
    assert tuple(x.shape) == (n,) + tuple(d.batch_shape) + tuple(d.event_shape) and x.dtype == (tg.int64 if name == "Categorical" else tg.float64)
    assert d.support.check(x).all()
    try:
        mean, variance = d.mean, d.variance
    except (NotImplementedError, AttributeError):
        return
    if name in ("Cauchy", "HalfCauchy", "Categorical", "VonMises"):
        return
    z = (x.mean(0) - mean) / (variance / n).sqrt()
    assert z.abs().max() < 5
    assert (x.var(0) / variance - 1).abs().max() < 0.25


@pytest.mark.parametrize("name", ["Normal", "Laplace", "Cauchy", "Exponential", "Gumbel", "Weibull", "Pareto", "Kumaraswamy", "HalfNormal", "HalfCauchy",
                                  "Uniform", "LogNormal", "ContinuousBernoulli"])
def test_draws_follow_the_distribution_function(name):
    """Kolmogorov and Smirnov: the greatest distance is below 1.95 / sqrt(n) at the level 0.001."""
    tg.manual_seed(1)
    args = next(a for n, a, _ in CASES if n == name)
    d, _ = build(tg, D, name, args)
    n = 4000
    u = np.sort(np.array(d.cdf(d.sample((n,))).tolist()), axis=0)
    steps = np.arange(1, n + 1)[:, None] / n
    assert np.maximum(steps - u, u - steps + 1 / n).max() < 1.95 / math.sqrt(n)
    q = tg.full((3,), 0.37, dtype=tg.float64)
    assert tg.allclose(d.cdf(d.icdf(q)), q)


def test_gamma_draws_for_all_shapes_of_concentration():
    tg.manual_seed(2)
    a = tg.tensor([1e-2, 0.3, 1.0, 7.0, 400.0], dtype=tg.float64)
    x = D.Gamma(a, 2.0).sample((40000,))
    assert ((x.mean(0) - a / 2).abs() < 5 * (a / 4 / 40000).sqrt()).all()
    assert (D.Gamma(a.float(), 2.0).sample((1000,)) > 0).all()


def test_pathwise_gradients():
    """d/da E f(x) by rsample agrees with the derivative of the known expectation."""
    tg.manual_seed(3)
    for make, f, expected in ((lambda a: D.Gamma(a, 1.0), lambda x: x ** 2, lambda a: 2 * a + 1), (lambda a: D.Beta(a, 2.0), lambda x: x, lambda a: 2 / (a + 2) ** 2),
                              (lambda a: D.Chi2(a), lambda x: x, lambda a: tg.ones_like(a)), (lambda a: D.Dirichlet(tg.stack([a, tg.ones_like(a)], -1)), lambda x: x[..., 0], lambda a: 1 / (a + 1) ** 2)):
        a = tg.tensor([0.4, 1.3, 6.0], dtype=tg.float64, requires_grad=True)
        f(make(a).rsample((20000,))).mean(0).sum().backward()
        assert tg.allclose(a.grad, expected(a.detach()), rtol=0.08)


def test_rsample_reaches_the_parameters():
    for name, args, _ in CASES:
        d, parameters = build(tg, D, name, args, requires_grad=True)
        if d.has_rsample:
            x = d.rsample((2,))
            assert x.requires_grad
            grads = tg.autograd.grad(x.square().sum(), parameters, allow_unused=True)
            assert any(g is not None and g.isfinite().all() for g in grads), name
            assert not d.sample().requires_grad
        else:
            with pytest.raises(NotImplementedError):
                d.rsample()


def test_cached_transforms_and_own_formulas():
    t = D.ExpTransform(cache_size=1)
    x = tg.randn(3)
    assert t.inv(t(x)) is x

    class Mine(D.Normal):
        pass

    @D.register_kl(Mine, Mine)
    def formula(p, q):
        return p.loc * 0 + 7
    assert D.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)).item() == 7
    with pytest.raises(NotImplementedError, match="Poisson and q type Normal"):
        D.kl_divergence(D.Poisson(1.0), D.Normal(0.0, 1.0))
