"""Every distribution with parameters and values: (name, arguments, values), nested lists that any library turns into tensors."""
import numpy as np

_r = np.random.RandomState(0)


def _positive(*shape):
    return _r.rand(*shape) * 2 + 0.3


def _unit(*shape):
    return _r.rand(*shape) * 0.8 + 0.1


def _simplex(*shape):
    a = _positive(*shape)
    return a / a.sum(-1, keepdims=True)


_real, _count = _r.randn, lambda *shape: _r.randint(0, 5, shape)
_one_hot = np.eye(3)[_r.randint(0, 3, (4, 2))]
CASES = [
    ("Normal", (_real(3), _positive(3)), _real(4, 3)), ("LogNormal", (_real(3), _positive(3) / 2), _positive(4, 3)),
    ("Laplace", (_real(3), _positive(3)), _real(4, 3)), ("Cauchy", (_real(3), _positive(3)), _real(4, 3)),
    ("HalfNormal", (_positive(3),), _positive(4, 3)), ("HalfCauchy", (_positive(3),), _positive(4, 3)),
    ("Uniform", (_real(3) - 3, _real(3) + 4), _unit(4, 3)), ("Exponential", (_positive(3),), _positive(4, 3)),
    ("Gumbel", (_real(3), _positive(3)), _real(4, 3)), ("Weibull", (_positive(3), _positive(3) + 1), _positive(4, 3)),
    ("Pareto", (_positive(3), _positive(3) + 5), _positive(4, 3) + 3), ("Kumaraswamy", (_positive(3), _positive(3)), _unit(4, 3)),
    ("Gamma", (_positive(3), _positive(3)), _positive(4, 3)), ("InverseGamma", (_positive(3) + 5, _positive(3)), _positive(4, 3)),
    ("Chi2", (_positive(3),), _positive(4, 3)), ("Dirichlet", (_positive(2, 3),), _simplex(4, 2, 3)), ("Beta", (_positive(3), _positive(3)), _unit(4, 3)),
    ("StudentT", (_positive(3) + 5, _real(3), _positive(3)), _real(4, 3)), ("FisherSnedecor", (_positive(3), _positive(3) + 9), _positive(4, 3)),
    ("VonMises", (_real(3), _positive(3)), _real(4, 3)), ("Bernoulli", (_unit(3),), _r.randint(0, 2, (4, 3))), ("Geometric", (_unit(3),), _count(4, 3)),
    ("Binomial", ([5, 5, 5], _unit(3)), _count(4, 3)), ("NegativeBinomial", ([5, 3, 2], _unit(3)), _count(4, 3)),
    ("ContinuousBernoulli", (np.array([0.2, 0.5, 0.9]),), _unit(4, 3)), ("Poisson", (_positive(3),), _count(4, 3)),
    ("Categorical", (_simplex(2, 3),), _r.randint(0, 3, (4, 2))), ("OneHotCategorical", (_simplex(2, 3),), _one_hot),
    ("OneHotCategoricalStraightThrough", (_simplex(2, 3),), _one_hot), ("Multinomial", (5, _simplex(2, 3)), np.array([[[5, 0, 0], [1, 2, 2]]] * 4)),
    ("LogisticNormal", (_real(2, 3), _positive(2, 3)), _simplex(4, 2, 4)), ("RelaxedBernoulli", (np.array(0.7), _unit(3)), _unit(4, 3)),
    ("RelaxedOneHotCategorical", (np.array(0.7), _simplex(2, 3)), _simplex(4, 2, 3)),
    ("MultivariateNormal", (_real(2, 3), np.array([[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 0.5]])), _real(4, 2, 3)),
    ("LowRankMultivariateNormal", (_real(2, 3), _real(3, 2), _positive(3)), _real(4, 2, 3)),
]


def build(lib, distributions, name, args, requires_grad=False):
    """(the distribution, its parameters as float64 tensors)."""
    tensors = [a if isinstance(a, int) else lib.tensor(np.asarray(a).tolist(), dtype=lib.float64) for a in args]
    for t in tensors if requires_grad else ():
        if isinstance(t, lib.Tensor):
            t.requires_grad_()
    return getattr(distributions, name)(*tensors), [t for t in tensors if isinstance(t, lib.Tensor)]
