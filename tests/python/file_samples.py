"""What the tests write into files: built by either library, `contents(torch)` or `contents(tapegrad)`, from the same numbers."""
from collections import Counter, OrderedDict

import pytest

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


def contents(t):
    base = t.arange(12.0).reshape(3, 4)
    model = t.nn.Sequential(t.nn.BatchNorm1d(2), t.nn.Linear(2, 3))
    with t.no_grad():
        for i, p in enumerate(model.parameters()):
            p.copy_(t.arange(float(p.numel())).reshape(p.shape) / 10 + i)
    optimizer = t.optim.Adam(model.parameters(), lr=0.25)
    model(t.arange(8.0).reshape(4, 2)).square().sum().backward()
    optimizer.step()
    scheduler = t.optim.lr_scheduler.MultiStepLR(optimizer, [2, 3, 3])
    return {
        "dtypes": {d: t.tensor([0, 1, 1]).to(getattr(t, d)) for d in DTYPES}, "base": base, "transposed": base.t(), "part": base[1:, ::2],
        "expanded": t.ones(1).expand(3), "scalar": t.tensor(3), "empty": t.zeros(0, 3), "grad": t.ones(2, requires_grad=True),
        "parameter": t.nn.Parameter(t.ones(2)), "frozen": t.nn.Parameter(t.ones(2), requires_grad=False),
        "size": t.Size([1, 2]), "dtype": t.float16, "device": t.device("cpu"), "gpu": t.device("cuda:1"),
        "plain": [1, -5, 300, 2 ** 40, -2 ** 70, 1.5, float("inf"), None, True, "ü", b"\xff\x00", (1, (2,)), {1, 2}, 2 + 3j, bytearray(b"xy")],
        "ordered": OrderedDict(x=1, y=[]), "counter": Counter("aab"), "model": model.state_dict(), "optimizer": optimizer.state_dict(),
        "milestones": scheduler.state_dict()["milestones"], "epoch": 3,
    }


def assert_same(x, y, path=""):
    """The same values, dtypes, shapes, strides, flags and containers, of whichever library."""
    if path.endswith(".step"):  # PyTorch's optimizers count in tensors
        assert int(x) == int(y), path
    elif hasattr(x, "untyped_storage"):
        assert tuple(x.shape) == tuple(y.shape) and x.reshape(-1).tolist() == pytest.approx(y.reshape(-1).tolist(), rel=1e-5), path
        assert str(x.dtype).split(".")[1] == str(y.dtype).split(".")[1] and x.requires_grad == y.requires_grad, path
        assert x.numel() == 0 or tuple(x.stride()) == tuple(y.stride()), path
        assert type(x).__name__ == type(y).__name__, path
    elif isinstance(x, dict):
        assert type(x) is type(y) and list(x) == list(y), path
        for k in x:
            assert_same(x[k], y[k], f"{path}.{k}")
        assert dict(vars(x)) == dict(vars(y)) if hasattr(x, "__dict__") else True, path
    elif isinstance(x, (list, tuple)):
        assert type(x).__name__ == type(y).__name__ and len(x) == len(y), path
        for i, (a, b) in enumerate(zip(x, y)):
            assert_same(a, b, f"{path}.{i}")
    else:
        assert str(x).split(".")[-1] == str(y).split(".")[-1] and type(x).__name__ == type(y).__name__, path


def assert_shared(back):
    base = back["base"]
    for name in ("transposed", "part"):
        assert back[name].untyped_storage().data_ptr() == base.untyped_storage().data_ptr()
    assert back["part"].storage_offset() == 4
