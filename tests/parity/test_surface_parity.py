"""What programs reach beside the op table: deprecated names, pruning, windows, low-rank parts, hashes, control flow, random matrices."""
import copy

import numpy as np
import pytest
import tapegrad as tg
import torch

pytestmark = pytest.mark.filterwarnings("ignore")
BOTH = (tg, torch)


def same(ours, theirs, rtol=1e-6):
    """Nests of tensors and numbers, compared."""
    if isinstance(theirs, torch.Tensor):
        assert tuple(ours.shape) == tuple(theirs.shape) and str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=rtol, atol=rtol)
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        same(list(ours.values()), list(theirs.values()), rtol)
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            same(a, b, rtol)
    else:
        assert ours == theirs


def both(f, rtol=1e-6):
    """f(library) gives the same, or raises the same kind of error."""
    try:
        theirs = f(torch)
    except Exception as e:
        with pytest.raises(Exception) as caught:
            f(tg)
        assert isinstance(caught.value, type(e)), (caught.value, e)
        return
    same(f(tg), theirs, rtol)


def matrix(L, *shape, seed=0, dtype="float64"):
    return L.tensor(np.random.RandomState(seed).randn(*shape).tolist(), dtype=getattr(L, dtype))


@pytest.mark.parametrize("text", """
x.new(2, 3).shape
x.new([1, 2])
x.new((1, 2)).shape
x.new(L.Size([2, 2])).shape
x.new(x) is not x
x.new().shape
x.new(2.5)
x.new(L.tensor([1]))
x.resize(3, 2)
x.resize(5, 2)
x.resize_as(L.empty(3, 2))
x.dim_order()
x.t().dim_order()
L.zeros(2, 3, 4, 5).to(memory_format=L.channels_last).dim_order()
L.zeros(2, 1, 4, 1).dim_order(ambiguity_check=True)
L.zeros(2, 3).dim_order(ambiguity_check=True)
type(x.as_subclass(L.nn.Parameter)) is L.nn.Parameter
x.as_subclass(int)
L.zeros(2, 3).module_load(x)
L.zeros(2, 3).module_load(x, assign=True)
L.get_device(x)
L.is_distributed(x)
x.is_distributed()
x.dense_dim(), x.sparse_dim()
x.to_dense()
x.to_dense(L.float32)
x.record_stream(L.Stream() if L.__name__ == 'torch' else None)
L.conj_physical_(L.tensor([1 + 2j]))
x.clone().as_strided_((3, 2), (1, 3))
L.frobenius_norm(x, [0, 1])
L.frobenius_norm(x, [1], True)
L.nuclear_norm(x)
L.lu(x @ x.t())
L.lu(x @ x.t(), get_infos=True)
(x @ x.t()).lu()
L.eig(x)
L.symeig(x)
L.solve(x, x)
L.lstsq(x, x)
L.matrix_rank(x)
x.symeig()
x.reinforce(1)
L.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,))
L.cond(False, lambda y: y + 1, lambda y: y - 1, (x,))
L.cond(L.tensor([True, False]), lambda y: y + 1, lambda y: y - 1, (x,))
L.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2), (L.tensor(0), x))
L.wait(L.fork(lambda a: a + 1, x))
L.set_autocast_cpu_dtype(L.float16), L.get_autocast_cpu_dtype() == L.float16, L.set_autocast_cpu_dtype(L.bfloat16)
L.set_autocast_cpu_enabled(True), L.is_autocast_cpu_enabled(), L.set_autocast_cpu_enabled(False)
L.autocast_increment_nesting(), L.autocast_decrement_nesting()
L.set_anomaly_enabled(True), L.is_anomaly_enabled(), L.set_anomaly_enabled(False), L.is_anomaly_check_nan_enabled()
L.nn.factory_kwargs({'dtype': L.float64})['dtype'] == L.float64
L.nn.factory_kwargs({'color': 1})
L.func.linearize(L.sin, x)[1](x * 2)
L.from_file('/nonexistent/file', size=4)
L.gradient(x, spacing=None)
L.std(x, dim=None, correction=None)
L.var(x, 1, correction=None)
L.repeat_interleave(x, 2, 1, output_size=6)
L.repeat_interleave(x, L.tensor([1, 2]), 0, output_size=3)
L.repeat_interleave(x, L.tensor([1, 2]), 0, output_size=4)
L.atleast_2d([x[0], x[0, 0]])
L.atleast_1d(x[0, 0], x)
x.float(memory_format=L.preserve_format)
L.zeros(1, 2, 2, 2).double(memory_format=L.channels_last).stride()
x.to(L.zeros(1), memory_format=L.preserve_format)
L.constant_pad_nd(L.tensor([1j]), (1, 1), 2 + 1j)
L.nn.functional.pad(x[None], (-3, 4), 'replicate')
L.nn.functional.pad(x[None], (5, -4), 'replicate')
L.addr(L.tensor([[True, False]]), L.tensor([True]), L.tensor([False, True]), beta=0)
L.unravel_index(L.tensor([3], dtype=L.int32), (2, 3))
L.take_along_dim(x, L.tensor([[-1], [0]]), 1)
L.tensordot(x[:, :1], x, dims=([0, 1], [0, 1]))
L.nn.functional.multi_margin_loss(L.tensor(1.5), L.tensor(0))
L.nn.functional.multilabel_margin_loss(L.tensor(1.5), L.tensor(0))
L.tensor([2 ** 63 + 5], dtype=L.uint64) == 2 ** 63 + 5
L.tensor([2 ** 63 + 5], dtype=L.uint64) | 2 ** 63
L.tensor([1.0]) + 2 ** 63
L.tensor([1]) + 2 ** 63
L.tensor([1.0]) + 2 ** 70
L.tensor([1, 2]) + (-2 ** 63 - 1)
L.tensor([1, 2], dtype=L.uint16) * 2.5
L.zeros(2).__setitem__(0, 1j)
L.max(L.tensor([1, 5]), L.tensor(3))
L.min(L.tensor([1, 5]), L.tensor(0))
L.permute_copy(x, (1, 0))
L.view_copy(x, (3, 2))
L.unbind_copy(x, 1)
L.select_copy(x, 0, 1)
L.as_strided_copy(x, (2, 2), (1, 2))
L.unfold_copy(x, 1, 2, 1)
L.linalg.vector_norm(L.tensor([-8.0], dtype=L.float16), 6)
""".strip().splitlines())
def test_expressions(text):
    both(lambda L: eval(text, {"L": L, "x": matrix(L, 2, 3)}))


@pytest.mark.parametrize("kw", [{}, {"dim": 0}, {"dim": -1, "keepdim": True}], ids=str)
@pytest.mark.parametrize("make", [lambda L: matrix(L, 3, 4), lambda L: matrix(L, 5, dtype="float32"), lambda L: L.arange(-3, 4), lambda L: L.tensor(3.5)])
def test_hash_tensor(make, kw):
    both(lambda L: L.hash_tensor(make(L), **kw).tolist())


@pytest.mark.parametrize("M", [0, 1, 2, 7, 8])
@pytest.mark.parametrize("name,kw", [(n, {}) for n in ("bartlett", "blackman", "cosine", "exponential", "gaussian", "hamming", "hann", "kaiser", "nuttall")] +
                         [("general_hamming", {"alpha": 0.3}), ("general_cosine", {"a": [0.4, 0.3, 0.2]}), ("gaussian", {"std": 2.0}), ("exponential", {"tau": 0}),
                          ("exponential", {"center": 1.0, "sym": False}), ("exponential", {"center": 1.0}), ("kaiser", {"beta": 3.0})], ids=str)
def test_windows(name, kw, M):
    for sym in (True, False):
        both(lambda L: getattr(L.signal.windows, name)(M, **{"sym": sym, "dtype": L.float64, **kw}))


@pytest.mark.parametrize("kw", [{"bins": [2, 3]}, {"bins": 4, "density": True}, {"bins": [2, 3], "range": [-1.0, 1.0, -2.0, 2.0], "weight": True},
                                {"bins": "edges"}, {"bins": [2]}], ids=str)
def test_histogramdd(kw):
    def f(L):
        k = dict(kw)
        if "weight" in k:
            k["weight"] = matrix(L, 40, seed=1).abs()
        if k["bins"] == "edges":
            k["bins"] = [L.tensor([-1.0, 0.0, 2.0], dtype=L.float64)] * 2
        out = L.histogramdd(matrix(L, 40, 2), **k)
        return out.hist, out.bin_edges
    both(f)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("padding", [None, 2, -1])
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_embedding_bag_with_all_results(mode, padding, last):
    def f(L):
        out = L.embedding_bag(matrix(L, 6, 3), L.tensor([0, 1, 2, 2, 5]), L.tensor([0, 2, 2] + [5] * last), False, mode, False, None, last, padding)
        return out[:1] if mode == 0 else out  # PyTorch gives the rest only where it computes it
    both(f)


def test_low_rank_parts():
    A = tg.from_numpy(np.random.RandomState(1).randn(2, 8, 3) @ np.random.RandomState(2).randn(2, 3, 10))
    for X in (A, A.mT):
        U, S, V = tg.svd_lowrank(X, 4)
        tg.testing.assert_close(U @ tg.diag_embed(S) @ V.mT, X)
        tg.testing.assert_close(S[:, :3], tg.linalg.svdvals(X)[:, :3])
    U, S, V = tg.pca_lowrank(A, 4)
    tg.testing.assert_close(S[:, :3], tg.linalg.svdvals(A - A.mean(-2, keepdim=True))[:, :3])
    M = matrix(tg, 20, 20)
    M = M @ M.T
    B = tg.eye(20, dtype=tg.float64) * 2 + 0.1
    for largest in (True, False):
        E, X = tg.lobpcg(M, 3, largest=largest)
        tg.testing.assert_close(E, tg.linalg.eigvalsh(M).flip(0)[:3] if largest else tg.linalg.eigvalsh(M)[:3], rtol=1e-6, atol=1e-8)
        E, X = tg.lobpcg(M, 3, B=B, largest=largest)
        tg.testing.assert_close(M @ X, B @ X * E, rtol=1e-4, atol=1e-4)
        same(E, torch.lobpcg(torch.from_numpy(M.numpy()), 3, B=torch.from_numpy(B.numpy()), largest=largest)[0], rtol=1e-4)
    for bad in (lambda L: L.pca_lowrank(matrix(L, 3, 4), 9), lambda L: L.lobpcg(matrix(L, 3, 3), 2)):
        both(bad)


def test_from_file(tmp_path):
    t = tg.from_file(str(tmp_path / "f"), shared=True, size=4)
    t.fill_(2.5)
    assert np.fromfile(tmp_path / "f", "f4").tolist() == [2.5] * 4
    tg.from_file(str(tmp_path / "f"), size=3).zero_()
    same(tg.from_file(str(tmp_path / "f"), size=4), torch.from_file(str(tmp_path / "f"), size=4))
    with pytest.raises(RuntimeError, match="need"):
        tg.from_file(str(tmp_path / "f"), size=5)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_nn_grad(dims):
    def f(L):
        x, w = matrix(L, 2, 4, *[6] * dims), matrix(L, 6, 2, *[3] * dims, seed=1)
        conv = getattr(L.nn.functional, f"conv{dims}d")
        g = conv(x, w, None, 2, 1, 1, 2) * 0.5
        return [getattr(L.nn.grad, f"conv{dims}d_input")(x.shape, w, g, 2, 1, 1, 2),
                getattr(L.nn.grad, f"conv{dims}d_weight")(x, w.shape, g, 2, 1, 1, 2)]
    both(f)


def test_parallel_pieces():
    x = tg.arange(6.0).reshape(3, 2)
    parts = tg.nn.parallel.scatter({"a": (x, 3)}, ["cpu", "cpu"])
    assert [p["a"][0].tolist() for p in parts] == [x[:2].tolist(), x[2:].tolist()] and parts[1]["a"][1] == 3
    layer = tg.nn.Linear(2, 2)
    outs = tg.nn.parallel.parallel_apply(tg.nn.parallel.replicate(layer, ["cpu", "cpu"]), [p["a"][0] for p in parts])
    tg.testing.assert_close(tg.nn.parallel.gather(outs, "cpu"), layer(x))
    for f in (lambda: tg.nn.parallel.scatter(x, [0]), lambda: tg.nn.parallel.gather([x], 0)):
        with pytest.raises(RuntimeError, match="CUDA"):
            f()


@pytest.mark.parametrize("how", [
    lambda L, p, m: p.l1_unstructured(m, "weight", 3), lambda L, p, m: p.l1_unstructured(m, "weight", 0.4),
    lambda L, p, m: p.ln_structured(m, "weight", 1, 2, 0), lambda L, p, m: p.ln_structured(m, "weight", 0.5, float("inf"), -1),
    lambda L, p, m: p.custom_from_mask(m, "weight", L.tensor([[1.0, 0, 1, 0]] * 3)), lambda L, p, m: p.identity(m, "bias"),
    lambda L, p, m: [p.l1_unstructured(m, "weight", 2), p.ln_structured(m, "weight", 1, 1, 0), p.l1_unstructured(m, "weight", 1)][0],
    lambda L, p, m: p.l1_unstructured(m, "weight", 99), lambda L, p, m: p.l1_unstructured(m, "weight", 1.5),
    lambda L, p, m: p.global_unstructured([(m, "weight"), (m, "bias")], p.L1Unstructured, amount=5) or m])
def test_prune(how):
    import importlib

    def f(L):
        prune, m = importlib.import_module(f"{L.__name__}.nn.utils.prune"), L.nn.Linear(4, 3).double()
        with L.no_grad():
            m.weight.copy_(matrix(L, 3, 4))
            m.bias.copy_(matrix(L, 3, seed=1))
        assert how(L, prune, m) is m and prune.is_pruned(m)
        out = m(matrix(L, 2, 4, seed=2))
        out.sum().backward()
        grads = [p.grad for p in m.parameters()]
        state = dict(m.state_dict())
        for name in [k[:-5] for k in state if k.endswith("_mask")]:
            prune.remove(m, name)
        return [out, grads, state, m(matrix(L, 2, 4, seed=2)), sorted(m.state_dict()), prune.is_pruned(m)]
    both(f)



@pytest.mark.parametrize("k", [0.0, 0.3, -0.4, 0.7, 1.2])
def test_generalized_pareto(k):
    def f(L):
        d = L.distributions.GeneralizedPareto(L.tensor([0.5]), L.tensor([2.0]), L.tensor([k]))
        v = L.tensor([0.9])
        return [d.log_prob(v), d.cdf(v), d.icdf(v / 2), d.log_survival_function(v), d.mode, d.entropy()] + ([d.mean] if k < 1 else []) + (
            [d.variance] if k < 0.5 else [])
    both(f, rtol=1e-5)
    d = tg.distributions.GeneralizedPareto(tg.tensor(0.0), tg.tensor(1.0), tg.tensor(0.2))
    assert abs(float(d.sample((20000,)).mean()) - 1.25) < 0.06


def test_wishart():
    C = [[2.0, 0.3], [0.3, 1.0]]

    def f(L, **kw):
        d = L.distributions.Wishart(L.tensor([4.0, 6.0], dtype=L.float64), **{k: L.tensor(v, dtype=L.float64) for k, v in kw.items()})
        return [d.log_prob(L.tensor([[3.0, 0.5], [0.5, 2.0]], dtype=L.float64)), d.mean, d.mode, d.variance, d.entropy(), d.precision_matrix,
                d.covariance_matrix, d.scale_tril, d.expand((3, 2)).batch_shape == (3, 2)]
    both(lambda L: f(L, covariance_matrix=C))
    both(lambda L: f(L, precision_matrix=C))
    both(lambda L: f(L, scale_tril=[[1.0, 0.0], [0.3, 0.9]]))
    both(lambda L: L.distributions.Wishart(L.tensor(0.5), covariance_matrix=L.tensor(C)))
    cov = tg.tensor(C).requires_grad_()
    draws = tg.distributions.Wishart(tg.tensor(5.0), covariance_matrix=cov).rsample((4000,))
    assert (draws.mean(0) / 5 - cov).abs().max() < 0.2
    draws.sum().backward()
    assert cov.grad is not None


def test_lkj_cholesky():
    L3 = np.linalg.cholesky(np.array([[1, 0.3, 0.2], [0.3, 1, 0.1], [0.2, 0.1, 1]])).tolist()
    both(lambda L: L.distributions.LKJCholesky(3, L.tensor([1.5, 0.7], dtype=L.float64)).log_prob(L.tensor(L3, dtype=L.float64)))
    both(lambda L: L.distributions.LKJCholesky(1))
    draws = tg.distributions.LKJCholesky(3, 1.5).sample((4000,))
    matrices = draws @ draws.mT
    tg.testing.assert_close(matrices.diagonal(0, -2, -1), tg.ones(4000, 3), rtol=0, atol=1e-5)
    assert abs(float(matrices[:, 1, 0].var()) - 0.2) < 0.03  # of a Beta(2, 2) on (-1, 1)


def test_promotion_of_unsigned():
    """PyTorch refuses uint16, uint32 and uint64 with other integers; here the array API's promotion holds."""
    for a, b, c in [("uint16", "uint8", "uint16"), ("uint16", "int8", "int32"), ("uint32", "int64", "int64"), ("uint32", "int8", "int64"),
                    ("uint64", "bool", "uint64"), ("uint16", "uint64", "uint64"), ("uint32", "float16", "float16"), ("uint8", "int8", "int16")]:
        x, y = tg.ones(2, dtype=getattr(tg, a)), tg.full((2,), 2, dtype=getattr(tg, b)) if b != "bool" else tg.ones(2, dtype=tg.bool)
        assert (x + y).dtype == (y + x).dtype == tg.promote_types(x.dtype, y.dtype) == getattr(tg, c)
        assert (x + y).tolist() == [2, 2] if b == "bool" else [3, 3]
    with pytest.raises(RuntimeError, match="no integer dtype"):
        tg.ones(2, dtype=tg.uint64) + tg.ones(2, dtype=tg.int64)


COMPLEX = [
    lambda L, z: L.nn.functional.conv1d(z(2, 4, 9), z(6, 2, 3), z(6), 2, 1, 1, 2), lambda L, z: L.nn.functional.conv2d(z(1, 2, 5, 4), z(3, 2, 2, 3)),
    lambda L, z: L.nn.functional.conv3d(z(1, 2, 4, 4, 4), z(2, 2, 2, 2, 2), padding="same"), lambda L, z: L.nn.functional.conv2d(z(2, 5, 4), z(3, 2, 2, 3)),
    lambda L, z: L.nn.functional.conv_transpose1d(z(1, 4, 5), z(4, 3, 3), z(3), 2, 1, 1), lambda L, z: L.nn.functional.conv_transpose2d(z(1, 2, 3, 3), z(2, 2, 2, 2)),
    lambda L, z: L.nn.functional.conv_transpose3d(z(1, 2, 3, 3, 2), z(2, 1, 2, 2, 2)), lambda L, z: L.nn.functional.unfold(z(1, 2, 4, 5), (2, 3)),
    lambda L, z: L.nn.functional.fold(z(1, 8, 12), (4, 5), 2), lambda L, z: L.nn.functional.softsign(z(3, 4)), lambda L, z: L.logaddexp(z(3, 1), z(4)),
    lambda L, z: L.nn.functional.rms_norm(z(2, 3, 4), (3, 4), z(3, 4)), lambda L, z: L.nn.functional.rms_norm(z(2, 4), (4,), None, 1e-3),
]


@pytest.mark.parametrize("f", COMPLEX, ids=range(len(COMPLEX)))
def test_complex(f):
    """Values and gradients of what has its complex form made of real ones."""
    def run(L):
        made = []

        def z(*shape):
            r = np.random.RandomState(len(made))
            made.append(L.tensor((r.randn(*shape) + 1j * r.randn(*shape)).tolist(), dtype=L.complex128).requires_grad_())
            return made[-1]
        out = f(L, z)
        return [out, *L.autograd.grad((out * out.conj()).real.sum() + out.imag.sum(), made)]
    both(run)


def test_gradients_that_differed():
    def f(L):
        x, v = matrix(L, 3, 4).requires_grad_(), L.tensor(2.0, dtype=L.float64, requires_grad=True)
        y = L.index_fill(x, 1, L.tensor([1, 1, 3, 3]), v)  # places named twice
        a, b = L.tensor([1.0, 2.0]).requires_grad_(), L.tensor([3.0, 1.0]).requires_grad_()
        s, t = matrix(L, 3).requires_grad_(), L.tensor([3.0, 3, 5, 5, 1, 0], dtype=L.float64, requires_grad=True)
        with L.no_grad():
            s[1] = 5.0  # as large as the largest of its sources
        z = L.scatter_reduce(s, 0, L.tensor([0, 0, 1, 1, 2, 2]), t, "amax", include_self=False)
        return [y, *L.autograd.grad((z * z).sum(), [s, t]), *L.autograd.grad((y * matrix(L, 3, 4, seed=1)).sum(), [x, v]), *L.autograd.grad(L.nextafter(a, b), [a, b], L.tensor([2.0, 5.0]))]
    both(f)


CORNERS = [
    lambda L: [L.zeros(2, dtype=float), L.ones(2).to(float), L.ones(2).sum(dtype=float), L.full((2,), 1, dtype=complex), L.tensor([1], dtype=float)],
    lambda L: [L.tensor(-1, dtype=L.uint8), L.tensor([-255, 255], dtype=L.uint8)], lambda L: L.tensor(-256, dtype=L.uint8), lambda L: L.tensor(-129, dtype=L.int8),
    lambda L: L.tensor(-2**63, dtype=L.uint8), lambda L: [L.zeros(1, dtype=L.bool).fill_(float("nan")), L.full((1,), float("inf"), dtype=L.bool)],
    lambda L: L.tensor(float("nan"), dtype=L.int64), lambda L: L.tensor([1e30], dtype=L.int32), lambda L: L.full((2,), float("inf"), dtype=L.int64),
    lambda L: L.zeros(2, dtype=L.int64).fill_(float("nan")), lambda L: L.zeros(2, dtype=L.int64).masked_fill(L.tensor([True, False]), float("-inf")),
    lambda L: float(L.ones(2)), lambda L: int(L.ones(0)), lambda L: L.finfo(float).bits,
]
OUTSIDE = [
    lambda L, x, i: x.index_select(0, i), lambda L, x, i: x.sum().index_select(0, i), lambda L, x, i: x.index_add(0, i, x[:1]),
    lambda L, x, i: x.index_copy(0, i, x[:1]), lambda L, x, i: x.index_fill(0, i, 9.0), lambda L, x, i: L.nn.functional.embedding(i, x),
    lambda L, x, i: L.nn.functional.embedding(i.int(), x, max_norm=1.0), lambda L, x, i: L.nn.functional.embedding(i, x, scale_grad_by_freq=True),
    lambda L, x, i: x.sum().index_fill(0, i, L.tensor(2.0)), lambda L, x, i: x[i], lambda L, x, i: x.take(i), lambda L, x, i: x.gather(0, i[:, None]),
]


@pytest.mark.parametrize("f", CORNERS, ids=range(len(CORNERS)))
def test_corners_that_differed(f):
    both(f)


@pytest.mark.parametrize("f", OUTSIDE, ids=range(len(OUTSIDE)))
def test_negative_indices(f):
    """Which functions count them from the end, and which refuse them."""
    both(lambda L: f(L, matrix(L, 3, 2, dtype="float32"), L.tensor([-1])))


def test_embedding_bag_refuses_negative_indices():
    for L in BOTH:
        with pytest.raises(RuntimeError):
            L.nn.functional.embedding_bag(L.tensor([[-1]]), matrix(L, 3, 2))


@pytest.mark.parametrize("lib", BOTH)
def test_shallow_copies_share(lib):
    for x in (lib.zeros(3), lib.nn.Parameter(lib.zeros(3)), lib.zeros(3, requires_grad=True) * 2):
        y = copy.copy(x)
        assert type(y) is type(x) and y is not x and y.is_leaf and y.requires_grad == x.requires_grad and y.data_ptr() == x.data_ptr()


@pytest.mark.parametrize("lib", BOTH)
def test_device_as_context(lib):
    before = lib.get_default_device()
    with lib.device("cpu"), lib.device("cpu"):
        assert lib.nn.Linear(2, 2).weight.device == lib.device("cpu")
    with pytest.raises(ZeroDivisionError):
        with lib.device("cpu"):
            1 / 0
    assert lib.get_default_device() == before


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 2), (0, 3, 2, 2), (2, 3, 0)])
def test_batch_norm_of_nothing(shape):
    """As a detector meets it that has found no regions."""
    def f(L):
        norm, x = L.nn.BatchNorm1d(3) if len(shape) < 4 else L.nn.BatchNorm2d(3), L.zeros(shape, requires_grad=True)
        norm.running_mean.fill_(5.0)
        y = norm(x)
        return [y, *L.autograd.grad(y.sum(), [x, norm.weight, norm.bias]), *norm.buffers()]
    both(f)
