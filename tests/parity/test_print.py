"""repr() of tensors equals PyTorch's, character for character, but for the name before the dtype and the line break that its
three letters more may cause."""
import re

import pytest
import tapegrad as tg
import torch

SHAPES = [(), (0,), (1,), (7,), (20,), (100,), (1000,), (1001,), (0, 3), (3, 0), (2, 3), (3, 4, 5), (2, 2, 2, 2), (40, 40), (1005, 1),
          (1, 1005), (7, 200), (11, 11, 11), (2, 0, 3), (334, 3)]
FLOATS = {
    "normal": lambda r: torch.randn(r),
    "thousands": lambda r: torch.randn(r) * 1000,
    "whole": lambda r: torch.randint(-5, 9, r).double(),
    "tiny": lambda r: torch.randn(r) * 1e-5,
    "huge": lambda r: torch.randn(r).exp() * 1e9,
    "all sizes": lambda r: torch.randn(r) * 10 ** (torch.rand(r) * 6 - 3),
    "nan": lambda r: torch.where(torch.rand(r) < 0.3, torch.tensor(float("nan")), torch.randn(r)),
    "infinite": lambda r: torch.where(torch.rand(r) < 0.3, torch.tensor(float("-inf")), torch.randint(0, 300, r).double()),
}


def plain(text):
    text = text.replace("torch.", "").replace("tapegrad.", "")
    return re.sub(r",\s+(dtype|size|requires_grad|grad_fn)=", r", \1=", text)


def check(theirs):
    ours = tg.tensor(theirs.detach().tolist(), dtype=getattr(tg, str(theirs.dtype).split(".")[1])).reshape(theirs.shape)
    if theirs.requires_grad:
        ours.requires_grad_()
    assert plain(repr(ours)) == plain(repr(theirs))


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_floats_print_as_pytorchs(dtype, kind):
    torch.manual_seed(0)
    for shape in SHAPES:
        x = FLOATS[kind](shape).to(dtype)
        check(x)
        check(x.clone().requires_grad_())


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64], ids=str)
def test_integers_print_as_pytorchs(dtype):
    torch.manual_seed(0)
    for shape in SHAPES:
        check(torch.randint(0 if dtype == torch.uint8 else -100, 100, shape).to(dtype))


@pytest.mark.parametrize("options", [{"precision": 2}, {"sci_mode": True}, {"threshold": 5, "edgeitems": 1}, {"linewidth": 40}], ids=str)
def test_options_are_obeyed(options):
    torch.set_printoptions(**options)
    tg.set_printoptions(**options)
    try:
        torch.manual_seed(0)
        for shape in SHAPES:
            check(torch.randn(shape))
    finally:
        torch.set_printoptions(profile="default")
        tg.set_printoptions(precision=4, threshold=1000, edgeitems=3, linewidth=80, sci_mode=None)
