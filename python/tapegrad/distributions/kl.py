"""Kullback-Leibler divergences in closed form, found by the classes of both distributions."""
import math

from .. import _C
from ..positional import broadcast_shapes
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exponential import Exponential
from .gamma import Gamma
from .gamma_sampler import lbeta
from .geometric import Geometric
from .gumbel import Gumbel
from .half_cauchy import HalfCauchy
from .half_normal import HalfNormal
from .independent import Independent
from .inverse_gamma import InverseGamma
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal, half_log_det, mahalanobis
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import euler_constant, sum_rightmost
from .weibull import Weibull

_FORMULAS = {}


def register_kl(type_p, type_q):
    """Decorator: f(p, q) is the divergence for these classes and their subclasses."""
    if not (isinstance(type_p, type) and issubclass(type_p, Distribution)):
        raise TypeError(f"Expected type_p to be a Distribution subclass but got {type_p}")
    if not (isinstance(type_q, type) and issubclass(type_q, Distribution)):
        raise TypeError(f"Expected type_q to be a Distribution subclass but got {type_q}")

    def register(f):
        _FORMULAS[type_p, type_q] = f
        return f
    return register


def kl_divergence(p, q):
    """∫ p log(p / q): NotImplementedError where no formula is registered for the two classes."""
    for a in type(p).__mro__:
        for b in type(q).__mro__:
            if f := _FORMULAS.get((a, b)):
                return f(p, q)
    raise NotImplementedError(f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}")


def _infinite(p, q):
    shape = broadcast_shapes(p.batch_shape, q.batch_shape)
    return _C.full(shape, math.inf)


def _trace_of(L, M):
    """Σ of the squares of L^-1 M: the trace of (L Lᵀ)^-1 M Mᵀ."""
    from .. import linalg
    return linalg.solve_triangular(L, M, upper=False).pow(2).sum((-2, -1))


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p, q):
    def term(a, b):  # a log(a / b), 0 for a = 0, infinite for b = 0
        out = a * (a / b).log()
        return _C.where(a == 0, 0.0, _C.where(b == 0, math.inf, out))
    return term(p.probs, q.probs) + term(1 - p.probs, 1 - q.probs)


@register_kl(Binomial, Binomial)
def _binomial(p, q):
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    out = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return _C.where(p.total_count > q.total_count, math.inf, out)


@register_kl(Categorical, Categorical)
def _categorical(p, q):
    out = p.probs * (p.logits - q.logits)
    out = _C.where((q.probs == 0).expand_as(out), math.inf, out)
    return _C.where((p.probs == 0).expand_as(out), 0.0, out).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p, q):
    return _categorical(p._categorical, q._categorical)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p, q):
    return p.mean * (p.logits - q.logits) + p._log_norm() + _C.log1p(-p.probs) - q._log_norm() - _C.log1p(-q.probs)


@register_kl(Geometric, Geometric)
def _geometric(p, q):
    return -p.entropy() - _C.log1p(-q.probs) / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Normal, Normal)
def _normal(p, q):
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p, q):
    return _normal(p.base_dist, q.base_dist)


@register_kl(HalfCauchy, HalfCauchy)
def _half_cauchy(p, q):
    return _cauchy(p.base_dist, q.base_dist)


@register_kl(InverseGamma, InverseGamma)
def _inverse_gamma(p, q):
    return _gamma(p, q)


@register_kl(Weibull, Weibull)
def _weibull(p, q):
    k, m = p.concentration, q.concentration
    return (k.log() - k * p.scale.log()) - (m.log() - m * q.scale.log()) + (k - m) * (p.scale.log() - euler_constant / k) \
        + (p.scale / q.scale).pow(m) * (m / k + 1).lgamma().exp() - 1


@register_kl(Laplace, Laplace)
def _laplace(p, q):
    d, ratio = (p.loc - q.loc).abs(), p.scale / q.scale
    return -ratio.log() + d / q.scale + ratio * _C.exp(-d / p.scale) - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p, q):
    return ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log() - (4 * p.scale * q.scale).log()


@register_kl(Exponential, Exponential)
def _exponential(p, q):
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma(p, q):
    a, b = p.concentration, q.concentration
    return b * (p.rate / q.rate).log() + _C.lgamma(b) - _C.lgamma(a) + (a - b) * _C.digamma(a) + (q.rate - p.rate) * (a / p.rate)


@register_kl(Exponential, Gamma)
def _exponential_gamma(p, q):
    ratio = q.rate / p.rate
    return -q.concentration * _C.log(ratio) + ratio + _C.lgamma(q.concentration) + q.concentration * euler_constant - (1 + euler_constant)


@register_kl(Beta, Beta)
def _beta(p, q):
    a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    return lbeta(c, d) - lbeta(a, b) + (a - c) * a.digamma() + (b - d) * b.digamma() + (c + d - a - b) * (a + b).digamma()


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p, q):
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    t = (a - b) * (a.digamma() - total.digamma().unsqueeze(-1))
    return total.lgamma() - b.sum(-1).lgamma() - a.lgamma().sum(-1) + b.lgamma().sum(-1) + t.sum(-1)


@register_kl(Gumbel, Gumbel)
def _gumbel(p, q):
    ratio = p.scale / q.scale
    loc = (q.loc - p.loc) / q.scale
    return -ratio.log() - loc + ratio * euler_constant + (loc + (1 + ratio).lgamma()).exp() - (1 + euler_constant)


@register_kl(Pareto, Pareto)
def _pareto(p, q):
    ratio = q.alpha / p.alpha
    out = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return _C.where(p.scale < q.scale, math.inf, out)


@register_kl(Uniform, Uniform)
def _uniform(p, q):
    out = ((q.high - q.low) / (p.high - p.low)).log()
    return _C.where((q.low > p.low) | (q.high < p.high), math.inf, out)


@register_kl(Uniform, Normal)
def _uniform_normal(p, q):
    width = p.high - p.low
    return 0.5 * (math.log(2 * math.pi) + 2 * q.scale.log() - 2 * width.log()
                  + (width.pow(2) / 12 + (p.mean - q.loc).pow(2)) / q.scale.pow(2))


@register_kl(Normal, Laplace)
def _normal_laplace(p, q):
    d = p.loc - q.loc
    s = d / p.scale
    fold = p.scale * math.sqrt(2 / math.pi) * _C.exp(-0.5 * s.pow(2)) + d * _C.erf(s / math.sqrt(2))
    return -p.entropy() + (2 * q.scale).log() + fold / q.scale


@register_kl(Laplace, Normal)
def _laplace_normal(p, q):
    return -p.entropy() + 0.5 * math.log(2 * math.pi) + q.scale.log() + (2 * p.scale.pow(2) + (p.loc - q.loc).pow(2)) / (2 * q.scale.pow(2))


@register_kl(Exponential, Normal)
def _exponential_normal(p, q):
    second = 2 / p.rate.pow(2) - 2 * q.loc / p.rate + q.loc.pow(2)
    return -p.entropy() + 0.5 * math.log(2 * math.pi) + q.scale.log() + second / (2 * q.scale.pow(2))


@register_kl(Normal, Gumbel)
def _normal_gumbel(p, q):
    mean, ratio = (p.loc - q.loc) / q.scale, (p.scale / q.scale).pow(2)
    return -p.entropy() + q.scale.log() + mean + (-mean + 0.5 * ratio).exp()


for _p in (Gamma, Beta, Gumbel, Pareto, ContinuousBernoulli):
    @register_kl(_p, Normal)
    def _moments_normal(p, q):
        second = p.variance + (p.mean - q.loc).pow(2)
        return -p.entropy() + 0.5 * math.log(2 * math.pi) + q.scale.log() + second / (2 * q.scale.pow(2))

for _p in (Gamma, Pareto, ContinuousBernoulli, Uniform):
    @register_kl(_p, Exponential)
    def _mean_exponential(p, q):
        out = -p.entropy() - q.rate.log() + q.rate * p.mean
        return _C.where(p.low < 0, math.inf, out) if isinstance(p, Uniform) else out

for _p in (Beta, ContinuousBernoulli):
    @register_kl(_p, Uniform)
    def _unit_uniform(p, q):
        out = -p.entropy() + (q.high - q.low).log()
        return _C.where((q.low > 0) | (q.high < 1), math.inf, out)


@register_kl(MultivariateNormal, MultivariateNormal)
def _mvn(p, q):
    if p.event_shape != q.event_shape:
        raise ValueError("KL-divergence between two Multivariate Normals with different event shapes cannot be computed")
    A, B = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    n = p.event_shape[0]
    shape = tuple(broadcast_shapes(A.shape[:-2], B.shape[:-2]))
    trace = _trace_of(B.expand(shape + (n, n)), A.expand(shape + (n, n)))
    return half_log_det(B) - half_log_det(A) + 0.5 * (trace + mahalanobis(B, q.loc - p.loc) - n)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _low_rank(p, q):
    return _mvn(_full(p), _full(q))


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _mvn_low_rank(p, q):
    return _mvn(p, _full(q))


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _low_rank_mvn(p, q):
    return _mvn(_full(p), q)


def _full(d):
    return MultivariateNormal(d.loc, scale_tril=d.scale_tril, validate_args=False)


@register_kl(Independent, Independent)
def _independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p, q):
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("KL between distributions with different transforms is not implemented")
    out = kl_divergence(p.base_dist, q.base_dist)
    return sum_rightmost(out, len(p.event_shape) - len(p.base_dist.event_shape))


def _mean_log(p):
    """E log x of a positive distribution."""
    if isinstance(p, Uniform):
        return (_C.xlogy(p.high, p.high) - _C.xlogy(p.low, p.low)) / (p.high - p.low) - 1
    if isinstance(p, Pareto):
        return p.scale.log() + p.alpha.reciprocal()
    return p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()  # Beta


def _mean_exp(p, t):
    """E exp(-t x)."""
    if isinstance(p, Uniform):
        return ((-t * p.low).exp() - (-t * p.high).exp()) / (t * (p.high - p.low))
    return (1 + t / p.rate) ** -getattr(p, "concentration", _C.ones_like(p.rate))  # Exponential, Gamma


def _outside(p, low, high):
    """Has p mass below low or above high?"""
    return (p.low < low) | (p.high > high) if isinstance(p, Uniform) else _C.zeros_like(p.mean, dtype=_C.bool)


for _p, _q in ((Beta, Exponential), (Beta, Gamma), (Uniform, Gamma), (Pareto, Gamma)):
    @register_kl(_p, _q)
    def _to_gamma(p, q):
        a = getattr(q, "concentration", _C.ones_like(q.rate))
        out = -p.entropy() - a * q.rate.log() + a.lgamma() - (a - 1) * _mean_log(p) + q.rate * p.mean
        return _C.where(_outside(p, 0, math.inf), math.inf, out)

for _p in (Uniform, Exponential, Gamma):
    @register_kl(_p, Gumbel)
    def _to_gumbel(p, q):
        t = q.scale.reciprocal()
        return -p.entropy() + q.scale.log() + (p.mean - q.loc) * t + (q.loc * t).exp() * _mean_exp(p, t)

for _p in (Uniform, Beta):
    @register_kl(_p, ContinuousBernoulli)
    def _to_continuous_bernoulli(p, q):
        out = -p.entropy() - p.mean * q.logits - _C.log1p(-q.probs) - q._log_norm()
        return _C.where(_outside(p, 0, 1), math.inf, out)


@register_kl(Uniform, Beta)
def _uniform_beta(p, q):
    flipped = Uniform(1 - p.high, 1 - p.low, validate_args=False)
    a, b = q.concentration1, q.concentration0
    out = -p.entropy() - (a - 1) * _mean_log(p) - (b - 1) * _mean_log(flipped) + lbeta(a, b)
    return _C.where(_outside(p, 0, 1), math.inf, out)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p, q):
    out = -p.entropy() - q.alpha.log() - q.alpha * q.scale.log() + (q.alpha + 1) * _mean_log(p)
    return _C.where(_outside(p, q.scale, math.inf), math.inf, out)


for _p, _qs in ((Poisson, (Bernoulli, Binomial)),
                (Normal, (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
                (Laplace, (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
                (Gumbel, (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
                (Exponential, (Beta, ContinuousBernoulli, Pareto, Uniform)), (Gamma, (Beta, ContinuousBernoulli, Pareto, Uniform)),
                (Pareto, (Beta, ContinuousBernoulli, Uniform)), (Beta, (Pareto,)), (ContinuousBernoulli, (Pareto,))):
    for _q in _qs:
        register_kl(_p, _q)(_infinite)  # p has mass where q has none


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p, q):
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)
