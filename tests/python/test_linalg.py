"""Linear algebra beyond the table's small samples: big and empty matrices, reconstructions, errors, threads, invariant gradients."""
import numpy as np
import pytest
import tapegrad as tg
from tapegrad import linalg

DTYPES = [tg.float32, tg.float64]


def normal(*shape, dtype=tg.float64, seed=0, grad=False):
    return tg.from_numpy(np.random.default_rng(seed).standard_normal(shape)).to(dtype).requires_grad_(grad)


def symmetric(*shape, **kw):
    x = normal(*shape, shape[-1], **kw)
    return x + x.mT


def definite(*shape, dtype=tg.float64):
    x = normal(*shape, shape[-1], dtype=dtype)
    return x @ x.mT + shape[-1] * tg.eye(shape[-1], dtype=dtype)


def close(a, b, dtype=tg.float64, factor=1.0):
    tolerance = factor * (1e-10 if dtype == tg.float64 else 2e-3)
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=tolerance, atol=tolerance)


# ---- factors multiply to the matrix, also where the algorithms work in blocks

@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (47, 49), (48, 48), (130, 130), (200, 70), (70, 200), (3, 2, 60, 50)], ids=str)
def test_reconstruction(shape, dtype):
    a = normal(*shape, dtype=dtype)
    p, low, up = linalg.lu(a)
    close(p @ low @ up, a, dtype)
    q, r = linalg.qr(a)
    close(q @ r, a, dtype)
    close(q.mT @ q, tg.eye(q.shape[-1], dtype=dtype).expand(*q.shape[:-2], -1, -1), dtype)
    q, r = linalg.qr(a, "complete")
    close(q @ r, a, dtype)
    close(linalg.householder_product(*tg.geqrf(a[..., :min(shape[-2:])])), linalg.qr(a[..., :min(shape[-2:])])[0], dtype)
    u, s, vh = linalg.svd(a, full_matrices=False)
    close(u * s.unsqueeze(-2) @ vh, a, dtype)
    close(linalg.svdvals(a), s, dtype)
    u, s, vh = linalg.svd(a)
    close(u @ u.mT, tg.eye(u.shape[-1], dtype=dtype).expand(*u.shape[:-2], -1, -1), dtype)
    close(a @ linalg.pinv(a) @ a, a, dtype, 10)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1,), (5,), (64,), (150,), (2, 70)], ids=str)
def test_symmetric_reconstruction(shape, dtype):
    a = definite(*shape, dtype=dtype)
    low = linalg.cholesky(a)
    close(low @ low.mT, a, dtype, 100)
    up = linalg.cholesky(a, upper=True)
    close(up.mT @ up, a, dtype, 100)
    close(tg.cholesky_inverse(low) @ a, tg.eye(shape[-1], dtype=dtype).expand(a.shape), dtype)
    b = symmetric(*shape, dtype=dtype)
    values, q = linalg.eigh(b)
    close(q * values.unsqueeze(-2) @ q.mT, b, dtype)
    assert bool((values.diff() >= 0).all())
    close(linalg.eigvalsh(b), values, dtype)
    rhs = normal(*shape, 3, dtype=dtype, seed=1)
    close(linalg.ldl_solve(*linalg.ldl_factor(b), rhs), linalg.solve(b, rhs), dtype, 1e3)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (60, 50), (50, 60), (2, 70, 70)], ids=str)
def test_complex_reconstruction(shape, dtype):
    a = tg.complex(normal(*shape, dtype=dtype), normal(*shape, dtype=dtype, seed=1))
    p, low, up = linalg.lu(a)
    close(p @ low @ up, a, dtype)
    q, r = linalg.qr(a)
    close(q @ r, a, dtype)
    u, s, vh = linalg.svd(a, full_matrices=False)
    close(u * s.unsqueeze(-2) @ vh, a, dtype)
    close(a @ linalg.pinv(a) @ a, a, dtype, 10)
    h = a @ a.transpose(-1, -2).conj() + tg.eye(shape[-2], dtype=dtype)
    low = linalg.cholesky(h)
    close(low @ low.transpose(-1, -2).conj(), h, dtype, 10)
    values, q = linalg.eigh(h)
    close(q * values.unsqueeze(-2) @ q.transpose(-1, -2).conj(), h, dtype, 10)
    close(linalg.inv(h) @ h, tg.eye(shape[-2], dtype=h.dtype).expand(h.shape), dtype, 10)


@pytest.mark.parametrize("dtype", [tg.float64, tg.complex128], ids=str)
def test_eigenvalues_of_general_matrices(dtype):
    a = normal(3, 30, 30)
    a = a if dtype == tg.float64 else tg.complex(a, normal(3, 30, 30, seed=1))
    values, v = linalg.eig(a)
    close(a.to(tg.complex128) @ v, v * values.unsqueeze(-2))
    close(v.abs().square().sum(-2), tg.ones(3, 30, dtype=tg.float64))
    close(linalg.eigvals(a).sum(-1), values.sum(-1))
    turn = tg.tensor([[0.0, 1.0], [-1.0, 0.0]], requires_grad=True)
    values = linalg.eigvals(turn)
    assert sorted(values.detach().imag.tolist()) == [-1.0, 1.0]
    values.abs().sum().backward()  # |eigenvalues| of a scaled rotation are its scale
    close(turn.grad, tg.tensor([[0.0, 1.0], [-1.0, 0.0]]), tg.float32)


# Matrices whose eigenvalues are equal, or differ by many orders, or that start a cycle of the iteration.
HARD = {"nilpotent": lambda n: np.eye(n, k=1), "equal": lambda n: np.eye(n, k=1) + 2 * np.eye(n), "cycle": lambda n: np.roll(np.eye(n), 1, 0),
        "graded": lambda n: np.random.default_rng(0).standard_normal((n, n)) * 10.0 ** -np.arange(n)[:, None], "ones": lambda n: np.ones((n, n)),
        "tiny": lambda n: 1e-300 * np.random.default_rng(0).standard_normal((n, n)), "huge": lambda n: 1e300 * np.tri(n), "zeros": lambda n: np.zeros((n, n)),
        "zeros on the diagonal": lambda n: np.diag(np.arange(n) % 3.0) + np.eye(n, k=1),
        "clusters": lambda n: np.diag(np.abs(np.arange(n) - n // 2.0)) + np.eye(n, k=1) + np.eye(n, k=-1)}


@pytest.mark.parametrize("dtype", [np.float64, np.complex128], ids=["real", "complex"])
@pytest.mark.parametrize("n", [1, 2, 9, 40])
@pytest.mark.parametrize("name", HARD)
def test_hard_matrices(name, n, dtype):
    a = HARD[name](n).astype(dtype)
    a = a * np.exp(1j * np.arange(n)) if dtype == np.complex128 else a
    size = np.abs(a).max() or 1.0

    def same(x, y):
        np.testing.assert_allclose(x, y, atol=1e-14 * n)

    def unitary(q):
        same(q.conj().T @ q, np.eye(n))

    u, s, vh = (x.numpy() for x in linalg.svd(tg.from_numpy(a)))
    same(u * (s / size) @ vh, a / size), unitary(u), unitary(vh)
    assert (np.diff(s) <= 0).all() and (s >= 0).all()
    h = a / 2 + a.conj().T / 2
    values, q = (x.numpy() for x in linalg.eigh(tg.from_numpy(h)))
    same(q * (values / size) @ q.conj().T, h / size), unitary(q)
    assert (np.diff(values) >= 0).all()
    values, v = (x.numpy() for x in linalg.eig(tg.from_numpy(a)))
    same(a / size @ v, v * (values / size)), same(np.linalg.norm(v, axis=0), np.ones(n))
    if dtype == np.float64:
        pairs = values[values.imag != 0]
        np.testing.assert_array_equal(pairs[::2], pairs[1::2].conj())


def test_ldl_needs_blocks_of_two():
    a = tg.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]], dtype=tg.float64)
    factors, pivots = linalg.ldl_factor(a)
    assert int((pivots < 0).sum()) == 2
    close(linalg.ldl_solve(factors, pivots, a), tg.eye(3, dtype=tg.float64))


def test_only_one_triangle_is_read():
    a, junk = definite(4), tg.full((4, 4), float("nan"), dtype=tg.float64)
    lower, upper = a.tril() + junk.triu(1).nan_to_num(1e6), a.triu() + junk.tril(-1).nan_to_num(1e6)
    close(linalg.cholesky(lower), linalg.cholesky(a))
    close(linalg.cholesky(upper, upper=True), linalg.cholesky(a, upper=True))
    close(linalg.eigvalsh(lower), linalg.eigvalsh(upper, UPLO="U"))
    close(linalg.solve_triangular(lower, a, upper=False), linalg.solve_triangular(a.tril(), a, upper=False))


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
def test_lu_solve(left, adjoint):
    a, b = normal(2, 60, 60), normal(60, 7, seed=1) if left else normal(7, 60, seed=1)
    x = linalg.lu_solve(*linalg.lu_factor(a), b, left=left, adjoint=adjoint)
    m = a.mT if adjoint else a
    close(m @ x if left else x @ m, b.expand(x.shape), factor=100)


def test_matrix_exp_of_large_and_nilpotent_matrices():
    values, q = linalg.eigh(symmetric(30))
    a = q * values.unsqueeze(-2) @ q.mT
    close(linalg.matrix_exp(a) / values.exp().max(), q * (values - values.max()).exp().unsqueeze(-2) @ q.mT)
    n = tg.tensor([[0.0, 1e3], [0.0, 0.0]])
    close(linalg.matrix_exp(n), tg.tensor([[1.0, 1e3], [0.0, 1.0]]), tg.float32)


# ---- nothing in them

@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3), (0, 0, 0)], ids=str)
def test_empty_square(shape):
    a = tg.zeros(shape, requires_grad=True)
    batch = shape[:-2]
    assert linalg.det(a).shape == batch and bool((linalg.det(a) == 1).all())
    assert linalg.slogdet(a).logabsdet.shape == batch
    for f in (linalg.inv, linalg.cholesky, linalg.matrix_exp, linalg.pinv, lambda x: linalg.matrix_power(x, 3)):
        out = f(a)
        assert out.shape == a.shape
        out.sum().backward()
    assert linalg.eigh(a).eigenvalues.shape == shape[:-1]
    assert linalg.solve(a, tg.zeros(*shape[:-1], 2)).shape == (*shape[:-1], 2)
    assert linalg.matrix_rank(a).shape == batch


@pytest.mark.parametrize("shape", [(3, 0), (0, 3), (2, 3, 0)], ids=str)
def test_empty_rectangular(shape):
    a, (m, n) = tg.zeros(shape), shape[-2:]
    u, s, vh = linalg.svd(a)
    assert u.shape == (*shape[:-2], m, m) and s.shape == (*shape[:-2], 0) and vh.shape == (*shape[:-2], n, n)
    assert bool((u == tg.eye(m)).all()) and bool((vh == tg.eye(n)).all())
    q, r = linalg.qr(a, "complete")
    assert bool((q == tg.eye(m)).all()) and r.shape == a.shape
    assert linalg.pinv(a).shape == (*shape[:-2], n, m)
    assert bool((linalg.matrix_rank(a) == 0).all())


def test_cdist_of_points_without_coordinates():
    for p in (0.0, 1.0, 2.0, float("inf")):
        assert bool((tg.cdist(tg.zeros(3, 0), tg.zeros(2, 0), p) == tg.zeros(3, 2)).all())


# ---- errors

def test_errors_name_the_batch_element():
    a = tg.eye(3).repeat(4, 1, 1)
    a[2, 1, 1] = 0
    cases = [(linalg.inv, "pivot 2"), (lambda x: linalg.solve(x, tg.ones(3, 1)), "pivot 2"), (linalg.lu_factor, "pivot 2"),
             (linalg.cholesky, "order 2"), (tg.cholesky, "order 2"), (tg.inverse, "singular"), (linalg.ldl_factor, "block 2")]
    for f, words in cases:
        with pytest.raises(linalg.LinAlgError, match=r"\(Batch element 2\)") as e:
            f(a)
        assert words in str(e.value) and isinstance(e.value, RuntimeError)
        with pytest.raises(linalg.LinAlgError) as e:
            f(a[2])
        assert "Batch" not in str(e.value)
    assert linalg.inv_ex(a).info.tolist() == [0, 0, 2, 0]
    assert linalg.cholesky_ex(a).info.tolist() == [0, 0, 2, 0]
    assert linalg.solve_ex(a, tg.ones(3, 1)).info.tolist() == [0, 0, 2, 0]
    assert linalg.lu_factor_ex(a).info.tolist() == [0, 0, 2, 0]


@pytest.mark.parametrize("f", [linalg.svd, linalg.svdvals, linalg.eigh, linalg.eigvalsh, linalg.eig, linalg.pinv], ids=lambda f: f.__name__)
def test_not_finite(f):
    a = tg.eye(3).repeat(2, 1, 1)
    a[1, 0, 0] = float("nan")
    with pytest.raises(linalg.LinAlgError, match="Batch element 1"):
        f(a)


@pytest.mark.parametrize("call, error, words", [
    (lambda: linalg.inv(tg.zeros(2, 3)), RuntimeError, ["linalg.inv", "square", "2 by 3"]),
    (lambda: linalg.inv(tg.zeros(3)), RuntimeError, ["linalg.inv", "2 dimensions"]),
    (lambda: linalg.inv(tg.eye(3, dtype=tg.int64)), RuntimeError, ["linalg.inv", "int64"]),
    (lambda: linalg.solve(tg.eye(3), tg.zeros(2, 1)), RuntimeError, ["linalg.solve", "3 rows", "float32[2, 1]"]),
    (lambda: linalg.solve(tg.eye(3), tg.zeros(3, dtype=tg.float64)), RuntimeError, ["float32", "float64"]),
    (lambda: linalg.solve(tg.eye(3).repeat(2, 1, 1), tg.zeros(3, 3, 1)), RuntimeError, ["[2]", "[3]", "broadcast"]),
    (lambda: linalg.qr(tg.eye(3), "full"), ValueError, ["linalg.qr", "'full'"]),
    (lambda: linalg.matrix_norm(tg.eye(3), "two"), ValueError, ["'two'"]),
    (lambda: linalg.matrix_norm(tg.eye(3), 3), ValueError, ["3"]),
    (lambda: linalg.lstsq(tg.eye(3), tg.eye(3), driver="best"), ValueError, ["'best'"]),
    (lambda: linalg.qr(tg.ones(3, 2, requires_grad=True), "complete")[0].sum().backward(), NotImplementedError, ["complete", "reduced"]),
    (lambda: tg.geqrf(tg.ones(3, 2, requires_grad=True))[0].sum().backward(), NotImplementedError, ["geqrf"]),
    (lambda: tg.gradient(tg.ones(1)), RuntimeError, ["edge_order"]),
])
def test_bad_calls(call, error, words):
    with pytest.raises(error) as e:
        call()
    assert all(w in str(e.value) for w in words), str(e.value)


# ---- gradients

def test_gradients_of_invariants():
    """d sum(S^2) = 2 A; d (U f(S) Vh) for f = identity is the identity; d tr(Q f(L) Q^T) = f'(A)."""
    a = normal(2, 5, 3, grad=True)
    close(tg.autograd.grad((linalg.svdvals(a) ** 2).sum(), a)[0], 2 * a)
    u, s, vh = linalg.svd(a)
    g = normal(2, 5, 3, seed=1)
    close(tg.autograd.grad(((u[..., :3] * s.unsqueeze(-2)) @ vh * g).sum(), a)[0], g)
    b = normal(4, 4, grad=True)
    values = linalg.eigvalsh(b + b.mT)
    close(tg.autograd.grad(values.exp().sum(), b)[0], 2 * linalg.matrix_exp(b + b.mT))


def test_repeated_singular_values_have_a_gradient():
    a = tg.eye(3, dtype=tg.float64).requires_grad_()
    for f in (linalg.svdvals, linalg.eigvalsh, lambda x: linalg.matrix_norm(x, "nuc"), linalg.pinv):
        g, = tg.autograd.grad(f(a).sum(), a)
        assert bool(g.isfinite().all())


def test_determinant_of_singular_matrices():
    a = tg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 10.0]], dtype=tg.float64)
    a[2] = a[0] + a[1]  # rank 2: cofactors by hand
    a.requires_grad_()
    expected = tg.empty(3, 3, dtype=tg.float64)
    for i in range(3):
        for j in range(3):
            keep = [[r for r in range(3) if r != i], [c for c in range(3) if c != j]]
            (p, q), (r, s) = a.detach()[keep[0]][:, keep[1]].tolist()
            expected[i, j] = (-1) ** (i + j) * (p * s - q * r)
    g, = tg.autograd.grad(linalg.det(a), a, create_graph=True)
    close(g, expected)
    assert tg.autograd.gradgradcheck(linalg.det, (a,), eps=1e-4, atol=1e-3)
    zero = tg.zeros(2, 3, 3, requires_grad=True)
    linalg.det(zero).sum().backward()
    assert not zero.grad.any()


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 2.0, 3.0, float("inf")])
def test_coinciding_points_have_no_gradient(p):
    x = tg.zeros(2, 3, requires_grad=True)
    tg.cdist(x, x, p).sum().backward()
    assert not x.grad.any()


# Rows and elements that fill tiles, packets and panels, and that do not.
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (9, 50, 3), (30, 17, 64), (26, 100, 300), (270, 3, 65)])
def test_cdist_of_any_size(m, n, k, p):
    for dtype, tolerance in ((tg.float32, 2e-5), (tg.float64, 1e-12)):
        a, b = normal(m, k).to(dtype).requires_grad_(), normal(n, k).to(dtype)
        b[0] = a.detach()[0]  # one distance is 0
        b.requires_grad_()
        g = normal(m, n).to(dtype)
        d = tg.cdist(a, b, p)
        d.backward(g)
        x, y, w = (t.detach().double().numpy() for t in (a, b, g))
        t = x[:, None] - y
        size = np.abs(t)
        expected = size.max(-1) if p == float("inf") else (t != 0).sum(-1) if p == 0 else (size ** p).sum(-1) ** (1 / p)
        with np.errstate(divide="ignore", invalid="ignore"):
            if p == float("inf"):
                slope = np.sign(t) * (np.abs(size - expected[..., None]) < 1e-6 * size)
            else:
                slope = np.sign(t) * size ** (p - 1) / expected[..., None] ** (p - 1) if p else np.zeros_like(t)
        slope = w[..., None] * np.where(t == 0, 0, slope)
        for got, want in ((d, expected), (a.grad, slope.sum(1)), (b.grad, -slope.sum(0))):
            np.testing.assert_allclose(got.detach().numpy(), want, rtol=0, atol=tolerance * max(1, np.abs(want).max()))


def test_distances_of_near_points_far_from_zero_are_exact():
    x = normal(40, 8) + 1000
    y = x + 2.0 ** -10
    assert bool((tg.cdist(x, x).diagonal() == 0).all())
    close(tg.cdist(x, y).diagonal(), (y - x).norm(dim=1))


# ---- threads

def test_results_do_not_depend_on_threads():
    a = normal(64, 40, 40)

    def distances(a):
        for p in (1.0, 2.0, 3.0, float("inf")):
            x = a.clone().requires_grad_()
            d = tg.cdist(x, x, p)
            d.sum().backward()
            yield from (d.detach(), x.grad)

    before = tg.get_num_threads()
    try:
        results = []
        for n in (1, 4):
            tg.set_num_threads(n)
            results.append([t.numpy() for t in (linalg.inv(a), *linalg.svd(a), *linalg.qr(a), linalg.matrix_exp(a), *distances(a))])
    finally:
        tg.set_num_threads(before)
    for x, y in zip(*results):
        np.testing.assert_array_equal(x, y)
