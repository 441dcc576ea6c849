"""Random ops by statistics: each against the law it names, with fixed seeds, so that a passing test passes always. Then what holds
exactly: supports, edges, dtypes, layouts, threads, generators, errors."""
import copy
import functools
import math
import pickle

import numpy as np
import pytest
import tapegrad as tg
from tapegrad.nn import functional as F

from op_samples import FLOATS, Call, all_samples, function_of, load_rows, run

N = 40_000
INTS = ["uint8", "int8", "int16", "int32", "int64"]
STEP = {"float16": 2.0 ** -10, "bfloat16": 2.0 ** -7, "float32": 2.0 ** -23, "float64": 2.0 ** -52}  # between neighbours near 1


def dtype(name):
    return getattr(tg, name)


def numbers(t):
    return np.array(t.detach().double().flatten().tolist())


def kolmogorov(t, cdf):
    """The largest distance between the sample's distribution and the law's, in standard units: 1.95 is passed once in a thousand."""
    x = np.sort(numbers(t))
    n, p = len(x), np.vectorize(cdf)(x)
    return max((np.arange(1, n + 1) / n - p).max(), (p - np.arange(n) / n).max()) * math.sqrt(n)


def follows(t, cdf, name):
    # Rounding to a short dtype moves each value by up to half a step, and the sample's distribution by what the law has there.
    slack = 3 * STEP[name] * math.sqrt(t.numel())
    assert kolmogorov(t, cdf) < 1.95 + slack


def counted(t, expected):
    """{value: probability}: Pearson's chi squared, five standard deviations."""
    x = numbers(t)
    assert set(np.unique(x)) <= set(expected)
    chi = sum((np.sum(x == v) - len(x) * p) ** 2 / (len(x) * p) for v, p in expected.items())
    free = len(expected) - 1
    assert chi < free + 5 * math.sqrt(2 * max(free, 1)) + 5, (chi, free)


def uniform(a, b):
    return lambda x: min(max((x - a) / (b - a), 0), 1)


def normal(mean, std):
    return lambda x: 0.5 * math.erfc((mean - x) / (std * math.sqrt(2)))


def exponential(rate):
    return lambda x: 1 - math.exp(-rate * max(x, 0))


CONTINUOUS = {
    "rand": (lambda d: tg.rand(N, dtype=d), uniform(0, 1)),
    "rand_like": (lambda d: tg.rand_like(tg.empty(N // 4, 4, dtype=d)), uniform(0, 1)),
    "uniform_": (lambda d: tg.empty(N, dtype=d).uniform_(), uniform(0, 1)),
    "uniform_ wide": (lambda d: tg.empty(N, dtype=d).uniform_(-3, 5), uniform(-3, 5)),
    "randn": (lambda d: tg.randn(N, dtype=d), normal(0, 1)),
    "randn_like": (lambda d: tg.randn_like(tg.empty(2, N // 2, dtype=d)), normal(0, 1)),
    "normal_": (lambda d: tg.empty(N, dtype=d).normal_(0.5, 0.25), normal(0.5, 0.25)),
    "normal sizes": (lambda d: tg.normal(-0.5, 0.5, (N,), dtype=d), normal(-0.5, 0.5)),
    "normal tensors": (lambda d: tg.normal(tg.full((N, 1), -1.0, dtype=d), tg.full((1,), 0.5, dtype=d)), normal(-1, 0.5)),
    "normal mean": (lambda d: tg.normal(tg.zeros(N, dtype=d), 0.5), normal(0, 0.5)),
    "normal std": (lambda d: tg.normal(0.25, tg.full((N,), 0.5, dtype=d)), normal(0.25, 0.5)),
    "exponential_": (lambda d: tg.empty(N, dtype=d).exponential_(), exponential(1)),
    "exponential_ fast": (lambda d: tg.empty(N, dtype=d).exponential_(2.5), exponential(2.5)),
    "log_normal_": (lambda d: tg.empty(N, dtype=d).log_normal_(0.5, 0.25), lambda x: normal(0.5, 0.25)(math.log(x))),
    "cauchy_": (lambda d: tg.empty(N, dtype=d).cauchy_(0.5, 2).clamp(-1e4, 1e4), lambda x: 0.5 + math.atan((x - 0.5) / 2) / math.pi),
}


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("law", CONTINUOUS)
def test_continuous_laws(law, name):
    make, cdf = CONTINUOUS[law]
    tg.manual_seed(17)
    x = make(dtype(name))
    assert x.dtype == dtype(name) and not x.requires_grad
    follows(x, cdf, name)
    v = numbers(x)
    if law != "cauchy_":  # neighbours in the stream have nothing to do with each other, nor have their distances from the middle
        for w in (v, abs(v - np.median(v))):
            for lag in (1, 2, 3, 4):
                assert abs(np.corrcoef(w[:-lag], w[lag:])[0, 1]) < 5 / math.sqrt(N)
    assert not np.array_equal(v, numbers(make(dtype(name))))


def poisson(rate, top):
    p = {k: math.exp(k * math.log(rate) - rate - math.lgamma(k + 1)) for k in range(top)}
    return p


@pytest.mark.parametrize("name", FLOATS + INTS + ["bool"])
def test_whole_numbers(name):
    tg.manual_seed(5)
    d = dtype(name)
    if name == "bool":
        counted(tg.randint(0, 2, (N,), dtype=d), {0: 0.5, 1: 0.5})
        counted(tg.empty(N, dtype=d).random_(), {0: 0.5, 1: 0.5})
        return
    low = 0 if name == "uint8" else -7
    die = {k: 1 / 13 for k in range(low, low + 13)}
    counted(tg.randint(low, low + 13, (N,), dtype=d), die)
    counted(tg.randint_like(tg.empty(N, dtype=d), low, low + 13), die)
    counted(tg.empty(N, dtype=d).random_(low, low + 13), die)
    counted(tg.randint(13, (N,), dtype=d), {k: 1 / 13 for k in range(13)})
    counted(tg.randint_like(tg.empty(N, dtype=d), 13), {k: 1 / 13 for k in range(13)})
    counted(tg.empty(N, dtype=d).random_(13), {k: 1 / 13 for k in range(13)})
    top = {"float16": 2 ** 11, "bfloat16": 2 ** 8, "float32": 2 ** 24, "float64": 2 ** 53}.get(name) or tg.iinfo(d).max
    x = numbers(tg.empty(N, dtype=d).random_())
    assert x.min() >= 0 and x.max() <= top and (x == np.floor(x)).all() and abs(x.mean() / top - 0.5) < 0.01
    y = tg.empty(N, dtype=d).random_(3, None)
    assert y.min() >= 3 and y.max() > top / 2


def test_whole_numbers_over_wide_ranges():
    tg.manual_seed(6)
    for low, high in ((-2 ** 63, 2 ** 63 - 1), (0, 2 ** 40), (-2 ** 33, 2 ** 33), (0, 2 ** 32), (0, 2 ** 32 + 1), (2 ** 62, 2 ** 63 - 1)):
        x = tg.randint(low, high, (N,))
        assert x.min() >= low and x.max() < high
        assert max(abs((numbers(x) - low) / (high - low) - 0.5).mean() - 0.25, 0) < 0.01 and len(set(x.tolist())) > 0.99 * N
    assert tg.randint(5, 6, (9,)).tolist() == [5] * 9


@pytest.mark.parametrize("name", FLOATS)
def test_bernoulli_and_poisson(name):
    tg.manual_seed(9)
    d = dtype(name)
    for p in (0.25, 0.5, 0.8):
        exact = float(tg.tensor(p, dtype=d))
        counted(tg.bernoulli(tg.full((N,), p, dtype=d)), {0: 1 - exact, 1: exact})
        counted(tg.empty(N, dtype=d).bernoulli_(p), {0: 1 - p, 1: p})
        counted(tg.bernoulli(tg.empty(N, dtype=d), p), {0: 1 - p, 1: p})
    each = tg.linspace(0, 1, 5, dtype=d)
    x = tg.zeros(N // 4, 5, dtype=d).bernoulli_(each)
    for k in range(5):
        assert abs(numbers(x[:, k]).mean() - k / 4) < 0.02
    for rate in (0.5, 3.0, 40.0):  # the last by another method
        x = tg.poisson(tg.full((N,), rate, dtype=d))
        assert x.dtype == d
        law = poisson(rate, 200)
        likely = {k: p for k, p in law.items() if p * N > 5}
        y = numbers(x)
        counted(tg.tensor(y[np.isin(y, list(likely))]), {k: p / sum(likely.values()) for k, p in likely.items()})
        assert abs(y.mean() - rate) < 5 * math.sqrt(rate / N) and abs(y.var() / rate - 1) < 0.05
    assert tg.poisson(tg.zeros(9, dtype=d)).tolist() == [0] * 9


@pytest.mark.parametrize("name", INTS + ["bool"])
def test_bernoulli_into_whole_numbers(name):
    tg.manual_seed(10)
    counted(tg.empty(N, dtype=dtype(name)).bernoulli_(0.3), {0: 0.7, 1: 0.3})
    counted(tg.empty(N, dtype=dtype(name)).bernoulli_(tg.tensor(0.3)), {0: 0.7, 1: 0.3})


def test_geometric():
    tg.manual_seed(11)
    for name in FLOATS + ["int64", "uint8"]:
        x = numbers(tg.empty(N, dtype=dtype(name)).geometric_(0.4))
        counted(tg.tensor(x[x <= 10]), {k: 0.4 * 0.6 ** (k - 1) / (1 - 0.6 ** 10) for k in range(1, 11)})


@pytest.mark.parametrize("name", FLOATS)
def test_binomial(name):
    tg.manual_seed(18)
    d = dtype(name)
    for n, p in ((1, 0.25), (5, 0.5), (12, 0.875), (200, 0.25)):  # the last by another method
        x = tg.binomial(tg.full((N,), float(n), dtype=d), tg.full((), p, dtype=d))
        assert x.dtype == d
        y = numbers(x)
        law = {k: math.comb(n, k) * p ** k * (1 - p) ** (n - k) for k in range(n + 1)}
        likely = {k: q for k, q in law.items() if q * N > 5}
        counted(tg.tensor(y[np.isin(y, list(likely))]), {k: q / sum(likely.values()) for k, q in likely.items()})
        assert y.min() >= 0 and y.max() <= n and abs(y.mean() - n * p) < 5 * math.sqrt(n * p * (1 - p) / N)
    edges = tg.binomial(tg.tensor([0.0, 7.0, 7.0, 100.0, 100.0], dtype=d), tg.tensor([0.5, 0.0, 1.0, 0.0, 1.0], dtype=d))
    assert edges.tolist() == [0, 0, 7, 0, 100]


@pytest.mark.parametrize("n", [5, 3000])  # sorted in two ways
def test_randperm(n):
    tg.manual_seed(12)
    for d in (tg.int64, tg.int32, tg.int16, tg.float32, tg.float64):
        p = tg.randperm(n, dtype=d)
        assert p.dtype == d and sorted(p.tolist()) == list(range(n))
    times = 4000 if n == 5 else 60
    at = np.array([tg.randperm(n).tolist() for _ in range(times)])
    if n == 5:
        for k in range(5):
            counted(tg.tensor(at[:, k]), {v: 0.2 for v in range(5)})
            counted(tg.tensor(np.argsort(at, 1)[:, k]), {v: 0.2 for v in range(5)})
        counted(tg.tensor(at[:, 0] * 5 + at[:, 1]), {a * 5 + b: 0.05 for a in range(5) for b in range(5) if a != b})
    else:
        assert abs((at == np.arange(n)).sum() / times - 1) < 0.7  # one number stays in its place on average
        assert abs(np.corrcoef(at.ravel(), np.tile(np.arange(n), times))[0, 1]) < 5 / math.sqrt(n * times)
    assert tg.randperm(0).shape == (0,) and tg.randperm(1).tolist() == [0] and tg.randperm(256, dtype=tg.uint8).dtype == tg.uint8


@pytest.mark.parametrize("name", FLOATS)
def test_multinomial(name):
    tg.manual_seed(13)
    w = tg.tensor([1.0, 0.0, 2.0, 4.0, 1.0], dtype=dtype(name))
    law = {0: 1 / 8, 2: 2 / 8, 3: 4 / 8, 4: 1 / 8}
    x = tg.multinomial(w, N, replacement=True)
    assert x.dtype == tg.int64
    counted(x, law)
    rows = tg.multinomial(w.expand(N // 4, 5), 2)
    counted(rows[:, 0], law)
    first, second = rows.t().tolist()
    assert all(a != b for a, b in zip(first, second))
    pairs = {a * 5 + b: pa * pb / (1 - pa) for a, pa in law.items() for b, pb in law.items() if a != b}  # drawn one after the other
    counted(rows[:, 0] * 5 + rows[:, 1], pairs)
    assert sorted(tg.multinomial(w, 4).tolist()) == [0, 2, 3, 4]
    both = tg.multinomial(tg.tensor([[1.0, 0.0], [0.0, 3.0]], dtype=dtype(name)), 6, True)
    assert both.tolist() == [[0] * 6, [1] * 6]


DROPOUTS = {"dropout": F.dropout, "feature_dropout": lambda x, p, on: tg.feature_dropout(x, p, on), "dropout1d": F.dropout1d, "dropout2d": F.dropout2d,
            "alpha_dropout": F.alpha_dropout}


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("which", DROPOUTS)
def test_dropout(which, name):
    tg.manual_seed(14)
    f, p = DROPOUTS[which], 0.3
    shape = {"dropout": (N,), "alpha_dropout": (N,), "feature_dropout": (100, 400, 2), "dropout1d": (100, 400, 3), "dropout2d": (50, 400, 2, 2)}[which]
    x = tg.ones(shape, dtype=dtype(name), requires_grad=True)
    y = f(x, p, True)
    y.sum().backward()
    assert y.dtype == x.dtype
    if which == "alpha_dropout":
        z = numbers(f(tg.randn(N, dtype=dtype(name)), p, True))
        assert abs(z.mean()) < 0.03 and abs(z.var() - 1) < 0.05 and len(np.unique(numbers(y))) == 2
        return
    flat = y.detach().double().reshape(-1, math.prod(shape[2:]) if len(shape) > 2 else 1)
    assert (flat == flat[:, :1]).all()  # a channel as a whole
    kept = flat[:, 0] != 0
    counted(kept, {0: p, 1: 1 - p})
    assert abs(float(flat.max()) - 1 / (1 - p)) < 2 * STEP[name] * 2
    assert x.grad.tolist() == y.tolist()
    assert f(x, p, False).tolist() == x.tolist() and f(x, 0.0, True).tolist() == x.tolist() and not f(x, 1.0, True).any()


def test_rrelu_and_gumbel_softmax():
    tg.manual_seed(15)
    x = tg.full((N,), -1.0, requires_grad=True)
    y = F.rrelu(x, 0.1, 0.3, training=True)
    follows(-y, uniform(0.1, 0.3), "float32")
    y.sum().backward()
    assert (x.grad == -y).all() and F.rrelu(tg.ones(5), training=True).tolist() == [1] * 5
    logits = tg.tensor([1.0, 2.0, 4.0]).log().expand(N, 3)
    hard = F.gumbel_softmax(logits, tau=0.5, hard=True)
    assert (hard.sum(1) == 1).all()
    counted(hard.argmax(1), {0: 1 / 7, 1: 2 / 7, 2: 4 / 7})
    soft = F.gumbel_softmax(logits, tau=0.5)
    assert tg.allclose(soft.sum(1), tg.ones(N)) and bool(soft.isfinite().all())
    counted(soft.argmax(1), {0: 1 / 7, 1: 2 / 7, 2: 4 / 7})


# ---- what holds exactly

@pytest.mark.parametrize("name", FLOATS)
def test_supports(name):
    """[0, 1), [from, to), (0, inf): no rounding leads out of them."""
    d = dtype(name)
    tg.manual_seed(16)
    for _ in range(4):
        x = tg.rand(250_000, dtype=d)
        assert x.min() >= 0 and x.max() < 1
        for a, b in ((1, 2), (-2, -1), (-1, 0), (1000, 1008), (-3, 1e-3)):
            x = tg.empty(100_000, dtype=d).uniform_(a, b)
            assert x.min() >= a and x.max() < b, (a, b)
        x = tg.empty(250_000, dtype=d).exponential_()
        assert x.min() > 0 and bool(x.isfinite().all())
    assert bool(tg.randn(250_000, dtype=d).isfinite().all())


def generator_at(seed, counter):
    g = tg.Generator()
    g.set_state(tg.tensor(list(seed.to_bytes(8, "little") + counter.to_bytes(8, "little")), dtype=tg.uint8))
    return g


@pytest.mark.parametrize("name", FLOATS)
def test_the_smallest_and_largest_words(name):
    """Seed 0 has a word whose upper 24 bits are all 0 at element 59,535,980 of the stream, and all 1 at 9,320,226."""
    d, per = dtype(name), 2 if name == "float64" else 4
    for at in (59_535_980, 9_320_226):
        def draw(f, at=at):
            return f(tg.empty(per, dtype=d), generator_at(0, at // 4))[at % 4 * per // 4]
        u, e = draw(lambda x, g: x.uniform_(generator=g)), draw(lambda x, g: x.exponential_(generator=g))
        assert u < 1e-6 if at == 59_535_980 else u > 0.99
        assert 0 <= u < 1 and 0 < e < 40
        assert 1 <= draw(lambda x, g: x.uniform_(1, 2, generator=g)) < 2
        assert draw(lambda x, g: x.normal_(generator=g)).isfinite()
        assert draw(lambda x, g: x.fill_(1).bernoulli_(1.0, generator=g)) == 1 and draw(lambda x, g: x.fill_(1).bernoulli_(0.0, generator=g)) == 0
        assert 0 <= draw(lambda x, g: x.random_(0, 200, generator=g)) < 200


def test_edges():
    tg.manual_seed(1)
    x = tg.empty(1000)
    assert x.normal_(2.5, 0).tolist() == [2.5] * 1000 and x.uniform_(3, 3).tolist() == [3] * 1000
    assert not x.bernoulli_(0).any() and x.bernoulli_(1).all() and not tg.bernoulli(tg.zeros(100)).any() and tg.bernoulli(tg.ones(100)).all()
    assert tg.normal(tg.arange(3.0), tg.zeros(3)).tolist() == [0, 1, 2] and x.random_(4, 5).tolist() == [4] * 1000
    for shape in ((0,), (3, 0), ()):
        for y in (tg.rand(shape), tg.randn(shape), tg.randint(3, shape), tg.rand_like(tg.empty(shape)), tg.bernoulli(tg.full(shape, 0.5)), tg.poisson(tg.ones(shape)),
                  tg.empty(shape).uniform_(), tg.empty(shape).normal_(), tg.empty(shape).exponential_(), tg.empty(shape).random_(), F.dropout(tg.ones(shape), 0.5)):
            assert tuple(y.shape) == shape
    assert tg.multinomial(tg.tensor([0.0, 1e-30, 0.0]), 5, True).tolist() == [1] * 5 and tg.multinomial(tg.ones(0, 3), 2).shape == (0, 2)
    assert tg.rand(2, requires_grad=True).requires_grad and tg.rand(2, requires_grad=True).is_leaf


def test_gradients_are_zero():
    x = tg.rand(5, requires_grad=True)
    for y in (tg.bernoulli(x), tg.poisson(x), tg.normal(x, 1.0), (x * 1).uniform_(), (x * 1).normal_(), (x * 1).bernoulli_(0.5), (x * 1).exponential_(),
              (x * 1).log_normal_(), (x * 1).geometric_(0.5), (x * 1).cauchy_(), tg.binomial(x.round(), x)):
        x.grad = None
        y.sum().backward()
        assert x.grad.tolist() == [0] * 5
    for change in (lambda: x.uniform_(), lambda: x.normal_(), lambda: x.bernoulli_(0.5), lambda: x.exponential_(), lambda: x.random_(), lambda: x.geometric_(0.5), lambda: x.cauchy_()):
        with pytest.raises(RuntimeError, match="leaf"):
            change()
    version = x._version
    with tg.no_grad():
        x.uniform_()
    assert x._version > version


M = 70_001
DRAWS = {
    "rand": lambda g: tg.rand(M, generator=g), "rand float64": lambda g: tg.rand(M, dtype=tg.float64, generator=g), "rand bfloat16": lambda g: tg.rand(M, dtype=tg.bfloat16, generator=g),
    "randn": lambda g: tg.randn(M, generator=g), "randn float64": lambda g: tg.randn(M, dtype=tg.float64, generator=g), "randint": lambda g: tg.randint(-5, 1000, (M,), generator=g),
    "randint wide": lambda g: tg.randint(0, 2 ** 40, (M,), generator=g), "randperm": lambda g: tg.randperm(M, generator=g), "randperm short": lambda g: tg.randperm(500, generator=g),
    "bernoulli": lambda g: tg.bernoulli(tg.full((M,), 0.3), generator=g), "multinomial": lambda g: tg.multinomial(tg.ones(500, 40), 7, generator=g),
    "multinomial again": lambda g: tg.multinomial(tg.ones(500, 40), 70, True, generator=g), "poisson": lambda g: tg.poisson(tg.full((M,), 20.0), generator=g),
    "normal": lambda g: tg.normal(tg.zeros(M), 2.0, generator=g), "uniform_": lambda g: tg.empty(M).uniform_(-1, 1, generator=g), "normal_": lambda g: tg.empty(M).normal_(generator=g),
    "exponential_": lambda g: tg.empty(M).exponential_(generator=g), "random_": lambda g: tg.empty(M, dtype=tg.int32).random_(generator=g),
    "bernoulli_": lambda g: tg.empty(M).bernoulli_(0.4, generator=g), "binomial": lambda g: tg.binomial(tg.full((M,), 60.0), tg.full((M,), 0.3), generator=g),
    "cauchy_": lambda g: tg.empty(M).cauchy_(generator=g), "log_normal_": lambda g: tg.empty(M).log_normal_(generator=g), "geometric_": lambda g: tg.empty(M).geometric_(0.2, generator=g),
}


@pytest.fixture
def pool_size():
    n = tg.get_num_threads()
    yield
    tg.set_num_threads(n)


@pytest.mark.parametrize("name", DRAWS)
def test_generators(name, pool_size):
    """Same seed, same bits, for any number of threads; the default generator is left alone; the state goes back and forth."""
    draw, default = DRAWS[name], tg.get_rng_state()
    results = []
    for threads in (1, 2, 4):
        tg.set_num_threads(threads)
        results.append(draw(tg.Generator().manual_seed(3)).numpy().tobytes() if "bfloat16" not in name else draw(tg.Generator().manual_seed(3)).float().numpy().tobytes())
    assert results[0] == results[1] == results[2]
    assert tg.get_rng_state().tolist() == default.tolist()
    g = tg.Generator().manual_seed(3)
    first, state = draw(g).tolist(), g.get_state()
    second = draw(g).tolist()
    assert first != second
    other = tg.Generator()
    other.set_state(state)
    assert draw(other).tolist() == second
    g.set_state(state)
    assert draw(g).tolist() == second and g.initial_seed() == 3
    assert draw(tg.Generator().manual_seed(4)).tolist() != first
    tg.manual_seed(3)
    assert draw(None).tolist() == first
    tg.set_rng_state(default)


@pytest.mark.parametrize("name", ["uniform_", "normal_", "exponential_", "random_", "bernoulli_", "log_normal_", "cauchy_"])
def test_layout_does_not_matter(name):
    def draw(x):
        getattr(x, name)(generator=tg.Generator().manual_seed(8))
        return x.tolist()
    wanted = draw(tg.empty(30, 40))
    assert draw(tg.empty(40, 30).t()) == wanted and draw(tg.empty(60, 80)[::2, ::2]) == wanted
    whole = tg.zeros(5, 8)
    whole[1:3, ::2].uniform_(1, 2)
    assert (whole != 0).sum() == 8
    with pytest.raises(RuntimeError):
        getattr(tg.zeros(1).expand(3), name)()


def test_seeds():
    g = tg.Generator()
    assert g.initial_seed() == 67280421310721 and g.manual_seed(-1) is g and g.initial_seed() in (2 ** 64 - 1, -1)
    seeds = {g.seed() for _ in range(8)}
    assert len(seeds) == 8 and g.initial_seed() in seeds
    for wrong in (2 ** 64, -2 ** 64, 1.5, "x", None):
        with pytest.raises((RuntimeError, TypeError, ValueError, OverflowError)):
            g.manual_seed(wrong)
    for wrong in (tg.zeros(16), tg.zeros(3, dtype=tg.uint8), [1] * 16, None):
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            g.set_state(wrong)
    with pytest.raises(TypeError):
        tg.rand(3, generator=3)


ERRORS = {
    "rand of an integer dtype": (lambda: tg.rand(3, dtype=tg.int64), "rand.*int64"), "randn of bool": (lambda: tg.randn(3, dtype=tg.bool), "randn.*bool"),
    "negative size": (lambda: tg.rand(-1), "rand"), "huge size": (lambda: tg.randn(2 ** 60), "randn"), "uniform_ on integers": (lambda: tg.zeros(3, dtype=tg.int32).uniform_(), "uniform_.*int32"),
    "uniform_ backwards": (lambda: tg.zeros(3).uniform_(2, 1), "uniform_.*2.*1"), "normal_ on integers": (lambda: tg.zeros(3, dtype=tg.int32).normal_(), "normal_.*int32"),
    "normal_ of a negative std": (lambda: tg.zeros(3).normal_(0, -1), "normal_.*std.*-1"), "normal of a negative std": (lambda: tg.normal(0.0, tg.tensor([1.0, -1.0])), "normal.*std"),
    "normal of shapes": (lambda: tg.normal(tg.zeros(2), tg.ones(3)), "normal"), "exponential_ rate": (lambda: tg.zeros(3).exponential_(0), "exponential_.*lambd"),
    "exponential_ on integers": (lambda: tg.zeros(3, dtype=tg.int64).exponential_(), "exponential_.*int64"), "randint empty range": (lambda: tg.randint(3, 3, (2,)), "randint.*3"),
    "randint beyond the dtype": (lambda: tg.randint(0, 300, (2,), dtype=tg.uint8), "randint.*300"), "randint_like": (lambda: tg.randint_like(tg.zeros(2), 5, 2), "randint.*5"),
    "random_ empty": (lambda: tg.zeros(2).random_(5, 5), "random_.*5"), "random_ beyond": (lambda: tg.zeros(2, dtype=tg.int8).random_(0, 1000), "random_.*1000"),
    "randperm": (lambda: tg.randperm(-1), "randperm.*-1"), "randperm beyond the dtype": (lambda: tg.randperm(300, dtype=tg.uint8), "randperm.*300"),
    "randperm huge": (lambda: tg.randperm(2 ** 40), "randperm"), "bernoulli above 1": (lambda: tg.bernoulli(tg.tensor([0.5, 1.5])), "bernoulli.*between 0 and 1"),
    "bernoulli nan": (lambda: tg.bernoulli(tg.tensor([math.nan])), "bernoulli"), "bernoulli of integers": (lambda: tg.bernoulli(tg.ones(2, dtype=tg.int64)), "bernoulli.*int64"),
    "bernoulli_ p": (lambda: tg.zeros(2).bernoulli_(-0.1), "bernoulli_.*-0.1"), "bernoulli_ shapes": (lambda: tg.zeros(2).bernoulli_(tg.ones(3)), "bernoulli_"),
    "poisson below 0": (lambda: tg.poisson(tg.tensor([-1.0])), "poisson.*-1"), "poisson inf": (lambda: tg.poisson(tg.tensor([math.inf])), "poisson"),
    "multinomial dims": (lambda: tg.multinomial(tg.ones(2, 2, 2), 1), "multinomial.*dimensions"), "multinomial too many": (lambda: tg.multinomial(tg.ones(3), 4), "multinomial.*4 of 3"),
    "multinomial too few positive": (lambda: tg.multinomial(tg.tensor([1.0, 0.0]), 2), "multinomial.*2 of 1"), "multinomial zeros": (lambda: tg.multinomial(tg.zeros(3), 1), "multinomial.*zero"),
    "multinomial negative": (lambda: tg.multinomial(tg.tensor([1.0, -1.0]), 1), "multinomial.*-1"), "multinomial nan": (lambda: tg.multinomial(tg.tensor([math.nan]), 1), "multinomial"),
    "multinomial none": (lambda: tg.multinomial(tg.ones(3), 0), "multinomial.*num_samples"), "multinomial no categories": (lambda: tg.multinomial(tg.ones(2, 0), 1), "multinomial"),
    "cauchy_": (lambda: tg.zeros(3).cauchy_(0, 0), "cauchy_.*sigma"), "log_normal_": (lambda: tg.zeros(3).log_normal_(0, -1), "log_normal_.*std"), "geometric_": (lambda: tg.zeros(3).geometric_(1.5), "geometric_.*1.5"),
    "binomial p": (lambda: tg.binomial(tg.ones(2), tg.tensor([0.5, 1.5])), "binomial.*1.5"), "binomial count": (lambda: tg.binomial(tg.tensor([1.5]), tg.ones(1)), "binomial.*1.5"),
    "dropout p": (lambda: F.dropout(tg.ones(3), 1.5), "dropout.*1.5"), "dropout of integers": (lambda: tg.dropout(tg.ones(3, dtype=tg.int64), 0.5, True), "dropout.*int64"),
}


@pytest.mark.parametrize("what", ERRORS)
def test_errors(what):
    call, text = ERRORS[what]
    state = tg.get_rng_state().tolist()
    with pytest.raises((RuntimeError, ValueError, TypeError, MemoryError), match=f"(?s){text}"):
        call()
    assert tg.get_rng_state().tolist() == state  # an error draws nothing


SAMPLES = [s for s in all_samples(load_rows(tg._C.op_table())) if "Generator" in s.row["signature"] and "generator" not in s.text]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.id)
def test_every_op_takes_a_generator(sample):
    """Whatever new op is written: same seed, same values, and the default generator stays where it is."""
    results, state = [], tg.get_rng_state().tolist()
    for _ in range(2):
        draw = functools.partial(function_of(tg, sample.row), generator=tg.Generator().manual_seed(21))
        results.append(run(draw, sample, Call(tg, sample.tree(), requires_grad=False)).tolist())
    assert results[0] == results[1] and tg.get_rng_state().tolist() == state


def test_generators_are_copied_and_pickled():
    g = tg.Generator()
    g.manual_seed(5)
    tg.rand(3, generator=g)
    copies = [copy.deepcopy(g), copy.copy(g), pickle.loads(pickle.dumps(g))]
    expected = tg.rand(4, generator=g).tolist()
    assert all(tg.rand(4, generator=c).tolist() == expected and c.initial_seed() == 5 for c in copies)
    sampler = copy.deepcopy(tg.utils.data.RandomSampler(range(20), generator=g))
    assert list(sampler) == list(tg.utils.data.RandomSampler(range(20), generator=g))
