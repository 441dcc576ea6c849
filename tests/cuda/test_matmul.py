"""Products on CUDA against the CPU: layouts, batches, bias, dtypes, gradients. (Samples of every op are in test_ops.py.)"""
import numpy as np
import pytest
import tapegrad as tg

TOLERANCE = {tg.float16: 2e-3, tg.bfloat16: 2e-2, tg.float32: 2e-5, tg.float64: 1e-12, tg.complex64: 2e-5, tg.complex128: 1e-12}


def made(*size, dtype=tg.float32, seed=0):
    g = tg.Generator().manual_seed(seed + sum(size))
    x = tg.randn(*size, generator=g, dtype=tg.float64)
    if dtype.is_complex:
        x = tg.complex(x, tg.randn(*size, generator=g, dtype=tg.float64))
    return x.to(dtype)


def check(f, *inputs, tolerance=None):
    got, expected = f(*(x.cuda() for x in inputs)), f(*inputs)
    assert got.is_cuda and got.dtype == expected.dtype and got.shape == expected.shape
    limit = TOLERANCE.get(expected.dtype, 0) if tolerance is None else tolerance
    wide = tg.complex128 if expected.dtype.is_complex else tg.float64
    np.testing.assert_allclose(got.cpu().to(wide).numpy(), expected.to(wide).numpy(), rtol=limit, atol=limit * 4)
    return got


@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
@pytest.mark.parametrize("ta, tb", [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize("m, n", [(7, 5), (17, 15)])
def test_transposes(dtype, ta, tb, m, n):
    a, b = made(*((9, m) if ta else (m, 9)), dtype=dtype), made(*((n, 9) if tb else (9, n)), dtype=dtype)
    check(lambda a, b: (a.t() if ta else a) @ (b.t() if tb else b), a, b)


@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (1, 5, 3), (5, 1, 3), (1, 1, 40), (40, 1, 1), (3, 70, 1), (33, 17, 65), (2, 0, 3), (0, 2, 3), (2, 3, 0)])
def test_sizes(m, n, k):
    a, b = made(m, k), made(k, n)
    check(lambda a, b: a @ b, a, b)
    check(lambda a, b: a @ b.t(), a, made(n, k))
    check(lambda a, b, c: tg.nn.functional.linear(a, b, c), a, made(n, k), made(n))
    check(lambda a, b, c: tg.addmm(c, a, b), a, b, made(m, n))
    check(lambda a, b, c: tg.addmm(c, a, b, beta=2, alpha=-0.5), a, b, made(n))


@pytest.mark.parametrize("change", [
    lambda x: x[::2], lambda x: x[:, 1::2], lambda x: x[1:, 3:], lambda x: x[:1], lambda x: x[:, :1], lambda x: x[3:4, ::3],
    lambda x: x[:, 2:3].expand(12, 9), lambda x: x[2:3].expand(8, 12), lambda x: x[0, 0].expand(4, 6), lambda x: x[2].unfold(0, 5, 1),
    lambda x: x.flip(0), lambda x: x.t()[1:5, 2:7]], ids=lambda f: "")
def test_strides(change):
    x = made(12, 12)
    check(lambda x: change(x) @ change(x).t(), x)
    check(lambda x: change(x).t() @ change(x), x)


@pytest.mark.parametrize("dtype", [tg.float16, tg.float32])
@pytest.mark.parametrize("m, n, k", [(7, 5, 11), (10, 9, 7), (3, 9, 16)])
def test_memory_that_is_hardly_aligned(dtype, m, n, k):
    x, w, bias = made(200, dtype=dtype), made(200, dtype=dtype), made(40, dtype=dtype)
    for at in (0, 1, 2, 3, 4, 8):
        check(lambda x, w, b: tg.nn.functional.linear(x[at:at + m * k].view(m, k), w[at + 1:at + 1 + n * k].view(n, k), b[at:at + n]), x, w, bias)


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16, tg.float32, tg.float64], ids=str)
@pytest.mark.parametrize("m", [1, 2, 3, 8])
@pytest.mark.parametrize("n, k", [(70, 304), (9, 301), (130, 7)])
def test_few_rows(dtype, m, n, k):
    """The kernels for them, by rows and by columns of the large matrix, whole and in pieces."""
    x, w, bias = made(m, k, dtype=dtype), made(n, k, dtype=dtype), made(n, dtype=dtype)
    limit = 4 * TOLERANCE[dtype]
    check(tg.nn.functional.linear, x, w, bias, tolerance=limit)
    check(lambda x, w: x @ w, x, made(k, n, dtype=dtype), tolerance=limit)
    check(lambda x, w: w @ x.t(), x, w, tolerance=limit)
    check(lambda x, w: w.t() @ x.t(), x, made(k, n, dtype=dtype), tolerance=limit)
    check(lambda x, w, b: tg.nn.functional.linear(x.t(), w, b), made(k, m, dtype=dtype), w, bias, tolerance=limit)
    check(lambda x, w: x @ w, made(3, m, k, dtype=dtype), made(3, k, n, dtype=dtype), tolerance=limit)
    check(lambda x, w: x @ w.mT, made(3, m, k, dtype=dtype), made(3, n, k, dtype=dtype), tolerance=limit)


@pytest.mark.parametrize("f", [lambda x, w: x @ w.t(), lambda x, w: x @ w.t().contiguous()], ids=["rows", "columns"])
def test_a_row_does_not_depend_on_the_others(f):
    x, w = made(8, 301).cuda(), made(70, 301).cuda()
    all_rows = f(x, w)
    for m in (1, 2, 5):
        assert f(x[:m], w).equal(all_rows[:m])


BATCHES = [((3, 4, 5), (3, 5, 2)), ((4, 5), (3, 5, 2)), ((3, 4, 5), (5, 2)), ((1, 4, 5), (3, 5, 2)), ((3, 4, 5), (1, 5, 2)), ((2, 3, 4, 5), (2, 3, 5, 2)),
           ((2, 1, 4, 5), (1, 3, 5, 2)), ((2, 3, 4, 5), (3, 5, 2)), ((2, 3, 4, 5), (5, 2)), ((2, 3, 5), (5,)), ((5,), (2, 5, 3)), ((0, 4, 5), (0, 5, 2)),
           ((3, 4, 0), (3, 0, 2)), ((2, 1, 3, 4, 5), (7, 1, 5, 2))]


def grown(size):
    """With larger matrices: those for which the library is asked."""
    return tuple(n + 9 if n and i >= len(size) - 2 else n for i, n in enumerate(size))


@pytest.mark.parametrize("a, b", BATCHES + [(grown(a), grown(b)) for a, b in BATCHES], ids=str)
def test_batches_broadcast(a, b):
    check(tg.matmul, made(*a), made(*b))
    check(tg.matmul, made(*a, dtype=tg.bfloat16), made(*b, dtype=tg.bfloat16))


def test_batches_of_strided_matrices():
    q, k = made(2, 7, 3, 4), made(2, 7, 3, 4)  # heads inside of time, as attention has them
    check(lambda q, k: q.transpose(1, 2) @ k.transpose(1, 2).mT, q, k)
    check(lambda q, k: q.permute(1, 3, 0, 2) @ k.permute(1, 3, 2, 0), q, k)
    x = made(2, 5, 6)
    check(lambda x, w: x.transpose(1, 2) @ w, x, made(5, 3))
    check(lambda x, w, b: tg.nn.functional.linear(x.transpose(1, 2), w, b), x, made(3, 5), made(3))
    big, other = made(40, 2, 36, 3), made(36, 3, 40, 4)  # so many launches that the operands are copied first
    check(lambda a, b: a.transpose(1, 2) @ b.permute(2, 0, 1, 3), big, other)


def test_relatives():
    a, b, c, v = made(3, 4, 5), made(3, 5, 2), made(3, 4, 2), made(5)
    check(tg.bmm, a, b)
    check(lambda c, a, b: tg.baddbmm(c, a, b, beta=0.5, alpha=2), c, a, b)
    check(lambda c, a, b: tg.addbmm(c[0], a, b), c, a, b)
    check(lambda a, v: tg.mv(a[0], v), a, v)
    check(tg.dot, v, v)
    check(tg.outer, v, v)
    check(lambda a, b: tg.einsum("bij,bjk->ki", a, b), a, b)
    check(lambda a, b: tg.tensordot(a, b, dims=([0, 2], [0, 1])), a, b)
    check(lambda x, w, u, b: tg.nn.functional.bilinear(x, u, w, b), made(6, 4), made(3, 4, 5), made(6, 5), made(3))


@pytest.mark.parametrize("dtype", [tg.uint8, tg.int8, tg.int16, tg.int32, tg.int64], ids=str)
def test_integers_wrap_around(dtype):
    a, b = (made(5, 37) * 60).to(dtype), (made(37, 19) * 60).to(dtype)
    check(lambda a, b: a @ b, a, b)
    check(lambda a, b: (b.t() @ a.t()).t(), a, b)
    check(lambda c, a, b: tg.addmm(c, a, b), b[0], a, b)
    check(lambda a, b: a.view(5, 1, 37) @ b, a, b)


def test_bool_is_refused():
    x = tg.ones(2, 2, dtype=tg.bool, device="cuda")
    with pytest.raises(tg.DtypeError, match="bool"):
        x @ x


def test_two_devices_are_named():
    x, y = made(2, 2), made(2, 2).cuda()
    for a, b in ((x, y), (y, x)):
        with pytest.raises(tg.DeviceError, match=r"(?s)matmul: both factors must be on one device, got c.*input.*other"):
            a @ b
    with pytest.raises(tg.DeviceError, match="bias"):
        tg.nn.functional.linear(y, y, x[0])


def gradients(f, device, *inputs):
    leaves = [x.to(device).requires_grad_() for x in inputs]
    out = f(*leaves)
    out.backward(made(*out.shape, dtype=out.dtype, seed=5).to(device))
    return [leaf.grad for leaf in leaves]


GRADIENTS = [
    (tg.matmul, ((4, 5), (5, 3))), (tg.matmul, ((2, 4, 5), (5, 3))), (tg.matmul, ((2, 4, 5), (2, 5, 3))), (tg.matmul, ((2, 1, 4, 5), (3, 5, 2))),
    (tg.nn.functional.linear, ((2, 4, 5), (3, 5), (3,))),
    (lambda x, w, b: tg.addmm(b, x, w), ((4, 5), (5, 3), (3,))), (lambda x, w: tg.einsum("bij,kj->bik", x, w), ((2, 4, 5), (3, 5)))]
SWAPPED = [(lambda a, b: a.transpose(0, 1) @ b, ((4, 2, 5), (2, 5, 3))), (lambda a, b: a.transpose(0, 1) @ b, ((14, 2, 15), (2, 15, 13)))]


@pytest.mark.parametrize("dtype", [tg.float32, tg.bfloat16, tg.complex64], ids=str)
@pytest.mark.parametrize("f, sizes", GRADIENTS + [(f, tuple(map(grown, sizes))) for f, sizes in GRADIENTS] + SWAPPED, ids=str)
def test_gradients(f, sizes, dtype):
    inputs = [made(*size, dtype=dtype) for size in sizes]
    for got, expected in zip(gradients(f, "cuda", *inputs), gradients(f, "cpu", *inputs)):
        assert got.is_cuda and got.dtype == dtype
        wide = tg.complex64 if dtype.is_complex else tg.float32
        np.testing.assert_allclose(got.cpu().to(wide).numpy(), expected.to(wide).numpy(), rtol=4 * TOLERANCE[dtype], atol=4 * TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [tg.float32, tg.float16], ids=str)
def test_gradients_are_added_in_place(dtype):
    x, w = made(6, 5, dtype=dtype).cuda(), made(3, 5, dtype=dtype).cuda().requires_grad_()
    tg.nn.functional.linear(x, w).sum().backward()
    first, at = w.grad.clone(), w.grad.data_ptr()
    tg.nn.functional.linear(x, w).sum().backward()
    assert w.grad.data_ptr() == at
    np.testing.assert_allclose(w.grad.float().cpu().numpy(), 2 * first.float().cpu().numpy(), rtol=TOLERANCE[dtype])


def test_nan_in_fresh_memory_does_not_matter():
    a, b = made(4, 4).cuda(), made(4, 4).cuda()
    expected = (a @ b).cpu()
    for _ in range(4):
        junk = tg.full((4, 4), float("nan"), device="cuda")
        del junk  # the next result may lie there
        assert (a @ b).cpu().equal(expected)


def test_float32_is_exact_unless_tf32_is_allowed():
    a, b = (1 + 2.0 ** -12) * tg.ones(2, 8), tg.ones(8, 2)
    exact, short = 8 + 2.0 ** -9, 8.0
    assert (a.cuda() @ b.cuda()).unique().tolist() == [exact]
    try:
        tg.set_float32_matmul_precision("high")
        assert tg.backends.cuda.matmul.allow_tf32
        rounded = (a.cuda() @ b.cuda()).unique().tolist()
        assert rounded in ([short], [exact])  # small products may not be worth it on a device
        assert (a.double().cuda() @ b.double().cuda()).unique().tolist() == [exact]
        tg.backends.cuda.matmul.allow_tf32 = False
        assert tg.get_float32_matmul_precision() == "highest"
        assert (a.cuda() @ b.cuda()).unique().tolist() == [exact]
    finally:
        tg.set_float32_matmul_precision("highest")


def test_the_same_bits_each_time():
    a, b = made(33, 65).cuda(), made(65, 17).cuda()
    first = (a @ b).cpu()
    assert all((a @ b).cpu().equal(first) for _ in range(3))


def test_threads_share_plans():
    import threading
    a, w, biases = made(8, 40).cuda(), made(6, 40).cuda(), [made(6, seed=s) for s in range(4)]
    expected = [tg.nn.functional.linear(a, w, b.cuda()).cpu() for b in biases]
    wrong = []

    def work(k):
        bias = biases[k].cuda()
        for _ in range(10):
            if not tg.nn.functional.linear(a, w, bias).cpu().equal(expected[k]):
                wrong.append(k)
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16, tg.float32, tg.float64], ids=str)
@pytest.mark.parametrize("m", [5, 20])
def test_activations_of_products(dtype, m):
    """gelu in the product's launch where the library has it (here of 16-bit floats) and for few rows; else after it."""
    a, b, bias = made(m, 30, dtype=dtype), made(30, 17, dtype=dtype), made(17, dtype=dtype)
    gelu = tg.nn.functional.gelu
    got = tg._addmm_activation(bias.cuda(), a.cuda(), b.cuda(), use_gelu=True)
    expected = gelu(tg.addmm(bias, a, b), approximate="tanh")
    limit = 2 * TOLERANCE[dtype]
    np.testing.assert_allclose(got.cpu().double().numpy(), expected.double().numpy(), rtol=limit, atol=4 * limit)
    check(lambda bias, a, b: tg._addmm_activation(bias, a, b), bias, a, b)


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16, tg.float32, tg.float64], ids=str)
@pytest.mark.parametrize("m,n", [(5, 16), (20, 17), (20, 24)])
def test_training_through_a_product_with_gelu(dtype, m, n):
    """The product's launch also keeps what gelu is of where the library can (here of 16-bit floats, and n a multiple of 8)."""
    given, g = [made(n, dtype=dtype), made(m, 30, dtype=dtype), made(30, n, dtype=dtype)], made(m, n, dtype=dtype)
    leaves = [[t.clone().to(device).requires_grad_() for t in given] for device in ("cpu", "cuda")]
    expected = tg.nn.functional.gelu(tg.addmm(*leaves[0]), approximate="tanh")
    got = tg._addmm_activation(*leaves[1], use_gelu=True)
    assert got.grad_fn.name() == "GeluBackward0" and got.grad_fn.next_functions[0][0].name() == "AddmmBackward0"
    expected.backward(g), got.backward(g.cuda())
    limit = 2 * TOLERANCE[dtype]
    for a, b in zip([got, *[t.grad for t in leaves[1]]], [expected, *[t.grad for t in leaves[0]]]):
        np.testing.assert_allclose(a.detach().cpu().double().numpy(), b.detach().double().numpy(), rtol=limit, atol=10 * limit)
    if n != 17:  # as without a gradient, to the bit: for m = 20 of 16-bit floats gelu of sums that were not rounded
        with tg.no_grad():
            alone = tg._addmm_activation(*leaves[1], use_gelu=True)
        if m == 20:
            assert alone.equal(got)


@pytest.mark.parametrize("dtype", [tg.float16, tg.float32], ids=str)
def test_the_gradient_of_a_bias(dtype):
    """Made by the weight's product for 16-bit floats, whatever is done with the gradients afterwards."""
    x, w, b = made(40, 24, dtype=dtype), made(16, 24, dtype=dtype), made(16, dtype=dtype)
    for g in (made(40, 16, dtype=dtype), made(16, dtype=dtype).expand(40, 16), made(16, 40, dtype=dtype).t()):
        results = []
        for device in ("cpu", "cuda"):
            leaves = [t.clone().to(device).requires_grad_() for t in (x, w, b)]
            for _ in range(2):  # the second time added to the first
                tg.nn.functional.linear(*leaves).backward(g.to(device))
            results.append([t.grad for t in leaves])
        for cpu, cuda in zip(*results):
            np.testing.assert_allclose(cuda.cpu().float().numpy(), cpu.float().numpy(), rtol=4 * TOLERANCE[dtype], atol=20 * TOLERANCE[dtype])
    leaves = [t.double().cuda().requires_grad_() for t in (x, w, b)]
    (db,) = tg.autograd.grad((tg.nn.functional.linear(*leaves) ** 2).sum(), leaves[2:], create_graph=True)
    assert db.requires_grad
    db.sum().backward()
    assert leaves[0].grad.isfinite().all()
