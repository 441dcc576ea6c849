"""Values and gradients of every op sample against PyTorch's, stored in tests/golden/ops.npz by make_golden.py."""
import json
import pathlib

import numpy as np
import pytest
import tapegrad

from op_samples import (RANDOM, Call, all_samples, dtype_name, flat, function_of, gradients, load_rows, run, tensors_of,
                        to_numpy)

FILE = pathlib.Path(__file__).parent.parent / "golden" / "ops.npz"


class Golden:
    def __init__(self):
        with np.load(FILE) as f:
            self.floats, self.ints = f["floats"], f["ints"]
            samples = json.loads(f["index"].tobytes())["samples"]
        self.records, at = {}, {"f": 0, "i": 0}
        for key, r in samples.items():
            self.records[key] = {"out": [self.take(d, at) for d in r["out"]], "plain": r["plain"],
                                 "grad": [None if d is None else self.take(d, at) for d in r["grad"]]}

    def take(self, description, at):
        dtype, shape = description
        k, source = ("i", self.ints) if "int" in dtype or dtype == "bool" else ("f", self.floats)
        pair = "complex" in dtype
        n = int(np.prod(shape)) * (2 if pair else 1)
        at[k] += n
        values = source[at[k] - n:at[k]]
        return dtype, (values.view(np.complex128) if pair else values).reshape(shape)


SAMPLES = [s for s in all_samples(load_rows(tapegrad._C.op_table())) if s.name not in RANDOM and s.name[0] != "_"]


@pytest.fixture(scope="module")
def golden():
    return Golden()


def compare(mine, expected, what):
    dtype, values = expected
    tolerance = 1e-7 if dtype in ("float64", "complex128", "int64") else 1e-5
    assert dtype_name(mine) == dtype, f"{what}: dtype {dtype_name(mine)}, PyTorch's is {dtype}"
    assert tuple(mine.shape) == values.shape, f"{what}: shape {tuple(mine.shape)}, PyTorch's is {values.shape}"
    wide = np.complex128 if "complex" in dtype else np.float64
    np.testing.assert_allclose(to_numpy(mine).astype(wide), values.astype(wide), rtol=tolerance, atol=tolerance, err_msg=what)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.id)
def test_op_golden(sample, golden):
    record = golden.records.get(sample.repro)
    if record is None and sample.name in ONLY_OURS:
        pytest.skip("PyTorch has no such function")
    assert record is not None, "no golden value: run tests/golden/make_golden.py"
    call = Call(tapegrad, sample.tree())
    result = run(function_of(tapegrad, sample.row), sample, call)
    outputs = tensors_of(tapegrad, result)
    assert len(outputs) == len(record["out"])
    assert [v for v in flat(result) if not isinstance(v, tapegrad.Tensor)] == record["plain"]
    for k, (mine, expected) in enumerate(zip(outputs, record["out"])):
        compare(mine, expected, f"output {k}")
    if not sample.row["differentiable"] or not record["grad"]:
        return
    for k, (mine, expected) in enumerate(zip(gradients(tapegrad, sample, outputs, call.inputs), record["grad"])):
        if mine is None or expected is None:
            assert mine is None or not to_numpy(mine).any(), f"gradient {k}: PyTorch has none"
            assert expected is None or not expected[1].any(), f"gradient {k} is missing"
        else:
            compare(mine, expected, f"gradient {k}")


# Rows that PyTorch does not have under any name: covered by gradcheck and by tests of their own.
ONLY_OURS = set()
