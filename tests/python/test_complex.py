"""Complex tensors: creation, parts, conversion, the gradient's convention. Values of single ops are in the table's tests."""
import copy
import pickle

import numpy as np
import pytest
import tapegrad as tg
from tapegrad import safetensors
from tapegrad.autograd import gradcheck, gradgradcheck

Z = [1 + 2j, -3.5 - 1e-3j, 0j]


def test_creation():
    assert tg.tensor(Z).dtype == tg.complex64 and tg.tensor(Z, dtype=tg.complex128).tolist() == Z
    assert tg.tensor([1, 2.5, 3j]).dtype == tg.complex64 and tg.full((2,), 1j).tolist() == [1j, 1j]
    assert tg.zeros(2, dtype=tg.cfloat).tolist() == [0j, 0j] and tg.ones(1, dtype=tg.cdouble).item() == 1 + 0j
    assert tg.eye(2, dtype=tg.complex64).tolist() == [[1, 0], [0, 1]] and complex(tg.tensor(2 - 1j)) == 2 - 1j
    tg.set_default_dtype(tg.float64)
    try:
        assert tg.tensor(1j).dtype == tg.complex128 and (tg.ones(1) * 1j).dtype == tg.complex128
    finally:
        tg.set_default_dtype(tg.float32)
    for make in (tg.rand, tg.randn):
        x = make(5000, dtype=tg.complex64)
        assert x.dtype == tg.complex64 and abs(tg.view_as_real(x).var().item() - (1 / 12 if make is tg.rand else 0.5)) < 0.03


def test_numpy_and_files(tmp_path):
    a = np.array([Z, Z[::-1]])
    x = tg.from_numpy(a)
    x[0, 0] = 7j
    assert a[0, 0] == 7j and (x.numpy() == a).all() and (np.asarray(x.t()) == a.T).all()
    assert tg.tensor(np.complex64(2j)).dtype == tg.complex64 and (tg.ones(1) * np.complex128(2j)).item() == 2j
    for y in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), tg.from_dlpack(x)):
        assert y.dtype == tg.complex128 and y.tolist() == a.tolist()
    safetensors.save_file({"x": x.to(tg.complex64)}, tmp_path / "x.safetensors")
    assert safetensors.load_file(tmp_path / "x.safetensors")["x"].dtype == tg.complex64
    with pytest.raises((TypeError, ValueError), match="complex128"):
        safetensors.save_file({"x": x}, tmp_path / "x.safetensors")


def test_parts_are_views():
    x = tg.tensor(Z)
    x.real[0] = 5
    x.imag *= 2
    tg.view_as_real(x)[2, 1] = 9
    assert x.tolist() == [5 + 4j, pytest.approx(-3.5 - 2e-3j), 9j]
    assert x.real._base is x and x.conj().tolist()[0] == 5 - 4j and not x.is_conj() and x.resolve_conj() is x
    x.real = tg.zeros(3)
    assert x.real.tolist() == [0, 0, 0]
    y = tg.ones(2)
    assert y.real is y and y.conj() is y
    with pytest.raises(TypeError, match="imag"):
        y.imag
    with pytest.raises(ValueError, match="even"):
        tg.view_as_complex(tg.ones(2, 3)[:, :2])


def test_gradients_through_parts():
    x = tg.tensor(Z, requires_grad=True)
    y = x * 1
    y.real.mul_(3)
    y.imag[0] = 0
    (y.abs() ** 2).sum().backward()
    expected = [2 * 9 * z.real + (0 if k == 0 else 2j * z.imag) for k, z in enumerate(Z)]
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-6)


def test_convention():
    """L = f(x + iy): the gradient is dL/dx + i dL/dy; real inputs get the real part."""
    z, r = tg.tensor(3 + 4j, requires_grad=True), tg.tensor(2., requires_grad=True)
    (z * r).abs().backward()
    assert z.grad.item() == pytest.approx(2 * (0.6 + 0.8j)) and r.grad.item() == 5
    with pytest.raises(RuntimeError, match="real scalar outputs"):
        (z * z).backward()
    with pytest.raises(RuntimeError):
        (z * z).abs().backward(tg.tensor(1j))
    assert tg.autograd.grad(z ** 2, z, tg.tensor(1 + 0j))[0].item() == pytest.approx(6 - 8j)  # conj(2 z)


def test_gradcheck_of_complex_functions():
    z = tg.tensor([0.3 + 0.4j, -1 - 0.2j], dtype=tg.complex128, requires_grad=True)
    r = tg.tensor([0.5, 2.], dtype=tg.float64, requires_grad=True)
    assert gradcheck(lambda z, r: (z * r).exp() + z.conj(), (z, r)) and gradgradcheck(lambda z, r: (z * r).sin() * z.abs(), (z, r))
    with pytest.raises(RuntimeError, match="Jacobian"):
        gradcheck(lambda z: z * z.detach(), z)


def test_promotion():
    x, z = tg.ones(2), tg.ones(2, dtype=tg.complex64)
    assert (x.double() * 1j).dtype == tg.complex128 and (x.long() + 1j).dtype == tg.complex64 and (z * 2.5).dtype == tg.complex64
    assert (z + x.double()).dtype == tg.complex128 and (x + tg.tensor(1j, dtype=tg.complex128)).dtype == tg.complex64
    assert tg.promote_types(tg.complex64, tg.float64) == tg.complex128 and not tg.can_cast(tg.complex64, tg.float64)
    assert z.is_complex() and not z.is_floating_point() and tg.finfo(tg.complex64).eps == tg.finfo(tg.float32).eps
    with pytest.raises(RuntimeError):
        x.add_(z)
    with pytest.raises(ValueError):
        x.fill_(1j)


@pytest.mark.parametrize("call", ["z < z", "z.floor()", "z.max()", "z.sort()", "tg.relu(z)", "z // 2", "z % 2", "z.to(tg.int64) << z", "z & z", "z.median()",
                                  "z.clamp(0, 1)", "tg.maximum(z, z)", "z.argmax()", "tg.atan2(z, z)", "z.cummax(0)", "z.erf()", "tg.nn.functional.softmax(z, 0)",
                                  "z.round()", "z.sign()", "tg.nn.functional.layer_norm(z, (3,))", "tg.topk(z, 1)", "tg.unique(z)", "z.histc()"])
def test_what_complex_numbers_do_not_have(call):
    with pytest.raises((tg.DtypeError, NotImplementedError)):
        eval(call, {"tg": tg, "z": tg.tensor(Z)})
    with pytest.raises(NotImplementedError, match="cfloat"):
        tg.ones(1).chalf()


@pytest.mark.parametrize("make", [tg.optim.SGD, tg.optim.Adam, tg.optim.RMSprop], ids=lambda m: m.__name__)
def test_optimizers_see_two_real_parameters(make):
    z = tg.tensor([1 + 2j, -1j], requires_grad=True)
    r = tg.tensor([[1., 2.], [0., -1.]], requires_grad=True)
    for _ in range(3):
        for p, loss in ((z, lambda: (z - 3j).abs().square().sum()), (r, lambda: (r - tg.tensor([0., 3.])).square().sum())):
            p.grad = None
            loss().backward()
            make([p], lr=0.03).step()
    tg.testing.assert_close(tg.view_as_real(z.detach()), r.detach())


@pytest.mark.parametrize("name,top", [("uint16", 2 ** 16), ("uint32", 2 ** 32), ("uint64", 2 ** 64)])
def test_unsigned(name, top, tmp_path):
    dtype = getattr(tg, name)
    values = [0, 1, 3, top - 2, top - 1]
    x = tg.tensor(values, dtype=dtype)
    assert x.tolist() == values and x.numpy().dtype == name and tg.from_numpy(np.array(values, name)).tolist() == values
    assert f"dtype=tapegrad.{name}" in repr(x) and str(top - 1) in repr(x) and x[-1].item() == top - 1
    assert (x + 1).tolist() == [1, 2, 4, top - 1, 0] and (x * x).tolist() == [v * v % top for v in values]
    assert (x - x).sum() == 0 and (x // 3).tolist() == [v // 3 for v in values] and (x % 7).tolist() == [v % 7 for v in values]
    assert (x & 6).tolist() == [v & 6 for v in values] and (~x).tolist() == [top - 1 - v for v in values] and (x >> 1).tolist() == [v >> 1 for v in values]
    assert (x > 3).tolist() == [v > 3 for v in values] and (x == x).all() and tg.iinfo(dtype).max == top - 1
    assert x.to(tg.float64).tolist() == [float(v) for v in values] and x.float().to(dtype)[2] == 3 and (x / 2).dtype == tg.float32
    assert tg.tensor([-1]).to(dtype).tolist() == [top - 1] and tg.from_dlpack(x).tolist() == values and pickle.loads(pickle.dumps(x)).dtype == dtype
    assert x.sort(descending=True)[0].tolist() == values[::-1] and x.flip(0)[0].item() == top - 1 and x[x > 3].numel() == 2
    safetensors.save_file({"x": x}, tmp_path / "x.safetensors")
    assert safetensors.load_file(tmp_path / "x.safetensors")["x"].tolist() == values
    if name == "uint64":
        with pytest.raises(tg.DtypeError, match="no integer dtype"):
            x + tg.ones(5, dtype=tg.int64)
    else:  # as in the array API; PyTorch refuses
        assert (x + tg.ones(5, dtype=tg.int8)).dtype == (tg.int32 if name == "uint16" else tg.int64)
    with pytest.raises(RuntimeError):
        x.requires_grad_()
