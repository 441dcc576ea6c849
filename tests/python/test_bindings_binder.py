"""Arguments of ops: every type of the signatures, overloads, keywords, aliases, out=, and the errors."""
import copy
import inspect
import pickle

import numpy as np
import pytest
import tapegrad as tg

X = tg.tensor([[1., 2., 3.], [4., 5., 6.]])


def test_sizes_in_every_form():
    for v in (X.view(3, 2), X.view((3, 2)), X.view([3, 2]), X.view(tg.Size([3, 2])), X.view(size=(3, 2)), X.view(np.int64(3), 2), X.view(tg.tensor(3), 2), X.view(-1, 2)):
        assert v.shape == (3, 2)
    assert X.view(-1).shape == X.view(6).shape == X.view([6]).shape == (6,)
    assert tg.zeros(2, 3).shape == tg.zeros((2, 3)).shape == tg.zeros(size=(2, 3)).shape == (2, 3)
    assert tg.zeros(()).shape == tg.zeros([]).shape == () and tg.zeros(2, 0).shape == (2, 0)
    assert X.permute(1, 0).shape == X.permute((1, 0)).shape == X.permute(dims=[1, 0]).shape == (3, 2)


def test_dims_and_their_synonyms():
    want = [5, 7, 9]
    for v in (X.sum(0), X.sum(dim=0), X.sum(axis=0), X.sum((0,)), X.sum([-2]), tg.sum(X, 0), tg.sum(input=X, dim=0), tg.sum(X, np.int32(0))):
        assert v.tolist() == want
    assert X.sum(0, True).shape == X.sum(0, keepdim=True).shape == X.sum(axis=0, keepdims=True).shape == (1, 3)
    assert X.sum().item() == X.sum(dim=None).item() == 21


def test_dtype_and_device_arguments():
    assert tg.zeros(2, dtype=float).dtype is tg.float64 and tg.zeros(2, dtype=complex).dtype is tg.complex128 and tg.zeros(2, dtype=int).dtype is tg.int64 and tg.zeros(2, dtype=bool).dtype is tg.bool
    assert X.sum(dtype=tg.float64).dtype is tg.float64 and X.to(tg.float64).dtype is tg.float64 and X.to(float).dtype is tg.float64
    assert tg.zeros(2, device="cpu").device.type == tg.zeros(2, device=tg.device("cpu")).device.type == "cpu"
    assert tg.zeros(2, layout=tg.strided, pin_memory=False, requires_grad=True).requires_grad
    assert X.to("cpu") is X and X.to(tg.float32) is X and X.to(X) is X and X.to("cpu", tg.float64).dtype is tg.float64
    assert X.to(dtype=tg.float64, copy=True, non_blocking=True).dtype is tg.float64 and X.to(X, copy=True) is not X
    with pytest.raises(RuntimeError):
        tg.zeros(2, device="cuda")


def test_numbers_of_numpy_and_0d_tensors():
    assert (X * np.float32(2)).dtype is tg.float32 and (np.float64(2) * X).tolist() == (X * 2).tolist()
    assert tg.mul(X, np.int64(2)).tolist() == tg.mul(X, tg.tensor(2.)).tolist() == (X * 2).tolist()
    assert tg.full((2,), np.float64(1.5)).tolist() == [1.5, 1.5] and tg.full((2,), tg.tensor(1.5)).tolist() == [1.5, 1.5]
    assert X.sum(0, np.bool_(True)).shape == (1, 3)


def test_overloads_and_named_results():
    r = tg.max(X, 1)
    assert r.values.tolist() == [3, 6] and r.indices.tolist() == [2, 2] and r[0] is r.values and len(r) == 2
    values, indices = X.max(dim=1, keepdim=True)
    assert values.shape == (2, 1) and X.max().item() == 6 and tg.max(X, X).shape == X.shape
    assert "values" in repr(r) and type(r).__name__ == "max"
    assert isinstance(X.split(2, 1), tuple) and [t.shape[1] for t in X.split([1, 2], 1)] == [1, 2]


def test_lists_of_tensors():
    assert tg.cat([X, X]).shape == tg.cat((X, X), dim=0).shape == tg.cat(tensors=[X, X], axis=0).shape == (4, 3)
    with pytest.raises(TypeError):
        tg.cat([X, 1])


def test_in_place_and_aliases_share_the_row():
    a = X.clone()
    assert a.mul_(2) is a and tg.multiply(X, 2).tolist() == a.tolist()
    assert not hasattr(tg.Tensor, "sum_")


def test_out():
    out = tg.empty(2, 3)
    where = out.data_ptr()
    assert tg.mul(X, 2, out=out) is out and out.tolist() == (X * 2).tolist() and out.data_ptr() == where
    small = tg.empty(0)
    assert tg.exp(X, out=small).shape == (2, 3) and small.tolist() == X.exp().tolist()
    assert tg.mul(X, 2, out=None).shape == (2, 3)
    with pytest.raises(RuntimeError):
        tg.mul(X.clone().requires_grad_(), 2, out=out)
    with pytest.raises(TypeError):
        tg.mul(X, 2, out=3)
    with pytest.raises(RuntimeError):
        tg.mul(X, tg.ones(7), out=out)
    assert (X * 3).tolist() != out.tolist(), "a failed op leaves no target behind"


@pytest.mark.parametrize("call, words", [
    (lambda: tg.zeros(2, foo=1), ["zeros", "foo", "zeros(int[] size"]),
    (lambda: tg.exp(), ["exp", "'input'", "missing"]),
    (lambda: tg.exp(X, X), ["exp", "positional"]),
    (lambda: tg.exp(X, input=X), ["exp", "twice"]),
    (lambda: tg.exp("a"), ["exp", "'input'", "str"]),
    (lambda: X.view("a"), ["view", "Tensor float32[2, 3]", "view(Tensor input, int[] size)", "dtype dtype"]),
    (lambda: X.view(2, "a"), ["view", "str"]),
    (lambda: X.sum(dim="a"), ["sum", "str"]),
    (lambda: tg.mul(X), ["mul", "'other'", "missing"]),
    (lambda: X.sum(0, keepdim=3), ["sum", "keepdim"]),
    (lambda: X.permute(1.5, 0), ["permute", "float"]),
    (lambda: tg.Tensor.exp(3), ["exp", "int"]),
    (lambda: tg.Tensor.exp(), ["exp", "missing"]),
])
def test_errors_name_op_argument_and_signatures(call, words):
    with pytest.raises(TypeError) as e:
        call()
    for w in words:
        assert w in str(e.value), str(e.value)


def test_integers_that_do_not_fit():
    with pytest.raises(OverflowError):
        tg.zeros(2 ** 70)
    with pytest.raises(OverflowError):
        X * 2 ** 70


def test_functions_describe_themselves():
    assert tg.exp.__name__ == "exp" and tg.exp.__module__ == "tapegrad" and "exp(Tensor input)" in tg.exp.__doc__
    assert list(inspect.signature(tg.mul).parameters) == ["input", "other"] and inspect.isroutine(tg.mul)
    assert list(inspect.signature(tg.Tensor.mul).parameters) == ["self", "other"]
    assert "exp" in repr(tg.exp) and "Tensor" in repr(tg.Tensor.exp)
    assert pickle.loads(pickle.dumps(tg.exp)) is tg.exp and copy.deepcopy(tg.exp) is tg.exp
    assert pickle.loads(pickle.dumps(tg.Tensor.exp)) is tg.Tensor.exp


def test_functions_as_class_attributes_do_not_bind():
    class Layer:
        activation = tg.exp
    assert Layer().activation(X).shape == (2, 3)
    assert list(map(tg.Tensor.exp, [X]))[0].shape == (2, 3) and X.exp.__self__ is X
