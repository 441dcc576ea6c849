"""Bad calls: each raises the right exception type with a text that names the op and shows the shapes. Never a crash.

tests/parity/test_errors_parity.py damages every sample and compares with PyTorch; here are the mistakes people make.
"""
import pytest
import tapegrad as tg
from tapegrad.nn import functional as F  # noqa: F401  (the cases are text)

SHAPE, INDEX, DTYPE, VALUE = RuntimeError, IndexError, RuntimeError, (ValueError, RuntimeError)


def z(*shape, dtype=None, grad=False):
    return tg.zeros(shape, dtype=dtype, requires_grad=grad)


def i(*shape):
    return tg.zeros(shape, dtype=tg.int64)


# (expression, exception, words of the text)
CASES = [
    # shapes that do not broadcast
    ("z(2, 3) + z(4)", SHAPE, ["add", "[2, 3]", "[4]"]),
    ("z(2, 3) - z(2, 4)", SHAPE, ["sub", "[2, 3]", "[2, 4]"]),
    ("z(8, 1, 256) * z(255)", SHAPE, ["mul", "256", "255"]),
    ("z(2) / z(3)", SHAPE, ["div", "[2]", "[3]"]),
    ("z(2) < z(3)", SHAPE, ["lt", "[2]", "[3]"]),
    ("tg.maximum(z(2, 2), z(3, 3))", SHAPE, ["maximum", "[2, 2]", "[3, 3]"]),
    ("tg.where(z(2) > 0, z(3), z(4))", SHAPE, ["where"]),
    ("tg.addcmul(z(2), z(3), z(4))", SHAPE, ["addcmul"]),
    ("tg.lerp(z(2), z(3), 0.5)", SHAPE, ["lerp", "[2]", "[3]"]),
    ("z(3).add_(z(2, 3))", SHAPE, ["add", "[2, 3]", "[3]"]),
    ("z(2, 3).copy_(z(4))", SHAPE, ["copy_", "[2, 3]", "[4]"]),
    ("z(2, 3).masked_fill(z(4) > 0, 1.0)", SHAPE, ["masked_fill"]),
    ("z(2, 3).expand(2, 4)", SHAPE, ["expand", "[2, 3]", "[2, 4]"]),
    ("z(2, 3).expand(3)", SHAPE, ["expand", "[2, 3]"]),
    ("tg.broadcast_to(z(2, 3), (3, 2))", SHAPE, ["broadcast_to"]),
    # matrix products
    ("z(2, 3) @ z(4, 5)", SHAPE, ["matmul", "3", "4", "[2, 3]", "[4, 5]"]),
    ("tg.mm(z(2, 3), z(2, 3))", SHAPE, ["mm", "[2, 3]"]),
    ("tg.mm(z(2, 3, 4), z(4, 5))", SHAPE, ["mm", "2"]),
    ("tg.bmm(z(2, 3, 4), z(3, 4, 5))", SHAPE, ["bmm", "[2, 3, 4]", "[3, 4, 5]"]),
    ("tg.mv(z(2, 3), z(2))", SHAPE, ["mv", "[2, 3]", "[2]"]),
    ("tg.dot(z(2), z(3))", SHAPE, ["dot", "[2]", "[3]"]),
    ("tg.dot(z(2, 2), z(2, 2))", SHAPE, ["dot"]),
    ("tg.matmul(z(), z(3))", SHAPE, ["matmul"]),
    ("tg.matmul(z(2, 3), z(3, dtype=tg.float64))", DTYPE, ["matmul", "float32", "float64"]),
    ("tg.addmm(z(2, 2), z(2, 3), z(4, 2))", SHAPE, ["addmm", "[2, 3]", "[4, 2]"]),
    ("F.linear(z(2, 3), z(5, 4))", SHAPE, ["linear", "3", "4", "[5, 4]"]),
    ("F.linear(z(2, 3), z(5, 3), z(4))", SHAPE, ["linear", "[4]"]),
    ("tg.einsum('ij,jk->ik', z(2, 3), z(4, 5))", SHAPE, ["einsum", "j"]),
    ("tg.einsum('ij->ik', z(2, 3))", SHAPE, ["einsum", "k"]),
    ("tg.einsum('ijk', z(2, 3))", SHAPE, ["einsum"]),
    # dimensions
    ("z(2, 3).sum(2)", INDEX, ["sum", "2"]),
    ("z(2, 3).sum((0, 0))", SHAPE, ["sum", "0"]),
    ("z(2, 3).mean(-3)", INDEX, ["mean", "-3"]),
    ("z(2, 3).max(5)", INDEX, ["max", "5"]),
    ("z(2, 3).softmax(2)", INDEX, ["softmax", "2"]),
    ("z(2, 3).cumsum(2)", INDEX, ["cumsum", "2"]),
    ("z(2, 3).transpose(0, 2)", INDEX, ["transpose", "2"]),
    ("z(2, 3).permute(0, 0)", SHAPE, ["permute", "0"]),
    ("z(2, 3).permute(0)", SHAPE, ["permute"]),
    ("z(2, 3).unsqueeze(4)", INDEX, ["unsqueeze", "4"]),
    ("z(2, 3).squeeze(3)", INDEX, ["squeeze", "3"]),
    ("z(2, 3).flatten(1, 0)", SHAPE, ["flatten"]),
    ("z(2, 3).flip(2)", INDEX, ["flip", "2"]),
    ("tg.cat([z(2, 3), z(2, 4)])", SHAPE, ["cat", "[2, 3]", "[2, 4]"]),
    ("tg.cat([z(2), z(2, 2)])", SHAPE, ["cat"]),
    ("tg.cat([])", VALUE, ["cat"]),
    ("tg.cat([z(2), z(2)], 1)", INDEX, ["cat", "1"]),
    ("tg.stack([z(2), z(3)])", SHAPE, ["stack", "[2]", "[3]"]),
    ("tg.stack([])", VALUE, ["stack"]),
    ("z(4).split(-1)", SHAPE, ["split", "-1"]),
    ("z(4).split([1, 2])", SHAPE, ["split", "4"]),
    ("z(4).chunk(0)", SHAPE, ["chunk", "0"]),
    ("z(4).narrow(0, 2, 3)", SHAPE, ["narrow"]),
    ("z(4).select(0, 4)", INDEX, ["select", "4"]),
    ("z(4).unfold(0, 5, 1)", SHAPE, ["unfold", "5"]),
    ("z(4).argmax(1)", INDEX, ["argmax", "1"]),
    ("z(0).max()", VALUE, ["max"]),
    ("z(0).argmax()", (IndexError, RuntimeError, ValueError), ["argmax"]),
    ("z(2, 0).amax(1)", (IndexError, RuntimeError), ["amax"]),
    ("z(3).topk(4)", SHAPE, ["topk", "4"]),
    ("z(3).sort(1)", INDEX, ["sort", "1"]),
    ("z(3).kthvalue(5)", SHAPE, ["kthvalue", "5"]),
    # shapes
    ("z(2, 3).view(4)", SHAPE, ["view", "[2, 3]", "4"]),
    ("z(2, 3).view(-1, -1)", SHAPE, ["view", "-1"]),
    ("z(2, 3).t().view(6)", SHAPE, ["view"]),
    ("z(2, 3).reshape(5)", SHAPE, ["reshape", "[2, 3]", "5"]),
    ("z(0).view(-1, 0)", SHAPE, ["view"]),
    ("z(6).unflatten(0, (4, 2))", SHAPE, ["unflatten", "6"]),
    ("z(2, 2, 2).t()", SHAPE, ["t"]),
    ("z(2).repeat()", (TypeError, RuntimeError), ["repeat"]),
    ("z(2, 3).repeat(2)", SHAPE, ["repeat"]),
    ("tg.zeros(-1)", SHAPE, ["zeros", "-1"]),
    ("tg.zeros([1] * 20)", SHAPE, ["20"]),
    ("z(3).diagonal()", (IndexError, RuntimeError), ["diagonal"]),
    ("z(3).tril()", SHAPE, ["tril"]),
    ("F.pad(z(2), [1, 1, 1, 1])", SHAPE, ["pad"]),
    ("F.pad(z(1, 2, 2), [3, 3], mode='reflect')", SHAPE, ["pad"]),
    ("F.pad(z(2), [1, 1], mode='wrong')", VALUE, ["pad", "wrong"]),
    # indexing
    ("z(3)[3]", INDEX, ["3"]),
    ("z(3)[-4]", INDEX, ["-4"]),
    ("z(3)[0, 0]", INDEX, ["2", "1"]),
    ("z()[0]", INDEX, ["0"]),
    ("z(3)[i(2) + 3]", INDEX, ["3"]),
    ("z(3)[tg.tensor([True, False])]", INDEX, ["[2]", "[3]"]),
    ("z(3, 3)[i(2), i(3)]", INDEX, ["[2]", "[3]"]),
    ("z(3)[tg.tensor([0.5])]", INDEX, ["float32"]),
    ("z(3)['a']", (IndexError, TypeError), []),
    ("z(3).__setitem__(slice(0, 2), z(3))", SHAPE, ["[3]", "[2]"]),
    ("z(3)[::0]", ValueError, ["0"]),
    ("z(3)[::-1]", ValueError, ["-1"]),
    ("z(3, 4).gather(0, i(2, 2, 2))", SHAPE, ["gather"]),
    ("z(3, 4).gather(0, i(2, 2) + 3)", (IndexError, RuntimeError), ["gather", "3"]),
    ("z(3, 4).gather(0, z(2, 2))", DTYPE, ["gather", "float32"]),
    ("z(3, 4).scatter(0, i(2, 2) + 5, z(2, 2))", (IndexError, RuntimeError), ["scatter", "5"]),
    ("z(3, 4).scatter_add(0, i(5, 5), z(2, 2))", SHAPE, ["scatter_add"]),
    ("z(3).index_select(0, i(1) + 3)", (IndexError, RuntimeError), ["index_select", "3"]),
    ("z(3).index_select(0, i(2, 2))", (IndexError, RuntimeError), ["index_select"]),
    ("z(3).index_add(0, i(2), z(3))", (IndexError, RuntimeError), ["index_add"]),
    ("z(3).take(i(1) + 3)", (IndexError, RuntimeError), ["take", "3"]),
    ("z(3).masked_select(z(3))", DTYPE, ["masked_select", "bool"]),
    ("F.one_hot(i(3) + 4, 3)", VALUE, ["one_hot", "4", "3"]),
    ("F.one_hot(z(3))", DTYPE, ["one_hot", "int64"]),
    ("F.embedding(i(2) + 5, z(5, 3))", (IndexError, RuntimeError), ["embedding", "5"]),
    ("F.embedding(z(2), z(5, 3))", DTYPE, ["embedding", "float32"]),
    # dtypes
    ("i(3).mean()", DTYPE, ["mean", "int64"]),
    ("i(3).softmax(0)", DTYPE, ["softmax", "int64"]),
    ("i(3).var()", DTYPE, ["var", "int64"]),
    ("(z(2) > 0) - (z(2) > 0)", DTYPE, ["sub", "bool"]),
    ("-(z(2) > 0)", DTYPE, ["neg", "bool"]),
    ("z(2) & z(2)", DTYPE, ["bitwise_and", "float32"]),
    ("~z(2)", (TypeError, RuntimeError), ["bitwise_not", "float32"]),
    ("i(2).add_(0.5)", DTYPE, ["add", "float32", "int64"]),
    ("i(2).div_(2)", DTYPE, ["div", "int64"]),
    ("i(2).exp_()", DTYPE, ["exp", "int64"]),
    ("i(2).requires_grad_()", DTYPE, ["float"]),
    ("tg.zeros(2, dtype=tg.int64, requires_grad=True)", DTYPE, ["float"]),
    ("i(2) // i(2)", (ZeroDivisionError, RuntimeError), ["zero"]),
    ("i(2) % i(2)", (ZeroDivisionError, RuntimeError), ["zero"]),
    ("i(2) ** -1", DTYPE, ["pow", "negative"]),
    ("tg.add(i(2), i(2), alpha=0.5)", DTYPE, ["add", "alpha"]),
    # layers
    ("F.conv2d(z(1, 3, 8, 8), z(4, 2, 3, 3))", SHAPE, ["conv2d", "3", "2", "[1, 3, 8, 8]", "[4, 2, 3, 3]"]),
    ("F.conv2d(z(1, 3, 2, 2), z(4, 3, 3, 3))", SHAPE, ["conv2d", "[4, 3, 3, 3]"]),
    ("F.conv2d(z(1, 3, 8, 8), z(4, 3, 3, 3), z(5))", SHAPE, ["conv2d", "[5]"]),
    ("F.conv2d(z(1, 3, 8, 8), z(4, 3, 3, 3), stride=0)", VALUE, ["conv2d", "stride"]),
    ("F.conv2d(z(1, 4, 8, 8), z(4, 1, 3, 3), groups=3)", VALUE, ["conv2d", "groups"]),
    ("F.conv2d(z(8, 8), z(4, 3, 3, 3))", SHAPE, ["conv2d", "[8, 8]"]),
    ("F.conv2d(z(1, 3, 8, 8), z(4, 3, 3, 3, dtype=tg.float64))", DTYPE, ["conv2d", "float64"]),
    ("F.conv_transpose2d(z(1, 3, 4, 4), z(4, 2, 3, 3))", SHAPE, ["conv_transpose2d", "3", "4"]),
    ("F.max_pool2d(z(1, 1, 2, 2), 3)", SHAPE, ["max_pool2d"]),
    ("F.max_pool2d(z(1, 1, 4, 4), 2, padding=2)", SHAPE, ["max_pool2d", "padding"]),
    ("F.avg_pool2d(z(4), 2)", (RuntimeError, IndexError), ["avg_pool2d", "[4]"]),
    ("F.layer_norm(z(2, 3), (4,))", SHAPE, ["layer_norm", "[4]", "[2, 3]"]),
    ("F.layer_norm(z(2, 3), (3,), z(4))", SHAPE, ["layer_norm", "[4]"]),
    ("F.group_norm(z(2, 6, 3), 4)", VALUE, ["group_norm", "4", "6"]),
    ("F.batch_norm(z(2, 3), z(4), z(4))", SHAPE, ["batch_norm", "3", "4"]),
    ("F.batch_norm(z(1, 3), z(3), z(3), training=True)", VALUE, ["[1, 3]"]),
    ("F.dropout(z(3), 1.5)", ValueError, ["dropout", "1.5"]),
    ("F.cross_entropy(z(4, 3), i(5))", VALUE, ["cross_entropy", "4", "5"]),
    ("F.cross_entropy(z(4, 3), i(4) + 3)", (IndexError, RuntimeError), ["cross_entropy", "3"]),
    ("F.cross_entropy(z(4, 3), z(4, 2))", SHAPE, ["cross_entropy", "[4, 2]"]),
    ("F.cross_entropy(z(4, 3), i(4), reduction='none such')", ValueError, ["none such"]),
    ("F.nll_loss(z(4, 3), i(4), weight=z(2))", SHAPE, ["nll_loss", "[2]"]),
    ("F.binary_cross_entropy(z(2), z(3))", ValueError, ["[2]", "[3]"]),
    ("F.binary_cross_entropy(z(2) + 2, z(2))", RuntimeError, ["binary_cross_entropy"]),
    ("F.interpolate(z(1, 1, 4, 4))", ValueError, ["scale_factor"]),
    ("F.interpolate(z(1, 1, 4), size=(2,), mode='cubist')", (NotImplementedError, ValueError, RuntimeError), ["cubist"]),
    ("F.scaled_dot_product_attention(z(1, 2, 4), z(1, 3, 5), z(1, 3, 4))", SHAPE, ["scaled_dot_product_attention"]),
    ("tg.multinomial(z(3), 2)", RuntimeError, ["multinomial"]),
    ("tg.bernoulli(z(3) + 2)", RuntimeError, ["bernoulli"]),
    ("tg.randint(5, 5, (2,))", RuntimeError, ["randint", "5"]),
    ("tg.randperm(-1)", RuntimeError, ["randperm", "-1"]),
    ("z(3).uniform_(1, 0)", RuntimeError, ["uniform_"]),
    ("z(3).normal_(0, -1)", RuntimeError, ["normal_", "-1"]),
    ("tg.arange(0, 5, 0)", RuntimeError, ["arange", "step"]),
    ("tg.arange(0, 5, -1)", RuntimeError, ["arange"]),
    ("tg.linspace(0, 1, -1)", RuntimeError, ["linspace", "-1"]),
    # calls
    ("tg.add(z(2))", TypeError, ["add", "other"]),
    ("tg.add(z(2), z(2), z(2))", TypeError, ["add"]),
    ("tg.add(z(2), z(2), wrong=1)", TypeError, ["add", "wrong"]),
    ("tg.add(z(2), other=z(2), input=z(2))", TypeError, ["add", "input"]),
    ("tg.exp('a')", TypeError, ["exp", "str"]),
    ("tg.exp(None)", TypeError, ["exp", "None"]),
    ("z(2, 3).sum('a')", TypeError, ["sum", "str"]),
    ("z(2, 3).sum(0.5)", TypeError, ["sum", "float"]),
    ("z(2).reshape('x')", TypeError, ["reshape"]),
    ("tg.cat(3)", TypeError, ["cat", "int"]),
    ("tg.cat([z(2), 3])", TypeError, ["cat"]),
    ("tg.zeros(2, dtype='float32')", TypeError, ["dtype"]),
    ("tg.zeros(2, device='nowhere')", RuntimeError, ["nowhere"]),
    ("tg.zeros(2, device='cuda:63')", RuntimeError, []),
    ("z(2).to('nowhere')", RuntimeError, ["nowhere"]),
    ("bool(z(2))", (RuntimeError, ValueError), ["more than one"]),
    ("float(z(2))", (RuntimeError, ValueError, TypeError), []),
    ("int(z(0))", (RuntimeError, ValueError, TypeError), []),
    ("z(2).item()", (RuntimeError, ValueError), ["2"]),
    ("len(z())", TypeError, []),
    ("iter(z())", TypeError, []),
    ("range(10)[z(1)]", TypeError, []),
    # gradients
    ("z(2, grad=True).add_(1)", RuntimeError, ["leaf"]),
    ("z(2, grad=True).backward()", RuntimeError, ["grad"]),
    ("z(2).backward()", RuntimeError, ["grad"]),
    ("(z(2, grad=True) * 2).backward(z(3))", RuntimeError, ["[3]", "[2]"]),
    ("z(2, grad=True).numpy()", RuntimeError, ["detach"]),
    ("tg.autograd.grad(z(1, grad=True).sum(), z(1, grad=True))", RuntimeError, ["unused"]),
    ("tg.autograd.grad(z(1).sum(), z(1, grad=True))", RuntimeError, ["grad"]),
    # memory
    ("tg.empty(2**58)", RuntimeError, ["empty", "allocate"]),
    ("tg.zeros(2**60)", RuntimeError, []),
    ("tg.zeros(2**40, 2**40)", RuntimeError, []),
    ("z(1).expand(2**62).clone()", RuntimeError, []),
    ("tg.ones(2**31, 2**31)", RuntimeError, []),
]


@pytest.mark.parametrize("code, error, words", CASES, ids=[c[0] for c in CASES])
def test_bad_call(code, error, words):
    with pytest.raises(error) as raised:
        eval(code)
    text = str(raised.value)
    for word in words:
        assert word in text, f"{word!r} is not in: {text}"
    assert text


def test_errors_are_catchable_as_pytorch_users_catch_them():
    for code, kind in [("z(2) + z(3)", RuntimeError), ("z(2)[5]", IndexError), ("z(2, 3).sum(7)", IndexError)]:
        with pytest.raises(kind) as raised:
            eval(code)
        assert isinstance(raised.value, tg.Error)


def test_a_failed_op_leaves_its_target_unchanged():
    x = tg.ones(2, 3)
    version = x._version
    with pytest.raises(RuntimeError):
        x.add_(tg.ones(4))
    assert x.tolist() == [[1, 1, 1], [1, 1, 1]] and x._version == version


def test_backward_through_a_changed_value_names_the_op():
    x = tg.ones(3, requires_grad=True)
    y = x.exp()
    z = y * 2
    y.mul_(2)
    with pytest.raises(RuntimeError, match="(?i)exp"):
        z.sum().backward()
    del z


def test_backward_twice_explains_retain_graph():
    x = tg.ones(3, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward()


@pytest.mark.parametrize("make", [tg.triu_indices, tg.tril_indices])
def test_huge_triangles_fail_at_once(make):
    for row, col in ((2 ** 40, 2 ** 40), (2 ** 62, 2 ** 62), (2 ** 63 - 1, 2 ** 63 - 1)):
        with pytest.raises(tg.OutOfMemoryError, match=f"{make.__name__}.*{row}"):
            make(row, col)
    above, below = (2 ** 62, -2 ** 62) if make is tg.triu_indices else (-2 ** 62, 2 ** 62)
    assert make(2 ** 40, 2 ** 40, above).shape == (2, 0) and make(3, 2, below).shape == (2, 6)
    for offset in range(-5, 6):
        kept = [(r, c) for r in range(3) for c in range(4) if (c >= r + offset if make is tg.triu_indices else c <= r + offset)]
        assert make(3, 4, offset).t().tolist() == [list(at) for at in kept]
