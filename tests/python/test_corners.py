"""Corners that the mutation check (tests/mutation) found without a test."""
import math
import threading
import time

import numpy as np
import pytest
import tapegrad as tg


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_softmax_down_columns_of_very_negative_numbers(dtype):
    x = tg.tensor([[-1e5, -2e5], [-1e5, -2e5 - 1], [-1e5, -2e5]], dtype=dtype)
    e = math.exp(-1)
    expected = tg.tensor([[1 / 3, 1 / (2 + e)], [1 / 3, e / (2 + e)], [1 / 3, 1 / (2 + e)]], dtype=dtype)
    assert tg.allclose(x.softmax(0), expected) and tg.allclose(x.log_softmax(0), expected.log())
    wide = x.repeat(1, 40)
    assert tg.allclose(wide.softmax(0), expected.repeat(1, 40))


def test_the_gradient_of_logcumsumexp_where_exp_overflows():
    x = tg.tensor([800.0, 900.0, 900.0], dtype=tg.float64, requires_grad=True)
    x.logcumsumexp(0).sum().backward()
    assert tg.allclose(x.grad, tg.tensor([1, 1.5, 0.5], dtype=tg.float64))


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64, tg.int64, tg.bfloat16])
def test_of_equal_running_extremes_the_last_is_named(dtype):
    x = tg.tensor([2, 1, 2, 3, 3, 0, 0, 3], dtype=dtype)
    assert x.cummax(0).indices.tolist() == [0, 0, 2, 3, 4, 4, 4, 7]
    assert x.cummin(0).indices.tolist() == [0, 1, 1, 1, 1, 5, 6, 6]


@pytest.mark.parametrize("dtype", [tg.complex64, tg.complex128])
@pytest.mark.parametrize("n", [3, 7, 9, 13])
def test_inverse_transforms_of_many_short_lines(n, dtype):
    x = tg.randn(50, n, dtype=dtype, generator=tg.Generator().manual_seed(n))
    expected = np.fft.ifft(x.numpy())
    for lines in (tg.fft.ifft(x), tg.fft.ifft(x.t().contiguous(), dim=0).t()):
        np.testing.assert_allclose(lines.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64, tg.int64])
def test_running_sums_of_long_rows(dtype):
    x = (tg.arange(5 * 101) % 7).view(5, 101).to(dtype)
    assert x.cumsum(1).tolist() == x.numpy().cumsum(1).tolist()
    if dtype.is_floating_point:
        y = tg.zeros_like(x).requires_grad_()
        y.cumsum(1).backward(x)
        assert y.grad.tolist() == x.numpy()[:, ::-1].cumsum(1)[:, ::-1].tolist()


@pytest.mark.parametrize("n", [1 << 17, (1 << 17) + 3])
def test_many_numbers_added_into_few_are_all_there(n):
    at = tg.arange(n) * 7 % 101
    counts = np.bincount(at.numpy(), minlength=101)
    assert tg.zeros(101).scatter_add(0, at, tg.ones(n)).tolist() == counts.tolist()
    assert tg.zeros(101).index_add(0, at, tg.ones(n)).tolist() == counts.tolist()


def test_equal_medians_share_the_gradient():
    x = tg.tensor([3.0, 2.0, 1.0, 2.0, 2.0], requires_grad=True)
    x.median().backward()
    assert tg.allclose(x.grad, tg.tensor([0, 1, 0, 1, 1]) / 3)
    y = tg.tensor([math.nan, 2.0, 2.0], requires_grad=True)
    y.nanmedian().backward()
    assert y.grad.tolist() == [0, 0.5, 0.5]


def test_the_gradient_of_the_deviation_of_equal_numbers_is_zero():
    x = tg.full((3, 5), 2.0, requires_grad=True)
    (x.std() + x.std(1).sum() + x.std(0).sum()).backward()
    assert x.grad.tolist() == [[0] * 5] * 3


def test_gradients_of_joined_tensors_keep_their_dtypes():
    x, y = tg.ones(2, 3, dtype=tg.float32, requires_grad=True), tg.ones(2, 3, dtype=tg.float64, requires_grad=True)
    seen = []
    x.register_hook(lambda g: seen.append(g.dtype))
    (tg.cat([x, y]) * 2).sum().backward()
    (tg.stack([x, y]) * 2).sum().backward()
    assert x.grad.dtype == tg.float32 and y.grad.dtype == tg.float64 and seen == [tg.float32] * 2


def test_a_new_dimension_has_the_stride_that_spans_those_behind():
    x = tg.zeros(2, 3, 4)
    assert [x.unsqueeze(d).stride() for d in range(4)] == [(24, 12, 4, 1), (12, 12, 4, 1), (12, 4, 4, 1), (12, 4, 1, 1)]


def test_shapes_that_do_not_broadcast_whichever_is_larger():
    for a, b in (((3,), (2,)), ((2,), (3,)), ((4, 1, 2), (3, 3))):
        with pytest.raises(tg.ShapeError, match="do not broadcast"):
            tg.broadcast_tensors(tg.zeros(a), tg.zeros(b))


def test_cat_takes_no_empty_tensor_of_another_shape():
    assert tg.cat([tg.zeros(0), tg.ones(2, 3)]).shape == (2, 3)
    with pytest.raises(tg.ShapeError, match="must match"):
        tg.cat([tg.zeros(0, 5), tg.ones(2, 3)])


def test_a_hook_of_a_shared_weight_sees_the_new_gradient_alone():
    w = tg.ones(64, 64, requires_grad=True)
    seen = []
    w.register_hook(lambda g: seen.append(g.sum().item()))
    for _ in range(2):
        (tg.ones(8, 64) @ w).sum().backward()
    assert seen == [8 * 64 * 64] * 2 and w.grad.sum().item() == 16 * 64 * 64


def test_leaves_that_get_the_same_gradient_have_each_their_own():
    x, y, g = tg.ones(4, requires_grad=True), tg.ones(4, requires_grad=True), tg.ones(4)
    (x + y).backward(g)
    x.grad.zero_()
    assert y.grad.tolist() == g.tolist() == [1] * 4


def test_no_node_runs_in_two_threads_at_once():
    inside, most = [], []

    class Slow(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.1)
            inside.pop()
            return g * 2

    x = tg.ones(3, requires_grad=True)
    shared = Slow.apply(x)
    threads = [threading.Thread(target=lambda loss: loss.backward(retain_graph=True), args=((shared * k).sum(),)) for k in (1, 2, 3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert max(most) == 1 and x.grad.tolist() == [12] * 3


def test_retained_gradients_add_up():
    x = tg.ones(3, requires_grad=True)
    y = x * 2
    y.retain_grad()
    for _ in range(3):
        y.sum().backward(retain_graph=True)
    assert y.grad.tolist() == [3] * 3


def test_second_derivatives_under_saved_tensor_hooks():
    x = tg.tensor([0.5, 1.5], dtype=tg.float64, requires_grad=True)
    with tg.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        y = x.exp() * x.tanh()
    (g,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = tg.autograd.grad(g.sum(), x)
    z = x.detach().requires_grad_()
    (g,) = tg.autograd.grad((z.exp() * z.tanh()).sum(), z, create_graph=True)
    assert tg.allclose(h, tg.autograd.grad(g.sum(), z)[0])


def test_memory_that_cannot_be_had_is_not_counted():
    before = tg.memory_stats()["in_use"]
    with pytest.raises(tg.OutOfMemoryError):
        tg.empty(1 << 44, dtype=tg.uint8)
    assert tg.memory_stats()["in_use"] == before


def test_a_parameter_with_gaps_in_memory_is_written():
    whole = tg.ones(4, 6)
    p = whole[:, ::2].detach().requires_grad_()
    assert not p.is_contiguous()
    for optimizer in (tg.optim.SGD([p], lr=0.5), tg.optim.Adam([p], lr=0.5)):
        before = p.detach().clone()
        p.grad = tg.ones(4, 3)
        optimizer.step()
        assert tg.allclose(p.detach(), before - 0.5) and tg.allclose(whole[:, ::2], p.detach()) and whole[:, 1::2].eq(1).all()


def test_rprops_steps_have_limits():
    p = tg.zeros(2, requires_grad=True)
    optimizer = tg.optim.Rprop([p], lr=1.0, etas=(0.5, 4.0), step_sizes=(0.25, 8.0))
    moves = []
    for sign in (1, 1, 1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1):
        before = p.detach().clone()
        p.grad = tg.tensor([1.0, float(sign)])
        optimizer.step()
        moves.append((before - p.detach()).abs().tolist())
    assert max(m[0] for m in moves) == 8 and min(m[1] for m in moves if m[1]) == 0.25


def test_polynomial_schedules_reach_their_end():
    optimizer = tg.optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    schedule = tg.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4, power=1.0)
    rates = []
    for _ in range(6):
        optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
    assert rates == pytest.approx([0.75, 0.5, 0.25, 0, 0, 0])
