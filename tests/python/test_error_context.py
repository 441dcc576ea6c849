"""Errors show operands by the caller's names, whole shapes, where sizes do not fit, and the module that was running."""
import pytest

import tapegrad as tg
from tapegrad import nn
from tapegrad.nn import functional as F


def text_of(f, *args, **kwargs):
    with pytest.raises(RuntimeError) as e:
        f(*args, **kwargs)
    return str(e.value)


def z(*shape):
    return tg.zeros(shape)


# (call, the whole text)
PICTURES = [
    (lambda: z(2, 3) + z(2, 4), """\
add: shapes must broadcast, got [2, 3] and [2, 4]
  input: float32[2, 3] cpu
  other: float32[2, 4] cpu
    input      2  3
    other      2  4
                  ^"""),
    (lambda: z(8, 1, 256) * z(1, 10, 25), """\
mul: shapes must broadcast, got [8, 1, 256] and [1, 10, 25]
  input: float32[8, 1, 256] cpu
  other: float32[1, 10, 25] cpu
    input      8   1  256
    other      1  10   25
                        ^"""),
    (lambda: z(2, 3) @ z(4, 3), """\
matmul: last dimension of input must equal second-to-last of other, got 3 and 4
  input: float32[2, 3] cpu
  other: float32[4, 3] cpu
    input      2  3
    other         4  3
                  ^
  hint: other.T has shape [3, 4] and would fit"""),
    (lambda: tg.bmm(z(2, 3, 4), z(3, 4, 5)), """\
bmm: input and mat2 must have the same first dimension, got 2 and 3
  input: float32[2, 3, 4] cpu
  mat2: float32[3, 4, 5] cpu
    input      2  3  4
    mat2       3  4  5
               ^"""),
    (lambda: F.linear(z(5, 3), z(8, 4)), """\
linear: last dimension of input must equal the last of weight, got 3 and 4
  input: float32[5, 3] cpu
  weight: float32[8, 4] cpu
    input      5  3
    weight     8  4
                  ^"""),
    (lambda: F.conv2d(z(8, 28, 28, 3), z(16, 3, 3, 3)), """\
conv2d: input must have 3 channels (second dimension of weight times groups), got 28
  input: float32[8, 28, 28, 3] cpu
  weight: float32[16, 3, 3, 3] cpu
    input       8  28  28  3
    weight     16   3   3  3
                    ^
  hint: input has 3 channels in its last dimension; input.permute(0, 3, 1, 2) would fit"""),
    (lambda: tg.cat([z(2, 3), z(2, 4)]), """\
cat: sizes must match except in dimension 0, got [2, 3] and [2, 4]
  tensors[0]: float32[2, 3] cpu
  tensors[1]: float32[2, 4] cpu
    first      2  3
    other      2  4
                  ^"""),
]


@pytest.mark.parametrize("call, text", PICTURES, ids=[text.split(":")[0] for _, text in PICTURES])
def test_pictures(call, text):
    assert text_of(call) == text


def test_names_are_the_callers():
    assert "cholesky_solve: input must have 3 rows" in text_of(tg.cholesky_solve, z(7, 2), z(3, 3))
    text = text_of(tg.where, z(2) > 0, z(3), z(4))
    assert "  condition: bool[2] cpu\n  input: float32[3] cpu\n  other: float32[4] cpu" in text
    text = text_of(F.margin_ranking_loss, z(7), z(3), z(3))
    assert "input1: float32[7] cpu\n  input2: float32[3] cpu" in text
    text = text_of(tg.addmm, z(2, 4), z(2, 3), z(4, 4))
    assert "last dimension of mat1 must equal second-to-last of mat2" in text


def test_whole_shapes():
    text = text_of(F.scaled_dot_product_attention, z(6, 3, 4), z(2, 5, 4), z(2, 5, 6))
    assert "query: float32[6, 3, 4] cpu" in text and "key: float32[2, 5, 4] cpu" in text


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc = nn.Linear(n, 4)

    def forward(self, x):
        return self.fc(x).relu()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(Block(4), Block(4), Block(5))

    def forward(self, x):
        return self.encoder(x)


def test_module_path():
    net = Net()
    assert "\n  in Net.encoder.2.fc" in text_of(net, z(3, 4))
    hooked = Net()
    hooked.encoder[2].register_forward_pre_hook(lambda m, args: None)
    assert "\n  in Net.encoder.2.fc" in text_of(hooked, z(3, 4))
    assert "\n  in " not in text_of(lambda: z(2) + z(3))


def test_module_that_is_not_registered():
    class Outer(nn.Module):
        def forward(self, x):
            return Block(5)(x)

    outer = Outer()
    assert "\n  in Outer.Block.fc" in text_of(outer, z(3, 4))
