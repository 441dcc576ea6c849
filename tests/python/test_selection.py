"""topk is the beginning of sort, for lines short and long, with ties, NaN and infinities; masks select what positions do."""
import numpy as np
import pytest

import tapegrad as tg

LINES = {
    "normal": lambda r, n: r.standard_normal(n).astype(np.float32),
    "nan": lambda r, n: np.where(r.random(n) < 0.3, np.nan, r.standard_normal(n)),
    "only nan": lambda r, n: np.full(n, np.nan, np.float32),
    "few values": lambda r, n: r.choice([np.inf, -np.inf, 0.0, -0.0, np.nan], n),
    "integers": lambda r, n: r.integers(-5, 5, n),
    "bytes": lambda r, n: r.integers(0, 255, n).astype(np.uint8),
    "bools": lambda r, n: r.random(n) < 0.5,
    "half": lambda r, n: r.standard_normal(n).astype(np.float16),
}


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("kind", LINES)
def test_topk_begins_like_sort(kind, largest):
    rng = np.random.default_rng(0)
    for n, k in [(1, 1), (63, 1), (64, 1), (65, 2), (500, 7), (1000, 10), (5000, 78), (5000, 4000), (40_000, 100)]:
        line = LINES[kind](rng, n)
        for x in (line, np.stack([line, line[::-1]], 1)):
            t = tg.tensor(x)
            top, order = t.topk(k, 0, largest), t.sort(0, largest)
            np.testing.assert_array_equal(top.indices.numpy(), order.indices.numpy()[:k])
            np.testing.assert_array_equal(top.values.numpy(), order.values.numpy()[:k])


def test_sort_is_stable_at_every_length():
    rng = np.random.default_rng(1)
    for n in (2, 127, 128, 129, 255, 256, 257, 8191, 8192, 8193):
        for x in (rng.integers(0, 9, n), rng.integers(0, 9, n).astype(np.float32), rng.integers(0, 9, n).astype(np.int32) - 4):
            np.testing.assert_array_equal(tg.tensor(x).sort().indices.numpy(), np.argsort(x, kind="stable"))


def test_masks_of_several_pieces():
    rng = np.random.default_rng(2)
    for shape in [(100_000,), (70_000, 3), (3, 40_000), (0, 4), (5, 0)]:
        x = rng.standard_normal(shape)
        for keep in (0.5, 0.0, 1.0):
            mask = rng.random(shape) < keep
            np.testing.assert_array_equal(tg.tensor(x)[tg.tensor(mask)].numpy(), x[mask])
            np.testing.assert_array_equal(tg.tensor(mask).nonzero().numpy(), np.argwhere(mask))
