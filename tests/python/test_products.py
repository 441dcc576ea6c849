"""Matrix products of every size class of the kernels: edges of tiles, panels, blocks and pieces; any strides; the same bits
with one thread and with two."""
import numpy as np
import pytest

import tapegrad as tg

SIZES = [(1, 1, 1), (1, 40, 17), (1, 300, 1000), (1000, 64, 1), (2, 9, 65), (5, 100, 33), (7, 3, 130), (8, 8, 8), (9, 17, 10), (16, 31, 49),
         (33, 100, 77), (47, 400, 50), (64, 64, 64), (130, 129, 131), (100, 800, 97), (35, 1, 300), (260, 50, 400)]


@pytest.fixture
def two_threads():
    before = tg.get_num_threads()
    tg.set_num_threads(2)
    yield
    tg.set_num_threads(before)


def operand(rng, rows, cols, how, dtype):
    x = rng.standard_normal((rows, cols))
    t = tg.tensor(x, dtype=dtype)
    if how == "across":
        t = tg.tensor(np.ascontiguousarray(x.T), dtype=dtype).t()
    elif how == "part":  # rows that are not next to each other
        t = tg.cat([t, t], 1)[:, :cols]
    return t


@pytest.mark.parametrize("dtype, tolerance", [(tg.float32, 2e-6), (tg.float64, 4e-15), (tg.bfloat16, 1e-2)])
@pytest.mark.parametrize("m, k, n", SIZES)
def test_products_of_all_layouts(m, k, n, dtype, tolerance, two_threads):
    rng = np.random.default_rng(m * 7 + k * 3 + n)
    for left in ("plain", "across", "part"):
        for right in ("plain", "across", "part"):
            a, b = operand(rng, m, k, left, dtype), operand(rng, k, n, right, dtype)
            exact = a.double().numpy() @ b.double().numpy()
            scale = np.abs(a.double().numpy()) @ np.abs(b.double().numpy()) + 1e-30
            got = a @ b
            assert (np.abs(got.double().numpy() - exact) / scale).max() < tolerance, (left, right)
            tg.set_num_threads(1)
            assert tg.equal(a @ b, got), (left, right)
            tg.set_num_threads(2)
            bias = tg.tensor(rng.standard_normal(n), dtype=dtype)
            plus = tg.addmm(bias, a, b).double().numpy()
            assert (np.abs(plus - exact - bias.double().numpy()) / (scale + np.abs(bias.double().numpy()))).max() < tolerance


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_batches_of_small_products(dtype):
    rng = np.random.default_rng(0)
    for m, k, n in [(8, 8, 8), (4, 4, 4), (3, 7, 5), (64, 8, 2), (65, 8, 8), (8, 8, 1)]:
        a, b = rng.standard_normal((5, 3, m, k)), rng.standard_normal((3, k, n))
        got = tg.tensor(a, dtype=dtype) @ tg.tensor(b, dtype=dtype)
        np.testing.assert_allclose(got.numpy(), a @ b, rtol=1e-4, atol=1e-5)
        across = tg.tensor(np.ascontiguousarray(b.swapaxes(1, 2)), dtype=dtype).mT
        np.testing.assert_allclose((tg.tensor(a, dtype=dtype) @ across).numpy(), a @ b, rtol=1e-4, atol=1e-5)
