"""Every op sample gives the same result and gradient for transposed, strided and broadcast inputs as for dense ones."""
import numpy as np
import pytest
import tapegrad

from op_samples import (LAYOUTS, RANDOM, Call, all_samples, flat, function_of, gradients, leaves, load_rows, run, tensors_of,
                        to_numpy)

# Their result is about the memory itself.
SKIP = RANDOM | {"as_strided", "view", "view_as", "view_as_complex", "is_contiguous", "stride", "storage_offset", "data_ptr"}
SAMPLES = [s for s in all_samples(load_rows(tapegrad._C.op_table())) if s.name not in SKIP and s.name[0] != "_"]


def outcome(sample, layout, dense, dtype):
    call = Call(tapegrad, sample.tree(), dtype=dtype, layout=layout, dense=dense)
    result = run(function_of(tapegrad, sample.row), sample, call)
    outputs = tensors_of(tapegrad, result)
    grads = gradients(tapegrad, sample, outputs, call.inputs) if sample.row["differentiable"] else []
    values = [to_numpy(t) for t in outputs]
    for g in grads:
        if g is not None:  # elements that share memory share their gradient: only its sum over them is defined
            g = to_numpy(g)
            with np.errstate(invalid="ignore"):  # equal rows make singular matrices: infinities
                values.append(g.sum(0) if layout == "broadcast" and g.ndim else g)
    return [t.dtype for t in outputs], values, [v for v in flat(result) if not isinstance(v, tapegrad.Tensor)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.id)
def test_op_layout(sample, layout):
    if not any(leaf.array.ndim for leaf in leaves(sample.tree())):
        return
    for dtype in ("float64", "float32", *["complex128"] * sample.row["complex"]):
        try:
            dtypes, expected, plain = outcome(sample, layout, True, dtype)
        except tapegrad.Error:
            if layout == "broadcast":  # repeating the first slice may break what the sample promises (a permutation, a mask)
                return
            raise
        got_dtypes, got, got_plain = outcome(sample, layout, False, dtype)
        assert got_plain == plain and got_dtypes == dtypes and len(got) == len(expected)
        tolerance = 2e-5 if dtype == "float32" else 1e-12
        for a, b in zip(got, expected):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.id)
def test_op_has_the_same_bits_wherever_its_inputs_lie(sample):
    for dtype in ("float64", "float32"):
        dtypes, expected, plain = outcome(sample, "contiguous", False, dtype)
        got_dtypes, got, got_plain = outcome(sample, "shifted", False, dtype)
        assert (got_dtypes, got_plain) == (dtypes, plain) and len(got) == len(expected)
        for a, b in zip(got, expected):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.id)
def test_op_leaves_its_inputs_alone(sample):
    call = Call(tapegrad, sample.tree())
    tensors = [t for t in flat([call.args, list(call.kwargs.values())]) if isinstance(t, tapegrad.Tensor)]
    before = [to_numpy(t) for t in tensors]
    versions = [t._version for t in tensors]
    run(function_of(tapegrad, sample.row), sample, call)
    if sample.name in {"batch_norm", "instance_norm"}:  # running statistics are theirs to update
        return
    for t, b, v in zip(tensors, before, versions):
        np.testing.assert_array_equal(to_numpy(t), b)
        assert t._version == v


@pytest.mark.parametrize("dims", [4, 5])
def test_channels_last_stays_through_cat_and_interpolate(dims):
    last = tapegrad.channels_last if dims == 4 else tapegrad.channels_last_3d
    shape = (2, 3, 4, 5, 6)[:dims]
    a, b = (tapegrad.rand(shape, dtype=d).contiguous(memory_format=last) for d in (tapegrad.float64, tapegrad.float32))
    for dim in range(-dims, dims):
        x, y = a.detach().requires_grad_(), a.detach().contiguous().requires_grad_()
        out, plain = tapegrad.cat([x, b, x], dim), tapegrad.cat([y, b.contiguous(), y], dim)
        assert out.is_contiguous(memory_format=last) and plain.is_contiguous() and out.tolist() == plain.tolist()
        seed = tapegrad.rand(out.shape, dtype=out.dtype)
        out.backward(seed)
        plain.backward(seed)
        assert x.grad.tolist() == y.grad.tolist()
    assert tapegrad.cat([a, b.contiguous()], 1).is_contiguous()
    for mode in ("nearest", "nearest-exact", "area", *(("bilinear", "bicubic") if dims == 4 else ("trilinear",))):
        x, y = a.detach().requires_grad_(), a.detach().contiguous().requires_grad_()
        out, plain = (tapegrad.nn.functional.interpolate(v, size=(7, 3, 8)[:dims - 2], mode=mode) for v in (x, y))
        assert out.is_contiguous(memory_format=last) and plain.is_contiguous() and out.tolist() == plain.tolist()
        out.square().sum().backward()
        plain.square().sum().backward()
        np.testing.assert_allclose(to_numpy(x.grad), to_numpy(y.grad), rtol=1e-12)
