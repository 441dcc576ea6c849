"""PyTorch's side of the comparison: which of its functions an op row names, and where the two differ on purpose."""
import torch
import torch.nn.functional as F


def spread(f):
    """Their *tensors as our one list."""
    return lambda *tensors, **k: f(*(tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors), **k)


# Rows whose PyTorch function is not torch.NAME, nn.functional.NAME or Tensor.NAME.
SPELLED = {
    "mT": lambda x: x.mT,
    "slice": lambda input, dim=0, start=None, end=None, step=1: torch.ops.aten.slice.Tensor(input, dim, start, end, step),
    "softmax": torch.softmax,
    "log_softmax": torch.log_softmax,
    "feature_dropout": lambda input, p=0.5, training=True: torch.feature_dropout(input, p, training),
    "norm": torch.norm,
    "broadcast_tensors": spread(torch.broadcast_tensors),
    "chain_matmul": spread(torch.chain_matmul),
    "block_diag": spread(torch.block_diag),
    "cartesian_prod": spread(torch.cartesian_prod),
    "tensordot": lambda a, b, dims_self=2, dims_other=None, **k: torch.tensordot(
        a, b, dims_self if dims_other is None else (dims_self, dims_other), **k),
    "equal": torch.equal,
}

# (name or "name(sample)", which test): why the two differ. Every entry is a decision, not a gap.
KNOWN_DIFFERENCES = {
    ("complex", "float16"): "there is no complex32",
    ("view_as_complex", "float16"): "there is no complex32",
    ("hardtanh", "more dtypes"): "bounds are clamped to the dtype's range: uint8 works with a negative bound",
    ("tanhshrink", "more dtypes"): "a bool input is a number in float32",
    ("einsum", "more dtypes"): "operands of the same integer dtype; PyTorch needs int64 where it falls back to bmm",
    ("topk", "more dtypes"): "bool is ordered: False before True",
    ("interpolate", "uint8"): "only nearest works on uint8; PyTorch has kernels of its own for images",
    ("cumsum(T(), 0)", "inplace"): "bools have no sums in place, of a 0-d or an empty tensor neither",
    ("cumsum(T(0, 3), 0)", "inplace"): "bools have no sums in place, of a 0-d or an empty tensor neither",
    ("cumprod(T(), 0)", "inplace"): "bools have no products in place, of a 0-d tensor neither",
    ("embedding_bag", "errors"): "PyTorch 2.13.0 crashes on some of these calls",
    ("combinations", "argument 1 is 99"): "there are none; PyTorch's mask of n^r elements overflows",
    ("segment_reduce", "tensor 0 has shape (7, 11)"): "offsets must end where the data does",
    ("segment_reduce", "tensor 0 has shape (3, 7, 11)"): "offsets must end where the data does",
    ("grid_sample", "bfloat16"): "16-bit floats are computed in float32; PyTorch's bicubic rounds at every step",
    ("roll", "argument 2 is 99"): "a dimension out of range is refused for empty tensors too",
    ("roll", "argument 2 is -99"): "a dimension out of range is refused for empty tensors too",
    ("adaptive_avg_pool2d", "tensor 0 has shape (7, 11)"): "2 dimensions are refused; PyTorch takes them when output_size is 1",
    ("addbmm", "inplace"): "self must have the result's shape, as with every other in-place op; PyTorch resizes it",
    ("linalg.qr(T(4, 3), 'r')", "value"): "R of mode 'r' is differentiable; PyTorch's empty Q needs a gradient",
    ("linalg.matrix_exp", "float16"): "computed in float32; PyTorch's own overflows",
    ("linalg.matrix_exp", "bfloat16"): "computed in float32; PyTorch's own overflows",
    ("matrix_exp", "float16"): "computed in float32; PyTorch's own overflows",
    ("matrix_exp", "bfloat16"): "computed in float32; PyTorch's own overflows",
    ("gradient", "tensor 1 is int64"): "coordinates are differenced in input's dtype; PyTorch goes through float32",
    ("gradient", "tensor 1 is int32"): "coordinates are differenced in input's dtype; PyTorch goes through float32",
    ("gradient", "tensor 2 is int64"): "coordinates are differenced in input's dtype; PyTorch goes through float32",
    ("gradient", "tensor 2 is int32"): "coordinates are differenced in input's dtype; PyTorch goes through float32",
    ("cholesky_inverse", "complex64"): "the sample's diagonal is complex, of which PyTorch drops the imaginary part",
    ("cholesky_inverse", "complex128"): "the sample's diagonal is complex, of which PyTorch drops the imaginary part",
    ("renorm(T(3, 2), inf, -1, 0.5)", "complex64"): "PyTorch's gradient of the largest complex number is NaN",
    ("nansum", "out"): "floats are summed into integers where out asks for it; PyTorch lacks the kernel",
    ("lu_unpack", "errors"): "PyTorch crashes on pivots of a wrong shape",
    ("matmul(T(2, 0), T(0, 3))", "bool"): "dtypes without a product are refused for empty tensors too",
    ("lstm", "errors"): "PyTorch crashes on weights and states that do not fit; test_rnn_parity.py has our refusals",
    **{(name, dtype): "recurrent networks are for floating dtypes" for name in ("rnn_relu", "rnn_tanh_cell", "rnn_relu_cell")
       for dtype in ("uint8", "int8", "int16", "int32", "int64")},
}


def torch_function(row):
    """PyTorch's function for a row, or None when it has none."""
    name = row["name"]
    if name in SPELLED:
        return SPELLED[name]
    if name.startswith("special_"):
        return getattr(torch.special, name.removeprefix("special_"))
    place, _, own_name = name.rpartition(".")
    if place:
        return getattr(getattr(torch, place), own_name, None)
    places = [F, torch, torch.Tensor] if row["functional"] else [torch, F, torch.Tensor]
    if not row["function"] and row["method"]:
        places = [torch.Tensor]
    for place in places:
        if hasattr(place, name):
            return getattr(place, name)
    return None
