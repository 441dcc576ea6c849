"""Sizes at the limits: convolutions of no channels; windows, copies and padding whose products do not fit 64 bits."""
import pytest
import tapegrad as tg
import tapegrad.nn.functional as F

HUGE = 2**61  # nine steps of it are a step of one
CALLS = {
    "conv1d": lambda n: F.conv1d(tg.ones(1, 1, 3), tg.ones(1, 1, 9), dilation=n),
    "conv1d padding": lambda n: F.conv1d(tg.ones(1, 1, 3), tg.ones(1, 1, 1), padding=n),
    "conv_transpose1d": lambda n: F.conv_transpose1d(tg.ones(1, 1, 3), tg.ones(1, 1, 9), dilation=n),
    "conv_transpose1d stride": lambda n: F.conv_transpose1d(tg.ones(1, 1, 9), tg.ones(1, 1, 3), stride=n),
    "max_pool1d": lambda n: F.max_pool1d(tg.ones(1, 1, 3), 9, 1, 0, n),
    "avg_pool1d": lambda n: F.avg_pool1d(tg.ones(1, 1, 3), 2 * n, padding=n),
    "unfold": lambda n: F.unfold(tg.ones(1, 1, 3, 3), 9, dilation=n),
    "unfold padding": lambda n: F.unfold(tg.ones(1, 1, 3, 3), 2, padding=n),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_steps_beyond_memory_are_refused(call):
    with pytest.raises(ValueError, match="less than 2\\^31"):
        call(HUGE)


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64, tg.bfloat16, tg.int64, tg.complex64])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_no_channels_give_the_bias(dims, dtype):
    conv, transposed = getattr(F, f"conv{dims}d"), getattr(F, f"conv_transpose{dims}d")
    x, w = tg.zeros(2, 0, *[3] * dims, dtype=dtype), tg.zeros(4, 0, *[2] * dims, dtype=dtype)
    bias = tg.tensor([1, 2, 3, 4]).to(dtype)
    assert conv(x, w).tolist() == tg.zeros(2, 4, *[2] * dims, dtype=dtype).tolist()
    y = conv(x, w, bias)
    assert y.dtype == dtype and y.tolist() == (tg.zeros(2, 4, *[2] * dims, dtype=dtype) + bias.reshape(4, *[1] * dims)).tolist()
    assert transposed(x, w.transpose(0, 1), bias).tolist() == (tg.zeros(2, 4, *[4] * dims, dtype=dtype) + bias.reshape(4, *[1] * dims)).tolist()


def test_the_gradient_of_no_channels_and_no_images():
    for x, w in ((tg.zeros(2, 0, 3, 3), tg.zeros(4, 0, 2, 2)), (tg.zeros(0, 3, 3, 3), tg.ones(4, 3, 2, 2))):
        x, w, bias = x.requires_grad_(), w.requires_grad_(), tg.ones(4, requires_grad=True)
        F.conv2d(x, w, bias).sum().backward()
        assert x.grad.shape == x.shape and w.grad.shape == w.shape and not w.grad.any() and bias.grad.tolist() == [4.0 * x.shape[0]] * 4


WRAPPED = 6148914691236517206  # three of them are 2^64 + 2
COPIES = {
    "repeat": lambda: tg.ones(3).repeat(WRAPPED),
    "tile": lambda: tg.ones(3).tile(WRAPPED),
    "repeat_interleave": lambda: tg.ones(3).repeat_interleave(WRAPPED),
    "repeat_interleave of tensors": lambda: tg.ones(3).repeat_interleave(tg.tensor([2**63 - 1, 2**63 - 1, 4])),
    "pad replicate": lambda: F.pad(tg.ones(1, 3), (2**63 - 1, 2**63 - 1), mode="replicate"),
    "pad": lambda: F.pad(tg.ones(3), (2**63 - 1, 2**63 - 1)),
}


@pytest.mark.parametrize("call", COPIES.values(), ids=COPIES)
def test_copies_beyond_memory_are_refused(call):
    with pytest.raises(MemoryError, match="too many elements"):
        call()


def test_pixel_shuffle_by_a_factor_whose_square_is_too_large():
    with pytest.raises(ValueError, match="upscale_factor"):
        F.pixel_shuffle(tg.ones(1, 4, 1, 1), 2**32)
