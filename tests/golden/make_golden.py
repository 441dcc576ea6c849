"""Writes ops.npz: what PyTorch 2.13.0 gives, value and gradient, for every sample of the op table.

    python tests/golden/make_golden.py

Needs tapegrad (for the table) and torch. test_ops_golden.py reads the file without torch. Inputs are not stored: they
follow from the sample's text (op_samples.Stream). Floats are computed and stored in float64.
"""
import json
import pathlib
import sys

import numpy as np
import torch

here = pathlib.Path(__file__).parent
sys.path[:0] = [str(here.parent / "python"), str(here.parent / "parity")]
import tapegrad
from op_samples import RANDOM, Call, all_samples, dtype_name, flat, gradients, load_rows, run, tensors_of, to_numpy
from oracle import torch_function


def record(sample, function, floats, ints):
    """Appends the sample's numbers and returns their description, [dtype, shape] each."""
    def put(t):
        a = to_numpy(t)
        if a.dtype.kind == "c":  # real and imaginary parts, side by side
            floats.append(np.stack([a.real, a.imag], -1).ravel())
        else:
            (floats if a.dtype.kind == "f" else ints).append(a.ravel())
        return [dtype_name(t), list(a.shape)]

    call = Call(torch, sample.tree())
    result = run(function, sample, call)
    outputs = tensors_of(torch, result)
    plain = [v for v in flat(result) if not isinstance(v, torch.Tensor)]
    grads = []
    if sample.row["differentiable"]:
        try:
            grads = gradients(torch, sample, outputs, call.inputs)
        except RuntimeError as e:  # PyTorch has no derivative here; gradcheck judges ours
            print(f"no gradient of {sample.repro}: {str(e)[:80]}")
    return {"out": [put(t) for t in outputs], "plain": plain, "grad": [None if g is None else put(g) for g in grads]}


def main():
    torch.set_num_threads(1)
    index, floats, ints = {}, [], []
    for sample in all_samples(load_rows(tapegrad._C.op_table())):
        function = torch_function(sample.row)
        if function is None or sample.name in RANDOM or sample.repro in index:
            continue
        index[sample.repro] = record(sample, function, floats, ints)
    out = here / "ops.npz"
    text = json.dumps({"torch": torch.__version__.split("+")[0], "samples": index}, separators=(",", ":"))
    np.savez_compressed(out, floats=np.concatenate(floats).astype(np.float64), ints=np.concatenate(ints).astype(np.int64),
                        index=np.frombuffer(text.encode(), np.uint8))
    print(f"{len(index)} samples, {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
