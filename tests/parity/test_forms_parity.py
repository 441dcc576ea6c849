"""The ways in which programs write calls: positional and named arguments, tuples and lists, overloads, operators, indexing."""
import warnings

import numpy as np
import pytest
import tapegrad as tg
import torch

X, Y, I = np.random.RandomState(0).randn(3, 4), np.random.RandomState(1).randn(3, 4), np.random.RandomState(2).randint(0, 3, (3, 4))
EXPRESSIONS = """
x.sum(axis=1)
x.sum(dim=(0,1), keepdim=True)
x.mean(0, True)
x.mean(dim=-1, dtype=L.float64)
x.max(dim=1).values
x.max(1, keepdim=True)[0]
L.max(x, dim=0)[1]
L.max(x, y)
x.argmax(dim=-1, keepdim=True)
x.argmax()
x.min()
L.amax(x, dim=(0,1))
L.std(x, dim=1, unbiased=False)
L.var(x, 1, correction=0)
x.std(0, False)
x.var()
L.var_mean(x, dim=0)
x.norm()
x.norm(dim=1)
x.norm(p=1, dim=1, keepdim=True)
x.norm(p='fro')
x.norm(float('inf'))
L.norm(x, 2, 1)
x.view(-1)
x.view(2, -1)
x.view((6, 2))
x.view(L.int32).shape
x.reshape(-1, 2, 3)
x.reshape((2, 6))
x.permute(1, 0)
x.permute((1, 0))
x.permute(*[1,0])
L.permute(x, (1, 0))
x.transpose(0, 1)
x.swapaxes(0, 1)
x.movedim(0, -1)
L.movedim(x, (0, 1), (1, 0))
x.T
x.mT
x.t()
x.squeeze()
x.unsqueeze(0).squeeze(0)
x[None].squeeze(dim=(0,))
x.flatten(start_dim=0)
L.flatten(x[None], 1)
x.unflatten(1, (2, 2))
x.unflatten(-1, (-1, 2))
x.expand(2, -1, -1)
x.expand(L.Size([2, 3, 4])).shape
x.repeat(2, 1)
x.repeat((1, 2))
x.repeat_interleave(2, dim=0)
L.repeat_interleave(x, L.tensor([1, 0, 2]), dim=0)
x.tile((2,))
L.tile(x, (2, 2))
x.split(2, dim=1)[0]
x.split([1, 3], dim=1)[1]
L.split(x, 2)[0]
x.chunk(2, -1)[1]
x.unbind(1)[0]
L.cat([x, y], dim=-1)
L.cat((x, y))
L.concat([x, y], axis=1)
L.stack([x, y], dim=1)
L.stack((x, y), -1)
L.hstack([x, y])
L.vstack([x, y])
L.dstack([x, y])
L.column_stack([x, y])
x.clamp(0, 1)
x.clamp(min=0)
x.clamp(max=y)
L.clamp(x, min=-0.5, max=0.5)
x.clip(0)
x ** 2
2 ** x
x ** y
x @ y.T
x // 1
x % 2
-x
abs(x)
~(x > 0)
(x > 0) & (y > 0)
(x > 0) | (y > 0)
(x > 0) ^ (y > 0)
x > 0
1 - x
1 / (x + 10)
x / 2
x.add(y, alpha=2)
L.add(x, y, alpha=0.5)
x.sub(1)
L.rsub(x, 1)
x.mul(2.5)
x.div(y, rounding_mode='floor')
L.div(x, 2, rounding_mode='trunc')
x.addmm(x, L.ones(4, 4))
L.addmm(x, x, L.ones(4, 4), beta=0.5, alpha=2)
L.baddbmm(L.ones(1,3,3), x[None], y.T[None])
L.addcmul(x, x, y, value=0.1)
L.addcdiv(x, x, y + 10, value=0.1)
x.lerp(y, 0.3)
L.lerp(x, y, L.full_like(x, 0.5))
x.masked_fill(x > 0, -1)
x.masked_fill(x > 0, L.tensor(2.0))
x.masked_select(x > 0)
L.where(x > 0, x, y)
L.where(x > 0, 1.0, 0.0)
L.where(x > 0, x, 0)
L.where(x > 0)
x.where(x > 0, y)
x.gather(1, i)
L.gather(x, dim=1, index=i)
x.scatter(1, i, 0)
x.scatter(1, i, y)
L.zeros(3, 4).scatter_(1, i, 1.0)
L.zeros(3, 4).scatter_add_(1, i, x)
L.zeros(3, 4).scatter(1, i, 2.0, reduce='add')
x.index_select(0, L.tensor([0, 2]))
L.index_select(x, 1, L.tensor([1]))
x.take(L.tensor([0, 5]))
L.take_along_dim(x, i, dim=1)
x.nonzero()
x.nonzero(as_tuple=True)
L.nonzero(x > 0, as_tuple=False)
x.sort(dim=1, descending=True)[0]
L.sort(x, 0)[1]
x.sort(stable=True)[0]
x.argsort(dim=1, descending=True)
L.topk(x, 2, dim=1, largest=False)[0]
x.topk(k=2)[1]
x.kthvalue(2, dim=1)[0]
x.median()
x.median(dim=1)[0]
x.mode(dim=1)[0]
L.unique(i)
L.unique(i, return_inverse=True, return_counts=True)
L.unique(i, dim=0)
x.cumsum(dim=1)
L.cumprod(x, -1)
x.cummax(dim=1)[0]
x.logsumexp(dim=1, keepdim=True)
x.softmax(dim=-1)
L.softmax(x, 1, dtype=L.float64)
x.log_softmax(1)
x.flip(0)
x.flip(dims=[0, 1])
L.flip(x, (1,))
x.roll(1, 0)
x.roll(shifts=(1, 2), dims=(0, 1))
L.rot90(x, 1, [0, 1])
x.tril()
x.triu(diagonal=1)
x.diag()
L.diag(x[0])
x.diagonal(dim1=0, dim2=1)
L.diag_embed(x)
L.eye(3, 4)
L.eye(3, dtype=L.int64)
L.arange(5)
L.arange(1, 2, 0.25)
L.arange(0., 3)
L.arange(start=1, end=7, step=2)
L.linspace(0, 1, steps=5)
L.logspace(0, 2, 3)
L.full((2, 2), 7)
L.full([2], 0.5, dtype=L.float64)
L.zeros(2, 3, dtype=L.long)
L.zeros([2, 3])
L.ones((2,), device='cpu')
L.zeros(size=(2, 2))
L.empty((0, 3)).shape
L.zeros_like(x, dtype=L.int32)
L.full_like(x, 3)
x.new_zeros(2, 3)
x.new_full((2,), 1.5)
x.new_ones((2, 2), dtype=L.int64)
x.new_tensor([1, 2])
x.new_empty(2).shape
L.tensor([[1, 2], [3, 4.5]])
L.tensor(np.arange(3))
L.tensor([True, False])
L.tensor(3)
L.tensor(x.tolist())
L.as_tensor([1, 2], dtype=L.float32)
L.asarray(np.ones(2, dtype='f'))
L.from_numpy(np.arange(4.0))
x.numpy().sum() > -100
np.asarray(x).shape
np.array(x.tolist()).shape
x.tolist()[0][0] < 10
x.item() if x.numel() == 1 else 0
float(x[0, 0]) < 10
int(L.tensor(3.7))
bool(L.tensor(1))
len(x)
[r.shape for r in x]
x.size(1)
x.size(dim=0)
x.shape[-1]
x.dim()
x.ndim
x.numel()
x.nelement()
x.stride()
x.stride(0)
x.is_contiguous()
x.t().contiguous().stride()
x.dtype
x.float().dtype
x.double().dtype
x.half().dtype
x.bfloat16().dtype
x.long().dtype
x.int().dtype
x.bool().dtype
x.to(L.float64).dtype
x.to('cpu').dtype
x.to(y).dtype
x.to(device='cpu', dtype=L.float16).dtype
x.to(L.device('cpu'), L.float64, non_blocking=True, copy=True).dtype
x.type_as(i).dtype
x.cpu().device
x.detach().requires_grad
x.clone(memory_format=L.contiguous_format)
x.data
x[0]
x[0, 1]
x[:, 1:]
x[..., -1]
x[::2]
x[:, None, :].shape
x[x > 0]
x[[0, 2]]
x[[0, 1], [1, 2]]
x[L.tensor([0, 1])]
x[:, L.tensor([True, False, True, False])]
x[i[:, 0]]
x[..., None].shape
x[-1]
x[1:2, ...]
L.einsum('ij,kj->ik', x, y)
L.einsum('ij->ji', x)
L.einsum('ij,ij->', x, y)
L.einsum('...j,...j->...', x, y)
L.einsum('bi,bj->bij', x, y)
L.einsum('ij,jk', x, y.T)
L.einsum('ii', L.ones(3, 3))
L.einsum('i j, k j -> i k', x, y)
L.einsum('ij,kj->ik', [x, y])
L.tensordot(x, y, dims=([1], [1]))
L.tensordot(x, y.T, 1)
L.matmul(x, y.T)
L.mm(x, y.T)
L.bmm(x[None], y.T[None])
L.mv(x, y[0])
L.dot(x[0], y[0])
L.outer(x[0], y[0])
L.inner(x, y)
x.matmul(y[0])
L.meshgrid(L.arange(2), L.arange(3), indexing='ij')[0]
L.meshgrid([L.arange(2), L.arange(3)], indexing='xy')[1]
L.cartesian_prod(L.arange(2), L.arange(2))
L.combinations(L.arange(3), 2)
L.isnan(x).any()
L.isinf(x).sum()
L.isfinite(x).all(dim=1)
x.any(dim=1)
(x > 0).all()
(x > 0).sum()
(x > 0).float().mean()
L.eq(x, x).all()
x.eq(0)
x.ne(y).any()
L.equal(x, x)
L.allclose(x, x + 1e-9)
L.isclose(x, x)
L.sign(x)
x.sgn()
x.round(decimals=1)
x.floor().int()
x.trunc()
x.frac()
x.exp().log()
x.sigmoid()
L.sigmoid(x)
x.tanh()
x.relu()
L.relu(x)
x.abs().sqrt()
x.square()
x.pow(2)
L.pow(2, x)
x.erf()
L.nan_to_num(x / 0)
L.atan2(x, y)
L.hypot(x, y)
L.maximum(x, y)
L.fmod(x, 2)
L.remainder(x, -2)
L.bucketize(x, L.tensor([-1., 0., 1.]))
L.searchsorted(L.tensor([-1., 0., 1.]), x)
L.histc(x, bins=4, min=-1, max=1)
L.bincount(i.flatten())
L.bincount(i.flatten(), weights=x.flatten(), minlength=6)
L.tril_indices(3, 3)
L.triu_indices(3, 3, offset=1)
L.count_nonzero(x, dim=1)
L.block_diag(x, y).shape
L.broadcast_to(x, (2, 3, 4)).shape
L.broadcast_tensors(x, x[0])[1].shape
L.atleast_2d(L.tensor(1.0))
L.narrow(x, 1, 1, 2)
x.unfold(1, 2, 1)
x.as_strided((2, 2), (1, 2))
x.index_add(0, L.tensor([0, 0, 1]), y)
x.index_fill(0, L.tensor([1]), 9.0)
x.index_copy(0, L.tensor([0, 2]), y[:2])
x.index_put((L.tensor([0, 1]), L.tensor([1, 2])), L.tensor(5.0))
x.clone().fill_diagonal_(0)
x.clone().add_(1).mul_(2).sub_(3).div_(2)
x.clone().zero_()
x.clone().fill_(2)
x.clone().clamp_(0, 1)
x.clone().masked_fill_(x > 0, 0)
x.clone().copy_(y)
x.clone().pow_(2)
x.clone().exp_()
x.clone().t_()
x.clone().unsqueeze_(0).squeeze_()
x.clone().resize_(2, 6).shape
x.clone().set_(y).equal(y)
x.view_as(y)
x.expand_as(L.ones(2, 3, 4)).shape
x.reshape_as(y.T)
F.relu(x)
F.softmax(x, dim=1)
F.gumbel_softmax(x, hard=True).sum()
F.one_hot(i, num_classes=5)
F.one_hot(i).shape
F.pad(x, (1, 1))
F.pad(x, (0, 0, 1, 2), 'constant', 5)
F.pad(x[None], (1, 1), mode='reflect')
F.normalize(x)
F.normalize(x, p=1, dim=0, eps=1e-8)
F.cosine_similarity(x, y)
F.layer_norm(x, (4,))
F.layer_norm(x, [4], x[0], y[0], 1e-3)
F.dropout(x, p=0.5, training=False)
F.embedding(i, x.new_ones(5, 2))
F.linear(x, y, x.new_ones(3))
F.mse_loss(x, y, reduction='none')
F.mse_loss(x, y, reduction='sum')
F.cross_entropy(x, i[:, 0])
F.cross_entropy(x, i[:, 0], weight=x.new_ones(4), ignore_index=2, reduction='sum')
F.cross_entropy(x, x.softmax(1), label_smoothing=0.1)
F.nll_loss(x.log_softmax(1), i[:, 0])
F.binary_cross_entropy(x.sigmoid(), y.sigmoid())
F.binary_cross_entropy_with_logits(x, (y > 0).float(), pos_weight=L.tensor(2.0))
F.kl_div(x.log_softmax(1), y.softmax(1), reduction='batchmean')
F.kl_div(x.log_softmax(1), y.log_softmax(1), log_target=True, reduction='sum')
F.l1_loss(x, y)
F.smooth_l1_loss(x, y)
F.hinge_embedding_loss(x, x.sign())
F.cosine_embedding_loss(x, y, L.ones(3))
F.triplet_margin_loss(x, y, x + 1)
F.leaky_relu(x, 0.1)
F.elu(x)
F.gelu(x)
F.silu(x)
F.softplus(x, beta=2)
F.hardtanh(x, -0.5, 0.5)
F.glu(x, dim=1)
F.logsigmoid(x)
F.tanh(x)
F.sigmoid(x)
F.max_pool2d(x[None, None], 2)
F.avg_pool2d(x[None, None], kernel_size=2, stride=1)
F.adaptive_avg_pool2d(x[None, None], 1)
F.adaptive_avg_pool2d(x[None, None], (1, None))
F.interpolate(x[None, None], scale_factor=2)
F.interpolate(x[None, None], size=(5, 5), mode='bilinear', align_corners=True)
F.conv1d(x[None], y.new_ones(2, 3, 2))
F.conv2d(x[None, None], y.new_ones(2, 1, 2, 2), padding='same')
F.conv_transpose2d(x[None, None], y.new_ones(1, 2, 2, 2), stride=2)
F.unfold(x[None, None], 2).shape
F.scaled_dot_product_attention(x[None], y[None], y[None], is_causal=True)
F.batch_norm(x, None, None, training=True)
F.group_norm(x, 2)
F.pixel_shuffle(x.reshape(1, 4, 1, 3), 2)
F.pairwise_distance(x, y)
L.nn.functional.threshold(x, 0.1, 0)
L.special.expit(x)
L.special.logsumexp(x, 1)
L.quantile(x, 0.5)
L.quantile(x, L.tensor([0.1, 0.9]), dim=1)
L.nanmean(x)
L.nansum(x)
L.square(x)
L.clone(x)
L.numel(x)
L.multinomial(L.ones(4), 2).shape
L.randint(0, 5, (2, 3)).shape
L.randint(5, (2,)).dtype
L.randn(2, 3, generator=L.Generator().manual_seed(0)).shape
L.rand((2, 3)).shape
L.randperm(5).sort()[0]
L.normal(0, 1, size=(2, 2)).shape
L.normal(mean=x, std=L.ones_like(x)).shape
L.bernoulli(x.sigmoid()).shape
x.element_size()
x.data_ptr() > 0
x.is_floating_point()
x.requires_grad_().grad is None
L.is_tensor(x)
str(L.tensor([1.5, 2]))
repr(L.tensor([[1, 2], [3, 4]]))
f"{L.tensor(1.5):.3f}"
'%.2f' % L.tensor(1.234).item()
sum([x, y])
max(x[0]).item() > -100
sorted(x[0].tolist()) is not None
x.__len__()
0.0 in x
x.hsplit(2)[0]
L.tensor_split(x, 3, dim=1)[0]
L.ravel(x)
L.msort(x)
L.fliplr(x)
L.clamp_min(x, 0)
L.true_divide(x, 2)
L.floor_divide(i, 2)
i // 2
i / 2
i % 3
i & 1
i << 1
i.float() @ x.T.new_ones(4, 2)
L.bitwise_and(i, 3)
L.logical_and(x > 0, y > 0)
L.logical_not(x > 0)
L.logaddexp(x, y)
L.result_type(i, 1.0)
L.tensor(1) + 1.5
L.tensor([1]) * 2.5
L.tensor([1], dtype=L.int32) + L.tensor([1.5])
L.tensor(2.0, dtype=L.float64) * x
np.float32(2) * x
x * np.float64(2)
L.tensor(np.float64(1.5)).dtype
L.tensor([np.float32(1)]).dtype
x[np.array([0, 1])]
x[np.int64(1)]
L.zeros(np.int64(3))
x.reshape(np.int64(3), 4).shape
""".strip().split("\n")


def leaves(value):
    """Tensors as (shape, dtype, numbers), everything else as text."""
    if isinstance(value, (list, tuple)) and not isinstance(value, (tg.Size, torch.Size)):
        return [leaf for v in value for leaf in leaves(v)]
    if isinstance(value, (tg.Tensor, torch.Tensor)):
        return [(tuple(value.shape), str(value.dtype).split(".")[1], np.array(value.detach().tolist(), dtype=float))]
    return [str(value).replace("torch.", "").replace("tapegrad.", "")]


def answer(lib, expression):
    x, y, i = (lib.tensor(a.tolist()) for a in (X, Y, I))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return leaves(eval(expression, {"L": lib, "F": lib.nn.functional, "np": np, "x": x, "y": y, "i": i}))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_form(expression):
    theirs = answer(torch, expression)
    ours = answer(tg, expression)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        if isinstance(b, str):
            assert a == b
        else:
            assert a[:2] == b[:2]
            np.testing.assert_allclose(a[2], b[2], rtol=1e-5, atol=1e-5)
