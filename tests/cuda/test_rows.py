"""Softmax, norms and losses on the device: lengths around the borders of the kernels (a warp, a block, longer), rows that begin between
two vectors, half types."""
import numpy as np
import pytest

import tapegrad as tg
import tapegrad.nn.functional as F
from both import LIMITS, array, close, compare, same

DTYPES = [tg.float32, tg.float64, tg.float16, tg.bfloat16]
LENGTHS = [1, 2, 3, 31, 64, 65, 127, 256, 1020, 1021, 1024, 1027]


@pytest.mark.parametrize("n", LENGTHS)
def test_softmax_rows(n):
    x = array((5, n), seed=n, scale=3)
    compare(lambda t: F.softmax(t, -1), x)
    compare(lambda t: F.log_softmax(t, -1), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [50, 1025, 8193])
def test_softmax_dtypes(dtype, n):
    x = array((2, n), seed=n, scale=3)
    compare(lambda t: F.softmax(t, -1), x, dtype=dtype)
    compare(lambda t: F.log_softmax(t, -1), x, dtype=dtype)


@pytest.mark.parametrize("shape,dim", [((3, 5, 7), 1), ((300, 3), 0), ((4, 1, 6), 1), ((2, 3, 4, 5), -3), ((1, 200, 129), 1)])
def test_softmax_columns(shape, dim):
    compare(lambda t: F.softmax(t, dim), array(shape))
    compare(lambda t: F.log_softmax(t, dim), array(shape), dtype=tg.float16)


def test_softmax_of_views_that_begin_anywhere():
    flat = array((4 * 37 + 9,))
    for start in range(5):
        compare(lambda t: F.softmax(t[start:start + 4 * 37].reshape(4, 37), -1), flat)
        compare(lambda t: F.layer_norm(t[start:start + 4 * 37].reshape(4, 37), [37]), flat, dtype=tg.bfloat16)
    compare(lambda t: F.softmax(t.t(), -1), array((13, 17)))


def test_softmax_of_infinities_and_nan():
    inf = np.inf
    x = np.array([[1, -inf, 2, -inf], [-inf] * 4, [inf, 0, 1, 2], [np.nan, 0, 1, -inf]])
    wide = np.concatenate([x, np.full((4, 9000), -inf)], 1)
    for rows in (x, wide):
        for f in (F.softmax, F.log_softmax):
            cpu, cuda = (f(tg.tensor(rows).float().to(d), -1) for d in ("cpu", "cuda"))
            close(cuda, cpu, 1e-6)


def test_double_backward():
    grads = []
    for device in ("cpu", "cuda"):
        x = tg.tensor(array((3, 6))).to(device).requires_grad_()
        w = tg.tensor(array((6,), 3)).to(device).requires_grad_()
        t = tg.tensor([1, 5, -100]).to(device)
        y = (F.softmax(x, 1) ** 2).sum() + (F.layer_norm(x, [6], w) ** 3).sum() + F.cross_entropy(x, t, w.detach().abs(), label_smoothing=0.1)
        (g,) = tg.autograd.grad(y, x, create_graph=True)
        (g ** 2).sum().backward()
        grads.append((x.grad, w.grad))
    for cpu, cuda in zip(*grads):
        close(cuda, cpu, 1e-10)


@pytest.mark.parametrize("n", LENGTHS)
def test_layer_norm_lengths(n):
    x, w, b = array((70, n), seed=n) + 3, array((n,), 1), array((n,), 2)
    limit = 2e-4 if n < 4 else None  # two numbers that are near each other: what is left of their digits
    compare(lambda t, u, v: F.layer_norm(t, [n], u, v, eps=1e-3), x, w, b, limit=limit)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [96, 1030, 8200])
def test_norms_dtypes(dtype, n):
    x, w, b = array((3, n), seed=n) + 1, array((n,), 1), array((n,), 2)
    limit = LIMITS[dtype] * 3
    compare(lambda t, u, v: F.layer_norm(t, [n], u, v), x, w, b, dtype=dtype, limit=limit)
    compare(lambda t, u: F.rms_norm(t, [n], u), x, w, dtype=dtype, limit=limit)
    compare(lambda t: F.layer_norm(t, [n]), x, dtype=dtype, limit=limit)
    compare(lambda t, v: F.layer_norm(t, [n], None, v), x, b, dtype=dtype, limit=limit)


def test_layer_norm_sums_over_many_rows():
    for rows in (1, 63, 64, 65, 1000, 5000):
        compare(lambda t, u, v: F.layer_norm(t, [12], u, v), array((rows, 12)), array((12,), 1), array((12,), 2), limit=1e-4)


@pytest.mark.parametrize("rows, n", [(5, 8), (1030, 8), (270, 1032), (3, 1024)])
@pytest.mark.parametrize("dtype", [tg.float32, tg.bfloat16])
def test_norm_gradients_in_one_pass(rows, n, dtype):
    """Rows that all begin alike: fewer than there are teams of threads, and more."""
    x, w, b = array((rows, n)), array((n,), 1), array((n,), 2)
    limit = 1e-1 if dtype == tg.bfloat16 else 2e-4  # the sums of gradients over the rows
    compare(lambda t, u, v: F.layer_norm(t, [n], u, v), x, w, b, dtype=dtype, limit=limit)
    compare(lambda t, u: F.rms_norm(t, [n], u), x, w, dtype=dtype, limit=limit)


def test_layer_norm_mixed_dtypes():
    out = []
    for device in ("cpu", "cuda"):
        x = tg.tensor(array((4, 32))).bfloat16().to(device).requires_grad_()
        w = tg.tensor(array((32,), 1)).float().to(device).requires_grad_()
        y = F.layer_norm(x, [32], w)
        y.float().sum().backward()
        assert y.dtype == tg.bfloat16 and w.grad.dtype == tg.float32
        out.append((y, x.grad, w.grad))
    for cpu, cuda in zip(*out):
        close(cuda, cpu, 2e-2)


@pytest.mark.parametrize("shape,groups", [((2, 4, 5), 2), ((3, 6), 2), ((2, 8, 3, 3), 8), ((2, 6, 40, 41), 3), ((1, 2, 5001), 1)])
def test_group_norm(shape, groups):
    c = shape[1]
    compare(lambda t, u, v: F.group_norm(t, groups, u, v), array(shape), array((c,), 1), array((c,), 2), limit=1e-4)
    compare(lambda t: F.group_norm(t, groups), array(shape), limit=1e-4)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5)])
def test_batch_and_instance_norm(shape):
    for training in (True, False):
        stats = []
        for device in ("cpu", "cuda"):
            m, v = tg.zeros(3, device=device), tg.ones(3, device=device)
            x = tg.tensor(array(shape)).float().to(device).requires_grad_()
            w = tg.tensor(array((3,), 1)).float().to(device).requires_grad_()
            b = tg.tensor(array((3,), 2)).float().to(device).requires_grad_()
            y = F.batch_norm(x, m, v, w, b, training)
            if len(shape) > 2:
                y = y + F.instance_norm(x, m, v, w, b, training)
            (y ** 2).sum().backward()
            stats.append((y, x.grad, w.grad, b.grad, m, v))
        for cpu, cuda in zip(*stats):
            close(cuda, cpu, 1e-4)


CLASSES = [2, 65, 1000, 1025, 3001]


@pytest.mark.parametrize("n", CLASSES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy(n, reduction):
    t = np.random.default_rng(n).integers(0, n, 7)
    t[3] = -100
    for weight, smoothing in ((None, 0.0), (np.abs(array((n,), 5)), 0.0), (None, 0.1), (np.abs(array((n,), 5)), 0.2)):
        def loss(x):
            w = None if weight is None else tg.tensor(weight).to(x.dtype).to(x.device)
            return F.cross_entropy(x, tg.tensor(t).to(x.device), w, reduction=reduction, label_smoothing=smoothing)
        compare(loss, array((7, n), n, 4), limit=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_dtypes(dtype):
    t = np.random.default_rng(0).integers(0, 77, 40)
    compare(lambda x: F.cross_entropy(x, tg.tensor(t).to(x.device)), array((40, 77), 1, 3), dtype=dtype)
    compare(lambda x: F.nll_loss(x, tg.tensor(t).to(x.device)), array((40, 77), 1, 3), dtype=dtype)
    compare(lambda x: F.cross_entropy(x, tg.tensor(t[:24].reshape(2, 12)).to(x.device)), array((2, 77, 12), 1, 3), dtype=dtype)


def test_cross_entropy_of_nothing_counted():
    x = tg.tensor(array((3, 4))).cuda().requires_grad_()
    F.cross_entropy(x, tg.full((3,), -100, dtype=tg.int64, device="cuda"), reduction="sum").backward()
    assert (x.grad == 0).all().item()


def test_cross_entropy_class_out_of_bounds():
    x = tg.randn(3, 4, device="cuda")
    loss = F.cross_entropy(x, tg.tensor([0, 4, 1]).cuda())
    with pytest.raises(IndexError, match="target must hold classes from 0 to 3 or ignore_index, got 4 .found on the device, in cross_entropy"):
        loss.item()
    assert np.isfinite(F.cross_entropy(x, tg.tensor([0, 3, 1]).cuda()).item())  # noted once


def test_same_bits_every_time():
    x, w = tg.tensor(array((300, 70))).float().cuda().requires_grad_(), tg.ones(70, device="cuda", requires_grad=True)

    def run():
        x.grad = w.grad = None
        F.cross_entropy(F.layer_norm(x, [70], w), tg.arange(300, device="cuda") % 70).backward()
        return x.grad, w.grad
    for a, b in zip(run(), run()):
        same(a, b)


def test_devices_must_agree():
    with pytest.raises(Exception, match="must be on one device"):
        F.cross_entropy(tg.randn(3, 4, device="cuda"), tg.tensor([0, 1, 2]))
    with pytest.raises(Exception, match="must be on one device"):
        F.layer_norm(tg.randn(3, 4, device="cuda"), [4], tg.ones(4))
