"""Python data, NumPy arrays, buffers and DLPack capsules to tensors and back; indexing."""
import gc
import subprocess
import sys
import warnings

import numpy as np
import pytest
import tapegrad as tg


# ---- tensor()

@pytest.mark.parametrize("data, dtype, shape", [
    ([1., 2.], "float32", (2,)), ([1, 2], "int64", (2,)), ([True, False], "bool", (2,)), ([1, 2.5], "float32", (2,)), ([True, 2], "int64", (2,)),
    (3, "int64", ()), (3.5, "float32", ()), (True, "bool", ()), ([], "float32", (0,)), ([[], []], "float32", (2, 0)), ([[1, 2], [3, 4]], "int64", (2, 2)),
    ((1., (2.)), "float32", (2,)), (range(3), "int64", (3,)), (np.float64(2), "float64", ()), (np.int32(2), "int32", ()), ([np.float32(1)], "float32", (1,)),
    (np.arange(3), "int64", (3,)), (np.ones((2, 2)), "float64", (2, 2)), ([np.ones(2), np.ones(2)], "float64", (2, 2)),
])
def test_dtype_and_shape_of_data(data, dtype, shape):
    t = tg.tensor(data)
    assert t.dtype is getattr(tg, dtype) and t.shape == shape and t.tolist() == np.array(data).tolist()


def test_tensors_inside_lists():
    a = tg.tensor([1., 2.])
    assert tg.tensor([a[0], a[1]]).tolist() == [1, 2] and tg.tensor([a, a]).shape == (2, 2) and tg.tensor([a[0], 3]).tolist() == [1, 3]
    with pytest.warns(UserWarning):
        b = tg.tensor(a)
    assert b.tolist() == a.tolist() and b.data_ptr() != a.data_ptr()


def test_options_of_tensor():
    t = tg.tensor([1, 2], dtype=tg.float64, device="cpu", requires_grad=True, pin_memory=False)
    assert t.dtype is tg.float64 and t.requires_grad
    for d in (tg.float16, tg.bfloat16, tg.uint8, tg.int8, tg.int16, tg.int32, tg.bool):
        assert tg.tensor([0, 1], dtype=d).dtype is d


@pytest.mark.parametrize("data, kind", [
    ([[1], [1, 2]], ValueError), ([1, [2]], ValueError), ([[1], 2], ValueError), ("abc", TypeError), (["a"], TypeError), (None, TypeError), ([None], TypeError),
    ([2 ** 70], (OverflowError, RuntimeError)), (object(), TypeError), ({1: 2}, TypeError),
])
def test_bad_data(data, kind):
    with pytest.raises(kind):
        tg.tensor(data)


def test_bad_options():
    with pytest.raises(RuntimeError):
        tg.tensor([300], dtype=tg.uint8)
    with pytest.raises(RuntimeError):
        tg.tensor([1], requires_grad=True)
    with pytest.raises(TypeError):
        tg.tensor([1], dtype="float32")
    with pytest.raises(TypeError):
        tg.tensor([1], foo=1)
    with pytest.raises(TypeError):
        tg.tensor()


def test_nested_deeper_than_dimensions_go():
    data = 1.0
    for _ in range(40):
        data = [data]
    with pytest.raises(ValueError):
        tg.tensor(data)
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError):
        tg.tensor(loop)


def test_tolist_and_item():
    assert tg.tensor([[1, 2], [3, 4]]).T.tolist() == [[1, 3], [2, 4]] and tg.tensor(2.5).tolist() == 2.5
    assert tg.tensor([0.5], dtype=tg.float16).tolist() == [0.5] and tg.tensor(1.5, dtype=tg.bfloat16).item() == 1.5
    assert tg.tensor([True]).item() is True and tg.tensor(2 ** 62).item() == 2 ** 62 and tg.zeros(2, 0).tolist() == [[], []]


# ---- NumPy

@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"])
def test_numpy_shares_memory_both_ways(dtype):
    a = np.array([[0, 1, 1], [1, 0, 1]], dtype=dtype)
    t = tg.from_numpy(a)
    assert t.dtype is getattr(tg, dtype) and t.tolist() == a.tolist()
    t[0, 0] = 1
    assert a[0, 0] == 1
    b = t.T.numpy()
    assert b.dtype == a.dtype and b.shape == (3, 2) and b.tolist() == a.T.tolist() and np.shares_memory(a, b)


def test_memory_outlives_its_maker():
    a = np.arange(1000.)
    t = tg.from_numpy(a)
    del a
    gc.collect()
    assert t.sum().item() == 499500
    b = tg.ones(1000).numpy()
    gc.collect()
    assert b.sum() == 1000
    views = [tg.zeros(()).numpy(), tg.zeros(0, 3).numpy(), tg.ones(2, 3)[:, 1].numpy(), tg.ones(3, 1).expand(3, 4).numpy()]
    assert [v.shape for v in views] == [(), (0, 3), (2,), (3, 4)]


def test_arrays_that_cannot_be_shared():
    a = np.arange(6.)
    for bad, kind in ((a[::-1], ValueError), (a.astype(">f8"), TypeError), (np.array(["x"]), TypeError), ([1.], TypeError),
                      (np.array([object()]), TypeError), (np.array(["2020"], "M8[D]"), TypeError)):
        with pytest.raises(kind):
            tg.from_numpy(bad)
    a.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        tg.from_numpy(a)
    assert tg.from_numpy(np.arange(6.)[::2]).tolist() == [0, 2, 4]


def test_numpy_refuses_what_it_cannot_give():
    with pytest.raises(RuntimeError, match="requires grad"):
        tg.ones(2, requires_grad=True).numpy()
    assert tg.ones(2, requires_grad=True).numpy(force=True).tolist() == [1, 1]
    with pytest.raises(TypeError):
        tg.ones(2, dtype=tg.bfloat16).numpy()


def test_numpy_functions_take_tensors():
    t = tg.tensor([1., 4.])
    assert np.asarray(t).dtype == np.float32 and np.array(t, dtype=np.float64).dtype == np.float64 and np.sqrt(t).tolist() == [1, 2]
    assert isinstance(np.sqrt(t), tg.Tensor) and np.asarray([1., 2.]).dot(t) == 9
    assert np.array(t) is not t and not np.shares_memory(np.array(t), t.numpy())


def test_as_tensor_and_asarray_share():
    a = np.ones(3, np.float32)
    assert tg.as_tensor(a).data_ptr() == a.ctypes.data and tg.asarray(a).data_ptr() == a.ctypes.data
    t = tg.ones(2, requires_grad=True)
    assert tg.as_tensor(t) is t and tg.as_tensor(t, dtype=tg.float64).dtype is tg.float64
    assert tg.asarray(a, copy=True).data_ptr() != a.ctypes.data and tg.as_tensor([1, 2]).dtype is tg.int64
    with pytest.raises(ValueError):
        tg.asarray([1, 2], copy=False)


def test_numpy_is_not_imported_until_asked_for():
    code = "import sys, tapegrad as tg; t = tg.tensor([[1., 2.]]) * 2; t[0, 1]; assert 'numpy' not in sys.modules; t.numpy(); assert 'numpy' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- buffers and capsules

def test_frombuffer():
    b = bytearray(np.arange(4, dtype=np.float32).tobytes())
    t = tg.frombuffer(b, dtype=tg.float32)
    t[0] = 9
    assert t.tolist() == [9, 1, 2, 3] and np.frombuffer(b, np.float32)[0] == 9
    assert tg.frombuffer(b, dtype=tg.float32, count=2, offset=4).tolist() == [1, 2]
    with pytest.raises(BufferError):
        b.extend(b"x")
    for bad in (dict(offset=99), dict(count=9), dict(offset=1), dict(count=0), dict(offset=-1)):
        with pytest.raises(ValueError):
            tg.frombuffer(b, dtype=tg.float32, **bad)
    with pytest.warns(UserWarning):
        tg.frombuffer(bytes(4), dtype=tg.float32)
    with pytest.raises(ValueError):
        tg.frombuffer(3, dtype=tg.float32)


def test_dlpack():
    a = np.arange(6.).reshape(2, 3)
    t = tg.from_dlpack(a)
    assert t.tolist() == a.tolist() and t.data_ptr() == a.ctypes.data
    b = np.from_dlpack(t.T)
    assert b.tolist() == a.T.tolist() and np.shares_memory(a, b) and t.__dlpack_device__() == (1, 0)
    capsule = tg._C.to_dlpack(t)
    assert tg.from_dlpack(capsule).tolist() == a.tolist()
    with pytest.raises(RuntimeError, match="once"):
        tg.from_dlpack(capsule)
    with pytest.raises(RuntimeError):
        tg.ones(2, requires_grad=True).__dlpack__()
    with pytest.raises(TypeError):
        tg.from_dlpack(3)
    del capsule, t, b
    tg._C.to_dlpack(tg.ones(2))  # dropped unused
    gc.collect()


# ---- indexing

CASES = [0, -1, np.int64(1), True, None, Ellipsis, slice(1, None), slice(None, None, 2), slice(-2, 99), (0, 1), (slice(None), 0), (Ellipsis, 0), (None, 0), [0, 1], [[0, 1], [1, 0]],
         ([0, 1], [1, 2]), np.array([1, 0]), (slice(None), [0, 2]), (0, slice(1, 2), [1]), (np.array([True, False]),), [True, False], (slice(None), np.array([0, 1]), None), ()]


@pytest.mark.parametrize("key", CASES, ids=str)
def test_indexing_as_numpy(key):
    a = np.arange(24.).reshape(2, 3, 4)
    got = tg.from_numpy(a.copy())[key]
    want = a[tuple(key) if isinstance(key, tuple) else key]
    assert got.shape == want.shape and got.tolist() == want.tolist()


@pytest.mark.parametrize("key", CASES, ids=str)
def test_assignment_as_numpy(key):
    a = np.arange(24.).reshape(2, 3, 4)
    t = tg.from_numpy(a.copy())
    a[key], t[key] = 7, 7
    assert t.tolist() == a.tolist()


def test_keys_of_tensors():
    t = tg.arange(6).view(2, 3)
    assert t[tg.tensor([1, 0])].tolist() == [[3, 4, 5], [0, 1, 2]] and t[t > 2].tolist() == [3, 4, 5] and t[tg.tensor(1)].tolist() == [3, 4, 5]
    t[t > 3] = 0
    t[t == 0] += 9
    assert t.tolist() == [[9, 1, 2], [3, 9, 9]]
    t[0] = tg.tensor([1, 2, 3])
    t[1] = [4, 5, 6]
    t[:, 0] = np.array([7, 8])
    assert t.tolist() == [[7, 2, 3], [8, 5, 6]]


@pytest.mark.parametrize("key, kind", [(2, IndexError), (-3, IndexError), ((0, 0, 0, 0), IndexError), ("a", IndexError), (1.5, IndexError), ({}, IndexError),
                                       (slice("a", None), TypeError), (slice(None, None, 0), ValueError), (slice(None, None, -1), ValueError),
                                       (slice(1.5, None), TypeError), (2 ** 70, (IndexError, OverflowError)), ([0, 9], IndexError)])
def test_bad_keys(key, kind):
    with pytest.raises(kind):
        tg.zeros(2, 3, 4)[key]
    with pytest.raises(kind):
        tg.zeros(2, 3, 4)[key] = 1


def test_bad_assignments():
    t = tg.zeros(2, 3)
    with pytest.raises(TypeError):
        t[0] = "a"
    with pytest.raises((RuntimeError, ValueError)):
        t[0] = tg.zeros(2)
    with pytest.raises(TypeError):
        del t[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        t[0] = 1.5


# ---- the buffer protocol

def test_memoryview():
    t = tg.tensor([[1, 2, 3], [4, 5, 6]])
    m = memoryview(t.T)
    assert m.shape == (3, 2) and m.format == "l" and m.tolist() == t.T.tolist() and not m.readonly
    m[0, 0] = 9
    assert t[0, 0].item() == 9
    t.resize_(1)
    assert m.shape == (3, 2) and m[2, 1] == 6
    assert memoryview(tg.tensor(3.)).tolist() == 3.0 and bytes(tg.tensor([1, 2], dtype=tg.uint8)) == b"\x01\x02"
    for bad in (tg.ones(2, requires_grad=True), tg.ones(2, dtype=tg.bfloat16)):
        with pytest.raises(BufferError):
            memoryview(bad)
    del t
    gc.collect()
    assert m[2, 1] == 6


def test_reading_arrays_that_cannot_be_shared():
    a = np.arange(6.)[::-1]
    assert tg.tensor(a).tolist() == a.tolist() and tg.tensor([a, a]).shape == (2, 6)
    a.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tg.tensor(a).sum().item() == 15
        tg.zeros(6, dtype=tg.float64)[:] = a


def test_numpy_arrays_are_operands_on_either_side():
    a, x = np.ones(3, np.float32), tg.tensor([1.0, 2.0, 3.0])
    for y in (a + x, x + a, a * x, x @ a, a - x, a == x):
        assert isinstance(y, tg.Tensor)
    assert (a - x).tolist() == [0.0, -1.0, -2.0]
