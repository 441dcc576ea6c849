"""The array API standard: every name with its signature, and every function against array_api_strict on inputs made by hypothesis."""
import inspect
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from hypothesis.extra import numpy as hnp

import tapegrad as tg
import tapegrad.array_api as xp

strict = pytest.importorskip("array_api_strict", minversion="2.6")
strict.set_array_api_strict_flags(api_version="2025.12")
KINDS = ("bool", "signed integer", "unsigned integer", "real floating", "complex floating")


def public(module):
    return [n for n in module.__all__ if not n.startswith("_") and inspect.isfunction(getattr(module, n))]


# ---- names and signatures -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("part", ["", "linalg", "fft"])
def test_names(part):
    ours, theirs = (getattr(m, part) if part else m for m in (xp, strict))
    wanted = {n for n in theirs.__all__ if n[:2] == "__" or n.islower()} - {"get_array_api_strict_flags", "set_array_api_strict_flags",
                                                                            "reset_array_api_strict_flags", "ArrayAPIStrictFlags", "Device"}
    assert wanted <= set(ours.__all__) | {"__version__"}
    assert set(ours.__all__) <= set(dir(ours)) and len(set(ours.__all__)) == len(ours.__all__)
    assert all(inspect.getdoc(getattr(ours, name)) for name in public(ours))


@pytest.mark.parametrize("part, name", [(part, name) for part in ("", "linalg", "fft") for name in public(getattr(strict, part) if part else strict)
                                        if "strict_flags" not in name])
def test_signature(part, name):
    ours, theirs = (inspect.signature(getattr(getattr(m, part) if part else m, name)) for m in (xp, strict))

    def shape(signature):  # names of positional-only parameters are not part of it
        return [(p.kind, None if p.kind == p.POSITIONAL_ONLY else p.name) for p in signature.parameters.values()]
    assert shape(ours)[:2] == shape(theirs)[:2] and sorted(map(str, shape(ours))) == sorted(map(str, shape(theirs)))
    for p, q in zip(sorted(ours.parameters.values(), key=str), sorted(theirs.parameters.values(), key=str)):
        assert p.default in (q.default, 0) or (name, p.name) in (("astype", "device"), ("from_dlpack", "device"), ("from_dlpack", "copy")), (p, q)


# ---- values --------------------------------------------------------------------------------------------------------------------------

def of_kinds(*kinds):
    return st.sampled_from([n for k in kinds for n in xp.__array_namespace_info__().dtypes(kind=k)])


@st.composite
def arrays(draw, kinds=KINDS, shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), dtype=None, low=-5, high=5):
    """A NumPy array of small numbers: exact in every dtype, and often equal."""
    dtype = np.dtype(dtype or draw(of_kinds(*kinds)))
    shape = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    low = 0 if dtype.kind in "ub" else low
    values = draw(hnp.arrays(np.int64, shape, elements=st.integers(low, 1 if dtype.kind == "b" else high)))
    if dtype.kind == "c":
        return (values + 1j * draw(hnp.arrays(np.int64, shape, elements=st.integers(low, high)))).astype(dtype)
    return (values / 2 if dtype.kind == "f" else values).astype(dtype)


def check(f, *args, rtol=None, **kwargs):
    """f(namespace, arrays of it…) gives the same in tapegrad and in array_api_strict."""
    def convert(namespace, x):
        return namespace.asarray(x) if isinstance(x, (np.ndarray, np.generic)) else x

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = f(strict, *(convert(strict, a) for a in args), **kwargs)
    compare(f(xp, *(convert(xp, a) for a in args), **kwargs), want, rtol)


def compare(got, want, rtol=None):
    if isinstance(want, (tuple, list)):
        assert isinstance(got, tuple) and len(got) == len(want) and getattr(got, "_fields", ()) == getattr(want, "_fields", ())
        for g, w in zip(got, want):
            compare(g, w, rtol)
    elif hasattr(want, "dtype"):
        want_np = np.asarray(want._array)
        assert str(got.dtype) == f"tapegrad.{want_np.dtype}" and tuple(got.shape) == want_np.shape, (got, want)
        tolerance = rtol or (1e-5 if got.dtype in (tg.float32, tg.complex64) else 1e-12)
        np.testing.assert_allclose(got.numpy(), want_np, rtol=tolerance, atol=tolerance)
    else:
        assert got == want


NUMERIC, REAL, INTEGERS, FLOATS = KINDS[1:], KINDS[1:4], KINDS[1:3], KINDS[3:]
UNARY = {
    "abs sign square positive negative": NUMERIC, "bitwise_invert": KINDS[:3], "logical_not": KINDS[:1],
    "ceil floor trunc": REAL, "round": NUMERIC, "signbit": ("real floating",), "isfinite isinf isnan": NUMERIC,
    "real conj": NUMERIC, "imag": ("complex floating",), "cos cosh exp expm1 sin sinh sqrt tan tanh asinh atan": FLOATS,
    "acos acosh asin atanh log log10 log1p log2 reciprocal": ("real floating",),
}
BINARY = {
    "add multiply subtract": NUMERIC, "divide": FLOATS, "floor_divide remainder": ("real floating",), "maximum minimum": REAL,
    "equal not_equal": KINDS, "less less_equal greater greater_equal": REAL, "bitwise_and bitwise_or bitwise_xor": KINDS[:3],
    "logical_and logical_or logical_xor": KINDS[:1], "atan2 copysign hypot logaddexp nextafter": ("real floating",),
}
REDUCTIONS = {"all any": KINDS, "sum prod": NUMERIC, "max min": REAL, "mean": FLOATS, "var std": ("real floating",), "count_nonzero": KINDS}
FEW = settings(max_examples=25, deadline=None)


def each(table):
    return pytest.mark.parametrize("name, kinds", [(n, kinds) for names, kinds in table.items() for n in names.split()])


@each(UNARY)
@FEW
@given(data=st.data())
def test_unary(name, kinds, data):
    check(lambda ns, x: getattr(ns, name)(x), data.draw(arrays(kinds)))


@st.composite
def pairs(draw, kinds):
    """Two arrays that broadcast, of dtypes of one kind: those that the standard promotes."""
    kind = draw(st.sampled_from(kinds))
    kinds = INTEGERS if kind in INTEGERS else FLOATS if kind in FLOATS and "complex floating" in kinds else (kind,)
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0)).input_shapes
    a, b = (draw(arrays(kinds, shape=s)) for s in shapes)
    assume({a.dtype.kind, b.dtype.kind} != {"u", "i"} or "uint64" not in {a.dtype.name, b.dtype.name})
    return a, b


@each(BINARY)
@FEW
@given(data=st.data())
def test_binary(name, kinds, data):
    a, b = data.draw(pairs(kinds))
    check(lambda ns, x, y: getattr(ns, name)(x, y), a, b)
    check(lambda ns, x: getattr(ns, name)(x, a.dtype.type(1).item()), a)
    if a.shape == b.shape:
        check(lambda ns, x: getattr(ns, name)(a.dtype.type(1).item(), x), a)


@FEW
@given(arrays(INTEGERS), st.integers(0, 3), st.sampled_from(["pow", "bitwise_left_shift", "bitwise_right_shift", "floor_divide", "remainder"]))
def test_integers(a, n, name):
    n = max(n, 1) if name in ("floor_divide", "remainder") else n
    check(lambda ns, x: getattr(ns, name)(x, n), a)


@pytest.mark.parametrize("dtypes", [("uint8", "uint16"), ("int16", "uint16"), ("uint32", "uint64"), ("int64", "uint32"), ("int8", "uint8")])
def test_mixed_integers(dtypes):
    a, b = np.arange(6, dtype=dtypes[0]).reshape(2, 3), np.arange(6, 12, dtype=dtypes[1]).reshape(2, 3)
    for f in (lambda ns, x, y: ns.concat([x, y], axis=1), lambda ns, x, y: ns.stack([x, y]), lambda ns, x, y: ns.where(x > 2, x, y),
              lambda ns, x, y: ns.linalg.cross(x, y), lambda ns, x, y: ns.linalg.outer(x[0, :], y[1, :]), lambda ns, x, y: ns.matmul(x, y.mT),
              lambda ns, x, y: ns.vecdot(x, y), lambda ns, x, y: ns.clip(x, 1, 4), lambda ns, x, y: ns.add(x, y[0, 0])):
        check(f, a, b)


@FEW
@given(arrays(REAL), st.integers(0, 2), st.integers(2, 4))
def test_clip(a, low, high):
    check(lambda ns, x: ns.clip(x, low, high), a)
    check(lambda ns, x: ns.clip(x, min=low), a)


@st.composite
def with_axis(draw, kinds, min_dims=0, min_side=0, several=True):
    a = draw(arrays(kinds, shape=hnp.array_shapes(min_dims=min_dims, max_dims=3, min_side=min_side, max_side=4)))
    one = st.integers(-a.ndim, a.ndim - 1) if a.ndim else st.none()
    many = st.lists(st.integers(0, a.ndim - 1), unique=True).map(tuple) if a.ndim else st.just(())
    return a, draw(st.one_of(st.none(), one, many) if several else one)


@each(REDUCTIONS)
@FEW
@given(data=st.data(), keepdims=st.booleans())
def test_reduction(name, kinds, data, keepdims):
    a, axis = data.draw(with_axis(kinds, min_side=1))
    check(lambda ns, x: getattr(ns, name)(x, axis=axis, keepdims=keepdims), a, rtol=1e-4)


@FEW
@given(with_axis(REAL, 1, 1, several=False), st.sampled_from(["argmax", "argmin"]), st.booleans(), st.booleans())
def test_argmax(a_axis, name, flat, keepdims):
    a, axis = a_axis
    check(lambda ns, x: getattr(ns, name)(x, axis=None if flat else axis, keepdims=keepdims), a)


@FEW
@given(with_axis(NUMERIC, 1, several=False), st.sampled_from(["cumulative_sum", "cumulative_prod"]), st.booleans())
def test_cumulative(a_axis, name, initial):
    a, axis = a_axis
    check(lambda ns, x: getattr(ns, name)(x, axis=axis, include_initial=initial), a, rtol=1e-4)
    check(lambda ns, x: ns.sum(x, axis=axis, dtype=x.dtype), a)


@FEW
@given(with_axis(REAL, 1, 1, several=False), st.booleans())
def test_order(a_axis, descending):
    a, axis = a_axis
    check(lambda ns, x: ns.sort(x, axis=axis, descending=descending), a)
    check(lambda ns, x: ns.argsort(x, axis=axis, descending=descending), a)
    check(lambda ns, x: ns.diff(x, axis=axis, n=1), a)


@FEW
@given(arrays(REAL, shape=st.tuples(st.integers(0, 6))), st.sampled_from(["left", "right"]), st.data())
def test_search(a, side, data):
    b = data.draw(arrays(dtype=a.dtype, kinds=REAL))
    check(lambda ns, x, y: ns.searchsorted(ns.sort(x), y, side=side), a, b)
    check(lambda ns, x, y: ns.searchsorted(x, y, side=side, sorter=ns.argsort(x)), a, b)


@FEW
@given(arrays())
def test_unique(a):
    if a.dtype.kind != "c":
        check(lambda ns, x: ns.unique_values(x), a)
        check(lambda ns, x: ns.unique_counts(x), a)
        check(lambda ns, x: ns.unique_inverse(x), a)
    u = xp.unique_all(xp.asarray(a))
    flat = a.reshape(-1)
    want = np.unique(a, return_index=True, return_inverse=True, return_counts=True)
    for got, w in zip(u, want):
        assert got.numpy().reshape(-1).tolist() == w.reshape(-1).tolist()
    assert u.inverse_indices.shape == a.shape and flat[u.indices.numpy()].tolist() == u.values.tolist()


@FEW
@given(arrays(INTEGERS), st.data(), st.booleans())
def test_isin_and_where(a, data, invert):
    b = data.draw(arrays(dtype=a.dtype))
    assert xp.isin(xp.asarray(a), xp.asarray(b), invert=invert).tolist() == np.isin(a, b, invert=invert).tolist()
    check(lambda ns, x: ns.where(x > 1, x, 0), a)
    if a.ndim:
        check(lambda ns, x: ns.nonzero(x), a)


@FEW
@given(with_axis(KINDS, 1, several=False), st.data())
def test_shapes(a_axis, data):
    a, axis = a_axis
    order = tuple(data.draw(st.permutations(range(a.ndim))))
    shift = data.draw(st.integers(-3, 3))
    for f in (lambda ns, x: ns.permute_dims(x, order), lambda ns, x: ns.flip(x, axis=axis), lambda ns, x: ns.flip(x),
              lambda ns, x: ns.roll(x, shift, axis=axis), lambda ns, x: ns.roll(x, shift), lambda ns, x: ns.expand_dims(x, axis=axis),
              lambda ns, x: ns.expand_dims(x, axis=(0, -1)), lambda ns, x: ns.squeeze(ns.expand_dims(x, axis=axis), axis=axis),
              lambda ns, x: ns.moveaxis(x, axis, 0), lambda ns, x: ns.unstack(x, axis=axis), lambda ns, x: ns.reshape(x, (-1,)) if a.size else x,
              lambda ns, x: ns.repeat(x, 2, axis=axis), lambda ns, x: ns.repeat(x, 2), lambda ns, x: ns.tile(x, (2, 1)),
              lambda ns, x: ns.concat([x, x], axis=axis), lambda ns, x: ns.concat([x, x], axis=None), lambda ns, x: ns.stack([x, x], axis=axis),
              lambda ns, x: ns.broadcast_to(x, (2, *a.shape)), lambda ns, x: ns.broadcast_arrays(x, ns.ones((2,) + a.shape, dtype=ns.float64))):
        check(f, a)


@FEW
@given(with_axis(KINDS, 1, 1, several=False), st.data())
def test_take(a_axis, data):
    a, axis = a_axis
    i = data.draw(hnp.arrays(np.int64, st.integers(0, 4), elements=st.integers(0, a.shape[axis] - 1)))
    check(lambda ns, x, i: ns.take(x, i, axis=axis), a, i)
    j = data.draw(hnp.arrays(np.int64, a.shape, elements=st.integers(-a.shape[axis], a.shape[axis] - 1)))
    check(lambda ns, x, j: ns.take_along_axis(x, j, axis=axis), a, j)


@FEW
@given(st.integers(0, 4), st.integers(0, 4), st.integers(-5, 5), of_kinds(*KINDS))
def test_creation(n, m, k, name):
    dtype = {strict: getattr(strict, name), xp: getattr(xp, name)}
    for f in (lambda ns: ns.eye(n, m, k=k, dtype=dtype[ns]), lambda ns: ns.zeros((n, m), dtype=dtype[ns]), lambda ns: ns.ones(n, dtype=dtype[ns]),
              lambda ns: ns.full((n, m), 1, dtype=dtype[ns]), lambda ns: ns.full_like(ns.zeros((n, m), dtype=dtype[ns]), 1),
              lambda ns: ns.zeros_like(ns.ones(n, dtype=dtype[ns])), lambda ns: ns.ones_like(ns.zeros(n, dtype=dtype[ns])),
              lambda ns: ns.tril(ns.ones((n, m), dtype=dtype[ns]), k=k), lambda ns: ns.triu(ns.ones((n, m), dtype=dtype[ns]), k=k),
              lambda ns: ns.arange(n, dtype=ns.int32), lambda ns: ns.arange(k, n, 2), lambda ns: ns.arange(n, k, -1),
              lambda ns: ns.linspace(0, k, n, dtype=ns.float64), lambda ns: ns.linspace(1, k, n, dtype=ns.float64, endpoint=False),
              lambda ns: ns.meshgrid(ns.arange(n), ns.arange(m)), lambda ns: ns.meshgrid(ns.arange(n), ns.arange(m), indexing="ij")):
        check(f)
    for f in (xp.empty((n, m), dtype=dtype[xp]), xp.empty_like(xp.zeros((n, m), dtype=dtype[xp]))):
        assert tuple(f.shape) == (n, m) and f.dtype == dtype[xp]


@FEW
@given(st.data())
def test_products(data):
    n, k, m = (data.draw(st.integers(0, 3)) for _ in range(3))
    name = data.draw(of_kinds(*NUMERIC))
    a, b = data.draw(arrays(shape=(n, k), dtype=name)), data.draw(arrays(shape=(k, m), dtype=name))
    check(lambda ns, x, y: ns.matmul(x, y), a, b)
    check(lambda ns, x, y: ns.tensordot(x, y, axes=1), a, b)
    check(lambda ns, x, y: ns.tensordot(x, y, axes=((1,), (0,))), a, b)
    check(lambda ns, x, y: ns.vecdot(x, y), a, a)
    check(lambda ns, x: ns.matrix_transpose(x), a)
    for f in (lambda ns, x, y: ns.linalg.outer(x[:, 0], y[0, :]) if k else x, lambda ns, x, y: ns.linalg.trace(x), lambda ns, x, y: ns.linalg.diagonal(x)):
        check(f, a, b)


@FEW
@given(st.data(), st.integers(1, 4), st.sampled_from(["float32", "float64"]))
def test_linalg(data, n, name):
    a = data.draw(arrays(shape=(2, n, n), dtype=name, low=-2, high=2)) + np.eye(n, dtype=name) * 8
    spd = a @ np.swapaxes(a, -1, -2)
    tolerance = 1e-3 if name == "float32" else 1e-9
    for f in (lambda ns, x, s: ns.linalg.det(x), lambda ns, x, s: ns.linalg.slogdet(x), lambda ns, x, s: ns.linalg.inv(x),
              lambda ns, x, s: ns.linalg.cholesky(s), lambda ns, x, s: ns.linalg.cholesky(s, upper=True), lambda ns, x, s: ns.linalg.eigvalsh(s),
              lambda ns, x, s: ns.linalg.svdvals(x), lambda ns, x, s: ns.linalg.solve(x, s), lambda ns, x, s: ns.linalg.pinv(x),
              lambda ns, x, s: ns.linalg.matrix_rank(x), lambda ns, x, s: ns.linalg.matrix_power(x, 2), lambda ns, x, s: ns.linalg.matrix_norm(x),
              lambda ns, x, s: ns.linalg.vector_norm(x, axis=(0, 1)), lambda ns, x, s: ns.linalg.matmul(x, s)):
        check(f, a, spd, rtol=tolerance)
    x = xp.asarray(a)
    q, r = xp.linalg.qr(x)
    u, s, vh = xp.linalg.svd(x)
    w, v = xp.linalg.eigh(xp.asarray(spd))
    for got, want in ((q @ r, a), (u @ (s[..., None] * vh), a), (v @ (w[..., None] * v.mT), spd)):
        np.testing.assert_allclose(got.numpy(), want, rtol=tolerance, atol=tolerance * 100)
    check(lambda ns, p, q: ns.linalg.cross(p, q), np.arange(6, dtype=name).reshape(2, 3), np.ones(3, name))


@FEW
@given(st.data())
def test_fft(data):
    z = data.draw(arrays(dtype="complex128", shape=(2, 4)))
    for name in ("fft", "ifft", "fftn", "ifftn", "irfft", "hfft", "irfftn", "fftshift", "ifftshift"):
        check(lambda ns, x: getattr(ns.fft, name)(x), z)
    for name in ("rfft", "ihfft", "rfftn"):
        check(lambda ns, x: getattr(ns.fft, name)(x), z.real.copy())
    check(lambda ns, x: ns.fft.fft(x, n=5, axis=0, norm="ortho"), z)
    check(lambda ns, x: ns.fft.fftn(x, s=(3, 3), axes=(0, 1), norm="forward"), z)
    for name in ("fftfreq", "rfftfreq"):
        check(lambda ns: getattr(ns.fft, name)(5, d=0.5, dtype=ns.float64))


# ---- dtypes --------------------------------------------------------------------------------------------------------------------------

def test_dtypes():
    names = list(xp.__array_namespace_info__().dtypes())
    for a in names:
        assert xp.finfo(getattr(xp, a)).bits == strict.finfo(getattr(strict, a)).bits if "float" in a or "complex" in a else True
        assert xp.iinfo(getattr(xp, a)).max == strict.iinfo(getattr(strict, a)).max if "int" in a else True
        for kind in (*KINDS, "integral", "numeric", ("bool", "integral")):
            assert xp.isdtype(getattr(xp, a), kind) == strict.isdtype(getattr(strict, a), kind)
        for b in names:
            try:
                want = strict.result_type(getattr(strict, a), getattr(strict, b))
            except TypeError:
                continue  # across kinds: not in the standard
            assert str(xp.result_type(getattr(xp, a), xp.ones(2, dtype=getattr(xp, b)))) == f"tapegrad.{want._np_dtype}"
            assert xp.can_cast(getattr(xp, a), getattr(xp, b)) == strict.can_cast(getattr(strict, a), getattr(strict, b))
    assert xp.result_type(xp.float32, 2.5) == xp.float32 and xp.result_type(xp.float64, 1j) == xp.complex128
    with pytest.raises(TypeError):
        xp.result_type(xp.uint64, xp.int8)
    with pytest.raises(TypeError):
        xp.add(1, 2)
    with pytest.raises(TypeError):
        xp.astype(xp.ones(2, dtype=xp.complex64), xp.float32)
    with pytest.raises(ValueError):
        xp.isdtype(xp.int8, "integer")
    x = xp.ones(2)
    assert xp.astype(x, xp.float32, copy=False) is not None and xp.astype(x, xp.float32).data_ptr() != x.data_ptr()


def test_given_dtype_is_kept():
    for name in ("bool", "uint8", "int8", "int32", "uint64"):
        x = tg.ones(3, dtype=getattr(tg, name))
        assert {y.dtype for y in (x.sum(dtype=x.dtype), x.prod(dtype=x.dtype), x.cumsum(0, dtype=x.dtype), x.cumprod(0, dtype=x.dtype))} == {x.dtype}
        assert {y.dtype for y in (x.sum(), x.prod(), x.cumsum(0), x.cumprod(0))} == {tg.int64}


def test_asarray():
    a, t = np.arange(3.0), xp.arange(3.0)
    assert np.shares_memory(xp.asarray(a).numpy(), a) and not np.shares_memory(xp.asarray(a, copy=True).numpy(), a)
    assert xp.asarray([t[0], 2.5]).tolist() == [0, 2.5] and xp.asarray(t) is t or xp.asarray(t).data_ptr() == t.data_ptr()
    assert xp.asarray(strict.asarray([1, 2])).tolist() == [1, 2] and xp.asarray([[1, 2], [3, 4]]).dtype == xp.int64
    with pytest.raises(ValueError):
        xp.asarray(t, dtype=xp.int32, copy=False)
    with pytest.raises(ValueError):
        xp.reshape(xp.ones((2, 3)).mT, (6,), copy=False)


# ---- the Tensor, DLPack, other libraries -----------------------------------------------------------------------------------------------

def test_tensor():
    t = xp.asarray(3)
    assert t.__array_namespace__() is xp and t.__array_namespace__(api_version="2024.12") is xp
    with pytest.raises(ValueError, match="2030"):
        t.__array_namespace__(api_version="2030.12")
    assert t.to_device("cpu").device == t.device and [1, 2, 3, 4][t] == 4 and complex(t) == 3 and xp.ones((2, 3)).mT.shape == (3, 2)
    with pytest.raises(NotImplementedError, match="stream"):
        t.to_device("cpu", stream=1)
    info = xp.__array_namespace_info__()
    assert info.default_device() in info.devices() and info.capabilities()["max dimensions"] == 16
    xp.zeros((1,) * 16)
    assert info.default_dtypes()["integral"] == xp.int64


def test_gradients():
    x = xp.asarray([1.0, 2.0, 3.0]).requires_grad_()
    y = xp.sum(xp.multiply(xp.sort(x, descending=True), xp.asarray([1.0, 2.0, 3.0])) ** 2) + xp.var(x) + xp.prod(x)
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), [18 - 2 / 3 + 6, 16 + 3, 6 + 2 / 3 + 2], rtol=1e-6)


def test_dlpack_versions():
    t = tg.arange(6).reshape(2, 3)
    assert '"dltensor"' in repr(t.__dlpack__()) and '"dltensor_versioned"' in repr(t.__dlpack__(max_version=(1, 0)))
    assert tg.from_dlpack(t.__dlpack__(max_version=(1, 2))).data_ptr() == t.data_ptr()
    assert tg.from_dlpack(t.__dlpack__(copy=True, dl_device=(1, 0))).data_ptr() != t.data_ptr()
    assert xp.from_dlpack(t, copy=True).data_ptr() != t.data_ptr() and xp.from_dlpack(t, device="cpu", copy=False).data_ptr() == t.data_ptr()
    with pytest.raises(BufferError, match="device"):
        t.__dlpack__(dl_device=(2, 0))
    frozen = np.arange(3.0)
    frozen.flags.writeable = False
    assert not np.shares_memory(tg.from_dlpack(frozen).numpy(), frozen)
    with pytest.raises(BufferError, match="read-only"):
        tg.from_dlpack(frozen, copy=False)
    again = np.from_dlpack(t, copy=True)
    assert again.tolist() == t.tolist() and not np.shares_memory(again, t.numpy())


def test_array_api_compat():
    compat = pytest.importorskip("array_api_compat")
    assert compat.array_namespace(tg.ones(2), tg.ones(3)) is xp and compat.is_array_api_obj(tg.ones(2))
    assert compat.size(tg.ones(2, 3)) == 6 and compat.device(tg.ones(2)) == tg.device("cpu")


SCIKIT_LEARN = """
import numpy as np, sklearn, tapegrad as tg, tapegrad.array_api as xp
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
points = np.random.default_rng(0).normal(size=(60, 3))
labels, targets = (points @ [1, -2, 0.5] > 0).astype(np.int64), points @ [1.0, 2.0, 3.0]
with sklearn.config_context(array_api_dispatch=True):
    ridge = Ridge(alpha=0.5, solver="svd").fit(xp.asarray(points), xp.asarray(targets))
    predicted = LinearDiscriminantAnalysis().fit(xp.asarray(points), xp.asarray(labels)).predict(xp.asarray(points))
assert isinstance(ridge.coef_, tg.Tensor) and isinstance(predicted, tg.Tensor)
np.testing.assert_allclose(ridge.coef_.numpy(), Ridge(alpha=0.5, solver="svd").fit(points, targets).coef_, rtol=1e-10)
assert predicted.tolist() == LinearDiscriminantAnalysis().fit(points, labels).predict(points).tolist()
"""


def test_scikit_learn():
    pytest.importorskip("array_api_compat")
    pytest.importorskip("sklearn", minversion="1.6")
    env = os.environ | {"SCIPY_ARRAY_API": "1", "PYTHONPATH": os.path.dirname(os.path.dirname(tg.__file__))}  # SciPy reads it when imported
    done = subprocess.run([sys.executable, "-c", SCIKIT_LEARN], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
