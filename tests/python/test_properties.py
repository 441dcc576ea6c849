"""Views, indexing and broadcasting against NumPy, on shapes and indices that hypothesis invents."""
import operator

import numpy as np
import tapegrad as tg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

settings.register_profile("tapegrad", deadline=None, max_examples=150, derandomize=True,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
settings.load_profile("tapegrad")

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
nonempty = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


def array(shape, dtype=np.float64):
    return np.arange(int(np.prod(shape)), dtype=dtype).reshape(shape)


def held(a):
    return tg.from_numpy(np.array(a))


def same(tensor, expected):
    expected = np.asarray(expected)
    if tensor is None:  # a gradient that never was is one of zeros
        assert not expected.any()
        return
    assert tuple(tensor.shape) == expected.shape
    np.testing.assert_array_equal(tensor.detach().numpy(), expected)


# ---- views

@st.composite
def chains_of_views(draw):
    """A shape and a list of view steps, as (NumPy function, tapegrad function) pairs."""
    shape = draw(nonempty)
    a = array(shape)
    steps = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["permute", "slice", "unsqueeze", "select", "expand", "squeeze", "reshape", "diagonal"]))
        if kind == "permute":
            p = draw(st.permutations(range(a.ndim)))
            step = (lambda x, p=p: x.transpose(p)), (lambda x, p=p: x.permute(tuple(p)))
        elif kind == "slice" and a.ndim:
            d = draw(st.integers(0, a.ndim - 1))
            s = draw(st.slices(a.shape[d]).filter(lambda s: (s.step or 1) > 0))
            index = (slice(None),) * d + (s,)
            step = (lambda x, i=index: x[i]), (lambda x, i=index: x[i])
        elif kind == "unsqueeze":
            d = draw(st.integers(0, a.ndim))
            step = (lambda x, d=d: np.expand_dims(x, d)), (lambda x, d=d: x.unsqueeze(d))
        elif kind == "select" and a.ndim and 0 not in a.shape:
            d = draw(st.integers(0, a.ndim - 1))
            k = draw(st.integers(-a.shape[d], a.shape[d] - 1))
            step = (lambda x, d=d, k=k: np.moveaxis(x, d, 0)[k]), (lambda x, d=d, k=k: x.select(d, k))
        elif kind == "expand":
            n = draw(st.integers(1, 3))
            step = (lambda x, n=n: np.broadcast_to(x, (n,) + x.shape)), (lambda x, n=n: x.expand(n, *x.shape))
        elif kind == "squeeze":
            step = np.squeeze, (lambda x: x.squeeze())
        elif kind == "reshape":
            step = (lambda x: x.reshape(-1)), (lambda x: x.reshape(-1))
        elif kind == "diagonal" and a.ndim > 1:
            o = draw(st.integers(-2, 2).filter(lambda o: -a.shape[0] < o < a.shape[1]) if min(a.shape[:2]) else st.just(0))
            step = (lambda x, o=o: np.diagonal(x, o)), (lambda x, o=o: x.diagonal(o))
        else:
            continue
        if a.ndim > 8:
            break
        a = step[0](a)
        steps.append(step)
    return shape, steps


@given(chains_of_views())
def test_chain_of_views_reads_as_numpy(case):
    shape, steps = case
    a, t = array(shape), held(array(shape))
    for numpy_step, our_step in steps:
        a, t = numpy_step(a), our_step(t)
        same(t, a)


@given(chains_of_views())
def test_gradient_of_a_chain_of_views_counts_uses(case):
    """Each element's gradient is how often it appears in the result, weighted."""
    shape, steps = case
    x = held(array(shape)).requires_grad_()
    t, a = x * 1, array(shape)
    for numpy_step, our_step in steps:
        a, t = numpy_step(a), our_step(t)
    weights = np.arange(1.0, a.size + 1).reshape(a.shape)
    expected = np.zeros(int(np.prod(shape)))
    np.add.at(expected, a.astype(np.int64).ravel(), weights.ravel())
    (t * held(weights)).sum().backward()
    same(x.grad, expected.reshape(shape))


@given(chains_of_views())
def test_writing_through_a_chain_of_views(case):
    shape, steps = case
    base, x = array(shape), held(array(shape))
    a, t = base, x
    for numpy_step, our_step in steps:
        a, t = numpy_step(a), our_step(t)
        if not np.shares_memory(a, base) or not a.flags.writeable and 0 in a.strides:
            return
    if any(s == 0 and n > 1 for n, s in zip(a.shape, a.strides)):
        return
    if not isinstance(a, np.ndarray):
        return  # a NumPy scalar is a copy
    a.setflags(write=True)  # np.diagonal gives a read-only view
    if t.data_ptr() < x.data_ptr() or t._base is None and t is not x:
        return  # reshape copied
    a[...] = -1
    t.fill_(-1)
    same(x, base)


# ---- indexing

@st.composite
def indexed(draw, integers_only=False):
    """A shape and an index that NumPy and PyTorch read the same way."""
    shape = draw(nonempty)
    parts, advanced = [], draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    d, used_ellipsis = 0, False
    while d < len(shape):
        kind = draw(st.sampled_from(["int", "slice", "array", "mask", "none", "ellipsis", "stop"]))
        if kind == "stop":
            break
        if kind == "none":
            if len([p for p in parts if p is None]) < 2:
                parts.append(None)
            continue
        if kind == "ellipsis":
            if used_ellipsis:
                continue
            used_ellipsis = True
            parts.append(Ellipsis)
            d += draw(st.integers(0, len(shape) - d))
            rest = len(shape) - d
            if rest == 0:
                break
            # what follows the ellipsis is counted from the end, so take all of it
            for n in shape[d:]:
                parts.append(draw(st.integers(-n, n - 1)))
            break
        n = shape[d]
        if kind == "int":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            parts.append(draw(st.slices(n).filter(lambda s: (s.step or 1) > 0)))
        elif kind == "array":
            parts.append(draw(hnp.arrays(np.int64, advanced, elements=st.integers(-n, n - 1))))
        elif kind == "mask":
            if any(isinstance(p, np.ndarray) for p in parts):
                continue
            mask = draw(hnp.arrays(np.bool_, (n,)))
            parts.append(mask)
            advanced = (int(mask.sum()),) if mask.sum() else (0,)
            if 0 in advanced:
                d += 1
                break
        d += 1
    return shape, tuple(parts)


def ours(index):
    return tuple(held(np.array(p)) if isinstance(p, np.ndarray) else p for p in index)


def mixes_int_and_array(index):
    """NumPy counts an int beside index arrays as one of them, PyTorch takes it first: only their placement rule differs."""
    return any(isinstance(p, np.ndarray) for p in index) and any(type(p) is int for p in index)


@given(indexed())
def test_reading_an_index(case):
    shape, index = case
    if mixes_int_and_array(index):
        return
    try:
        expected = array(shape)[index]
    except IndexError:  # masks and arrays that do not broadcast: both must refuse
        try:
            held(array(shape))[ours(index)]
        except IndexError:
            return
        raise AssertionError("NumPy refuses this index")
    same(held(array(shape))[ours(index)], expected)


@given(indexed())
def test_writing_an_index(case):
    shape, index = case
    if mixes_int_and_array(index):
        return
    a, t = array(shape), held(array(shape))
    try:
        a[index] = -1.0
    except IndexError:
        return
    t[ours(index)] = -1.0
    same(t, a)


@given(indexed())
def test_gradient_of_an_index_counts_uses(case):
    shape, index = case
    if mixes_int_and_array(index):
        return
    try:
        picked = array(shape)[index]
    except IndexError:
        return
    x = held(array(shape)).requires_grad_()
    y = x[ours(index)]
    weights = np.arange(1.0, picked.size + 1).reshape(picked.shape)
    (y * held(weights)).sum().backward()
    expected = np.zeros(int(np.prod(shape)))
    np.add.at(expected, picked.astype(np.int64).ravel(), weights.ravel())
    same(x.grad, expected.reshape(shape))


@given(indexed())
def test_gradient_of_writing_an_index(case):
    """What was overwritten gets no gradient; what was written gets that of its place (the last write wins)."""
    shape, index = case
    if mixes_int_and_array(index):
        return
    try:
        picked = array(shape)[index]
    except IndexError:
        return
    if len(np.unique(picked)) != picked.size or picked.size == 0:
        return
    x = held(array(shape)).requires_grad_()
    v = tg.zeros(tuple(picked.shape), dtype=tg.float64, requires_grad=True)
    y = x * 1
    y[ours(index)] = v
    weights = np.arange(1.0, int(np.prod(shape)) + 1).reshape(shape)
    (y * held(weights)).sum().backward()
    kept = weights.copy()
    kept[index] = 0
    same(x.grad, kept)
    same(v.grad, weights[index])


@given(nonempty, st.data())
def test_index_put_accumulates_repeated_indices(shape, data):
    n = shape[0]
    k = data.draw(hnp.arrays(np.int64, hnp.array_shapes(min_dims=1, max_dims=2, max_side=4), elements=st.integers(-n, n - 1)))
    values = array(k.shape + shape[1:]) + 1
    a = np.zeros(shape)
    np.add.at(a, k, values)
    t = tg.zeros(shape, dtype=tg.float64)
    t.index_put_((held(k),), held(values), accumulate=True)
    same(t, a)


@given(nonempty, st.data())
def test_boolean_mask_of_full_shape(shape, data):
    mask = data.draw(hnp.arrays(np.bool_, shape))
    a, x = array(shape), held(array(shape)).requires_grad_()
    y = x[held(mask)]
    same(y, a[mask])
    y.sum().backward()
    same(x.grad, mask.astype(np.float64))
    same(tg.masked_select(x, held(mask)), a[mask])
    filled = a.copy()
    filled[mask] = 7
    same(x.masked_fill(held(mask), 7), filled)


@given(nonempty, st.data())
def test_take_along_dim_gather_scatter(shape, data):
    d = data.draw(st.integers(0, len(shape) - 1))
    k = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(0, shape[d] - 1)))
    a, t = array(shape), held(array(shape))
    same(t.gather(d, held(k)), np.take_along_axis(a, k, d))
    added = np.zeros(shape)
    grid = list(np.indices(shape))
    grid[d] = k
    np.add.at(added, tuple(grid), a)
    same(tg.zeros(shape, dtype=tg.float64).scatter_add(d, held(k), t), added)


# ---- broadcasting

@st.composite
def broadcastable(draw, n=2):
    r = draw(hnp.mutually_broadcastable_shapes(num_shapes=n, max_dims=4, max_side=4))
    return r.input_shapes


@given(broadcastable(), st.sampled_from([operator.add, operator.sub, operator.mul, operator.truediv, operator.lt]))
def test_binary_broadcasts_as_numpy(pair, op):
    a, b = array(pair[0]) - 3, array(pair[1]) + 1
    same(op(held(a.copy()), held(b.copy())), op(a, b))


@given(broadcastable())
def test_gradient_of_broadcasting_sums_back(pair):
    a, b = array(pair[0]) + 1, array(pair[1]) + 2
    x, y = held(a).requires_grad_(), held(b).requires_grad_()
    out = x * y
    weights = np.arange(1.0, out.numel() + 1).reshape(tuple(out.shape))
    (out * held(weights)).sum().backward()

    def back(g, shape):
        g = g.sum(axis=tuple(range(g.ndim - len(shape))))
        axes = tuple(k for k, n in enumerate(shape) if n == 1 and g.shape[k] != 1)
        return g.sum(axis=axes, keepdims=True) if axes else g

    np.testing.assert_allclose(x.grad.numpy(), back(weights * b, a.shape), rtol=1e-12)
    np.testing.assert_allclose(y.grad.numpy(), back(weights * a, b.shape), rtol=1e-12)


@given(broadcastable(3))
def test_where_broadcasts(triple):
    c, a, b = array(triple[0]) % 2 == 0, array(triple[1]), -array(triple[2])
    same(tg.where(held(c), held(a), held(b)), np.where(c, a, b))


@given(nonempty, st.data())
def test_reductions_match_numpy(shape, data):
    a = array(shape) - 5
    dims = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    keep = data.draw(st.booleans())
    t, axes = held(a.copy()), tuple(sorted(dims))
    same(t.sum(axes, keepdim=keep), a.sum(axes, keepdims=keep))
    same(t.amax(axes, keepdim=keep), a.max(axes, keepdims=keep))
    np.testing.assert_allclose(t.mean(axes, keepdim=keep).numpy(), a.mean(axes, keepdims=keep), rtol=1e-12)
    d = axes[0]
    same(t.argmin(d, keepdim=keep), np.argmin(a, d, keepdims=keep))
    same(t.cumsum(d), a.cumsum(d))
    same(t.sort(d)[0], np.sort(a, d))


@given(st.lists(hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=4), min_size=1, max_size=4), st.integers(0, 1))
def test_cat_and_split_are_inverse(list_of_shapes, dim):
    other = list_of_shapes[0][1 - dim]
    arrays = [array((s[dim], other) if dim == 0 else (other, s[dim])) for s in list_of_shapes]
    joined = tg.cat([held(a.copy()) for a in arrays], dim)
    same(joined, np.concatenate(arrays, dim))
    for part, a in zip(joined.split([a.shape[dim] for a in arrays], dim), arrays):
        same(part, a)
