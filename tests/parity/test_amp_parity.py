"""autocast gives every op of the table the dtype that PyTorch's gives it, from float32, bfloat16 and mixed arguments."""
import pytest
import tapegrad
import torch
from op_samples import RANDOM, Call, all_samples, dtype_name, function_of, load_rows, run, tensors_of
from oracle import torch_function

pytestmark = pytest.mark.filterwarnings("ignore")
ROWS = [r for r in load_rows(tapegrad._C.op_table()) if r["name"][0] != "_" and torch_function(r)]
SAMPLES = [s for s in all_samples(ROWS) if s.name not in RANDOM]

WIDE = {"cov", "corrcoef", "matrix_power", "linalg.matrix_power", "linalg.pinv"}  # more than products of matrices: all in float32
DIFFERENT = {  # one op here, several in PyTorch, which casts only where it comes to a product of matrices
    "einsum": {"einsum('ii->i', [T(3, 3)])", "einsum('ij->', [T(2, 3)])", "einsum('i,j,k->kji', [T(2), T(3), T(2)])"},
    "inner": {"inner(T(3), T(3))", "inner(T(), T(2))"},
    # PyTorch casts neither a packed batch nor the cell state of a projection.
    "lstm": {"lstm(T(2, 3, 4), [T(1, 2, 2), T(1, 2, 3)], [T(12, 4), T(12, 2), T(2, 3)], False, 1, 0.0, False, False, True)",
             "lstm(T(5, 2), C(3, 1, 1), [T(2, 3, 2), T(2, 3, 2)], [T(8, 2), T(8, 2), T(8), T(8), T(8, 2), T(8, 2), T(8), T(8)], "
             "True, 1, 0.0, False, True)"},
}


def dtypes(lib, f, sample, dtype):
    try:
        call = Call(lib, sample.tree(), dtype, requires_grad=False)
        with lib.autocast("cpu"):
            return [dtype_name(t) for t in tensors_of(lib, run(f, sample, call))]
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):
        return None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64", "int64"])
def test_dtypes_under_autocast(dtype):
    wrong = []
    for s in SAMPLES:
        mine, theirs = dtypes(tapegrad, function_of(tapegrad, s.row), s, dtype), dtypes(torch, torch_function(s.row), s, dtype)
        if mine and theirs and mine != theirs and s.name not in WIDE and s.repro not in DIFFERENT.get(s.name, ()):
            wrong.append(f"{s.repro} in {dtype}: {mine}, PyTorch {theirs}")
    assert not wrong, "\n".join(wrong)


def test_mixed_arguments():
    for lib in (tapegrad, torch):
        with lib.autocast("cpu"):
            a, b = lib.ones(2, 2), lib.ones(2, 2, dtype=lib.bfloat16)
            assert {lib.cat([a, b]).dtype, lib.stack([b, a]).dtype, (a + b).dtype} == {lib.float32}
            assert {(a @ b).dtype, lib.nn.functional.linear(b, a).dtype} == {lib.bfloat16}
            assert lib.nn.functional.binary_cross_entropy_with_logits(b, a).dtype == lib.float32


MODULES = {
    "RNN": lambda nn: nn.RNN(8, 4), "GRU": lambda nn: nn.GRU(8, 4), "LSTM": lambda nn: nn.LSTM(8, 4), "LayerNorm": lambda nn: nn.LayerNorm(8),
    "TransformerEncoderLayer": lambda nn: nn.TransformerEncoderLayer(8, 2, 16), "Conv1d": lambda nn: nn.Conv1d(5, 3, 2), "PReLU": lambda nn: nn.PReLU(),
    "BatchNorm1d": lambda nn: nn.BatchNorm1d(5), "GELU": lambda nn: nn.GELU(), "GroupNorm": lambda nn: nn.GroupNorm(1, 5), "Linear": lambda nn: nn.Linear(8, 2),
    "ConvTranspose1d": lambda nn: nn.ConvTranspose1d(5, 3, 2), "Upsample": lambda nn: nn.Upsample(scale_factor=2), "MultiheadAttention": lambda nn: nn.MultiheadAttention(8, 2),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    seen = []
    for lib in (tapegrad, torch):
        module, x = MODULES[name](lib.nn), lib.ones(2, 5, 8)
        with lib.autocast("cpu"):
            out = module(*[x] * (3 if name == "MultiheadAttention" else 1))
        seen.append([dtype_name(t) for t in tensors_of(lib, out)])
    assert seen[0] == seen[1]


def test_scalers_agree():
    scales = {}
    for lib in (tapegrad, torch):
        p = lib.nn.Parameter(lib.ones(2))
        optimizer = lib.optim.SGD([p], lr=0.125)
        scaler = lib.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)
        seen = []
        for factor in (1.0, 2.0, float("inf"), 1.0, 1.0, 3.0, float("nan"), 1.0):
            optimizer.zero_grad()
            scaler.scale((p * factor).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
            seen.append((scaler.get_scale(), p.tolist(), scaler.state_dict()["_growth_tracker"]))
        scales[lib.__name__] = seen
    assert scales["tapegrad"] == scales["torch"]
