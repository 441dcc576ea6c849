"""Every sample of the op table on a CUDA device gives what it gives on the CPU, forward and backward, or is in missing.txt."""
import pathlib

import numpy as np
import pytest
import tapegrad

from op_samples import RANDOM, Call, all_samples, flat, function_of, gradients, leaves, load_rows, run, tensors_of, to_numpy

MISSING = set(pathlib.Path(__file__).with_name("missing.txt").read_text().split())
# About memory itself, or the host's by definition.
SKIP = RANDOM | {"data_ptr", "cpu", "numpy", "share_memory_", "from_file", "pin_memory", "is_pinned", "is_shared", "get_device", "cuda"}
SAMPLES = [s for s in all_samples(load_rows(tapegrad._C.op_table())) if s.name not in SKIP and s.name[0] != "_" and "'cpu'" not in s.text]
HALVES = ("float16", "bfloat16")
TOLERANCE = {"float32": 3e-5, "float64": 1e-11, "float16": 4e-3, "bfloat16": 3e-2, "complex64": 3e-5, "complex128": 1e-11}


def outcome(sample, device, dtype, layout):
    call = Call(tapegrad, sample.tree(), dtype=dtype, layout=layout, device=device)
    if device and not leaves(sample.tree()):  # a factory
        call.made[1]["device"] = device
    result = run(function_of(tapegrad, sample.row), sample, call)
    outputs = tensors_of(tapegrad, result)
    grads = gradients(tapegrad, sample, outputs, call.inputs) if sample.row["differentiable"] else []
    return result, outputs, [g for g in grads if g is not None]


def same(sample, dtype, layout):
    try:
        expected, expected_out, expected_grads = outcome(sample, None, dtype, layout)
    except tapegrad.Error:  # not for every layout (view) or dtype
        assert layout != "contiguous" or dtype in HALVES
        return
    got, out, grads = outcome(sample, "cuda", dtype, layout)
    assert [t.dtype for t in out] == [t.dtype for t in expected_out] and len(grads) == len(expected_grads)
    assert [v for v in flat(got) if not isinstance(v, tapegrad.Tensor)] == [v for v in flat(expected) if not isinstance(v, tapegrad.Tensor)]
    tolerance = TOLERANCE[dtype]
    for a, b in zip([*out, *grads], [*expected_out, *expected_grads]):
        assert a.is_cuda, "the result has left the device"
        assert a.shape == b.shape
        np.testing.assert_allclose(to_numpy(a.cpu()), to_numpy(b), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.id)
def test_op_on_cuda(sample):
    if not leaves(sample.tree()) and "device" not in sample.row["signature"]:
        return
    cases = [("float32", "contiguous"), ("float64", "contiguous"), ("float32", "transposed"), ("float32", "sliced")]
    cases += [(half, "contiguous") for half in HALVES]
    cases += [("complex64", "contiguous")] * sample.row["complex"]
    for dtype, layout in cases:
        try:
            same(sample, dtype, layout)
        except NotImplementedError:
            if sample.name not in MISSING:
                raise


@pytest.mark.parametrize("name", sorted(MISSING))
def test_what_is_missing_says_so(name):
    samples = [s for s in SAMPLES if s.name == name]
    assert samples, f"{name} is no op"
    refused = 0
    for sample in samples:
        for dtype in ("float32", *["complex64"] * sample.row["complex"]):
            try:
                outcome(sample, "cuda", dtype, "contiguous")
            except NotImplementedError as e:
                assert "CUDA" in str(e) or "not implemented" in str(e)
                refused += 1
    assert refused, f"{name} works: take it out of missing.txt"
