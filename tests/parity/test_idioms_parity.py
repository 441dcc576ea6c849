"""Pieces of well-known models, as people write them, under both libraries: values and gradients agree."""
import importlib
import math

import numpy as np
import pytest
import tapegrad as tg
import torch

LIBS = (tg, torch)


class Case:
    """What an idiom gets: the library, and tensors and parameters by NumPy's numbers."""

    def __init__(self, lib):
        self.L, self.nn, self.F, self.seed, self.leaves = lib, lib.nn, importlib.import_module(f"{lib.__name__}.nn.functional"), 0, []

    def t(self, *shape, grad=True):
        self.seed += 1
        x = self.L.tensor(np.asarray(np.random.RandomState(self.seed).randn(*shape)).tolist(), dtype=self.L.float32)
        if grad:
            x.requires_grad_(True)
            self.leaves.append(x)
        return x

    def ints(self, high, *shape):
        self.seed += 1
        return self.L.tensor(np.random.RandomState(self.seed).randint(0, high, shape).tolist())

    def m(self, module):
        """The module with weights from NumPy; its parameters are leaves."""
        with self.L.no_grad():
            for _, p in sorted(module.named_parameters()):
                p.copy_(self.t(*p.shape, grad=False) * 0.3)
        self.leaves += list(module.parameters())
        return module


def rotary_attention(c):
    """LLaMA: rotary embeddings by complex numbers, grouped keys, RMSNorm, a causal mask, SwiGLU."""
    L, F = c.L, c.F
    b, s, h, kv, d = 2, 5, 4, 2, 8
    x = c.m(c.nn.RMSNorm(h * d))(c.t(b, s, h * d))
    wq, wk, wv = c.m(c.nn.Linear(h * d, h * d, bias=False)), c.m(c.nn.Linear(h * d, kv * d, bias=False)), c.m(c.nn.Linear(h * d, kv * d, bias=False))
    q, k, v = wq(x).view(b, s, h, d), wk(x).view(b, s, kv, d), wv(x).view(b, s, kv, d)
    freqs = 1.0 / (10000.0 ** (L.arange(0, d, 2)[: (d // 2)].float() / d))
    freqs_cis = L.polar(L.ones(s, d // 2), L.outer(L.arange(s).float(), freqs)).view(1, s, 1, d // 2)

    def rotated(y):
        return L.view_as_real(L.view_as_complex(y.float().reshape(*y.shape[:-1], -1, 2)) * freqs_cis).flatten(3).type_as(y)
    q, k = rotated(q), rotated(k)
    k, v = (y[:, :, :, None, :].expand(b, s, kv, h // kv, d).reshape(b, s, h, d) for y in (k, v))
    mask = L.triu(L.full((s, s), float("-inf")), diagonal=1)
    scores = L.matmul(q.transpose(1, 2), k.permute(0, 2, 3, 1)) / math.sqrt(d) + mask
    out = L.matmul(F.softmax(scores.float(), dim=-1).type_as(q), v.transpose(1, 2)).transpose(1, 2).contiguous().view(b, s, -1)
    w1, w3 = c.m(c.nn.Linear(h * d, 24, bias=False)), c.m(c.nn.Linear(h * d, 24, bias=False))
    return F.silu(w1(out)) * w3(out)


def shifted_windows(c):
    """Swin: cyclic shift, window partition, a relative position bias by index."""
    L = c.L
    B, H, C, ws = 1, 8, 6, 4
    x = L.roll(c.t(B, H, H, C), shifts=(-2, -2), dims=(1, 2))
    windows = x.view(B, H // ws, ws, H // ws, ws, C).permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, ws * ws, C)
    coords = L.stack(L.meshgrid([L.arange(ws), L.arange(ws)], indexing="ij")).flatten(1)
    relative = (coords[:, :, None] - coords[:, None, :]).permute(1, 2, 0).contiguous()
    relative[:, :, 0] += ws - 1
    relative[:, :, 1] += ws - 1
    relative[:, :, 0] *= 2 * ws - 1
    table = c.t((2 * ws - 1) ** 2, 2)
    bias = table[relative.sum(-1).view(-1)].view(ws * ws, ws * ws, -1).permute(2, 0, 1).contiguous()
    attention = (windows @ windows.transpose(-2, -1)).unsqueeze(1) + bias.unsqueeze(0)
    img_mask = L.zeros((1, H, H, 1))
    for i, rows in enumerate((slice(0, -ws), slice(-ws, -2), slice(-2, None))):
        for j, cols in enumerate((slice(0, -ws), slice(-ws, -2), slice(-2, None))):
            img_mask[:, rows, cols, :] = 3 * i + j
    m = img_mask.view(1, H // ws, ws, H // ws, ws, 1).permute(0, 1, 3, 2, 4, 5).reshape(-1, ws * ws)
    attn_mask = m.unsqueeze(1) - m.unsqueeze(2)
    attn_mask = attn_mask.masked_fill(attn_mask != 0, (-100.0)).masked_fill(attn_mask == 0, 0.0)
    return (attention + attn_mask.unsqueeze(1)).softmax(-1)


def convnext_block(c):
    """ConvNeXt: depthwise convolution, channels-last LayerNorm, layer scale; squeeze and excitation after it."""
    x = c.t(2, 8, 6, 6)
    y = c.m(c.nn.Conv2d(8, 8, kernel_size=7, padding=3, groups=8))(x).permute(0, 2, 3, 1)
    y = c.m(c.nn.LayerNorm(8, eps=1e-6))(y)
    y = c.m(c.nn.Linear(32, 8))(c.nn.GELU()(c.m(c.nn.Linear(8, 32))(y)))
    x = x + (c.t(8) * y).permute(0, 3, 1, 2)
    w = c.m(c.nn.Sequential(c.nn.AdaptiveAvgPool2d(1), c.nn.Conv2d(8, 2, 1), c.nn.ReLU6(), c.nn.Conv2d(2, 8, 1), c.nn.Hardsigmoid()))
    return x * w(x)


def vector_quantiser(c):
    """VQ-VAE: nearest codes, straight-through gradients, perplexity."""
    L, F = c.L, c.F
    z, codes = c.t(4, 6, 3), c.t(10, 3)
    flat = z.reshape(-1, 3)
    distances = L.sum(flat ** 2, dim=1, keepdim=True) + L.sum(codes ** 2, dim=1) - 2 * L.matmul(flat, codes.t())
    index = L.argmin(distances, dim=1).unsqueeze(1)
    encodings = L.zeros(index.shape[0], 10).scatter_(1, index, 1)
    quantised = L.matmul(encodings, codes).view(z.shape)
    loss = F.mse_loss(quantised.detach(), z) * 0.25 + F.mse_loss(quantised, z.detach())
    quantised = z + (quantised - z).detach()
    average = encodings.mean(dim=0)
    return quantised.sum() + loss + L.exp(-L.sum(average * L.log(average + 1e-10)))


def mixture_of_experts(c):
    """Top-2 gating, experts by index_add_ of their tokens, a load-balancing loss."""
    L, F = c.L, c.F
    x = c.t(12, 6)
    logits = c.m(c.nn.Linear(6, 4))(x)
    weights, chosen = L.topk(F.softmax(logits, dim=1, dtype=L.float), 2, dim=-1)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    out = L.zeros_like(x)
    mask = F.one_hot(chosen, num_classes=4).permute(2, 1, 0)
    for expert in range(4):
        net = c.m(c.nn.Linear(6, 6))
        idx, top_x = L.where(mask[expert])
        out = out.index_add(0, top_x, net(x[None, top_x].reshape(-1, 6)) * weights[top_x, idx, None])
    density = mask.float().mean(dim=(1, 2))
    return out.sum() + (density * F.softmax(logits, -1).mean(0)).sum() * 4


def contrastive(c):
    """CLIP and SimCLR: normalised embeddings, a learned temperature, symmetric and NT-Xent losses."""
    L, F = c.L, c.F
    a, b = F.normalize(c.t(6, 8), dim=-1), F.normalize(c.t(6, 8), p=2, dim=-1)
    logits = c.t().exp() * a @ b.t()
    labels = L.arange(6)
    clip = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2
    z = L.cat([a, b])
    similarity = F.cosine_similarity(z.unsqueeze(1), z.unsqueeze(0), dim=2) / 0.5
    similarity = similarity.masked_fill(L.eye(12, dtype=L.bool), -9e15)
    positive = similarity[L.eye(12, dtype=L.bool).roll(shifts=6, dims=0)]
    return clip + (L.logsumexp(similarity, dim=-1) - positive).mean()


def gradient_penalty(c):
    """WGAN-GP: the norm of the critic's gradient inside the loss."""
    L = c.L
    critic = c.m(c.nn.Sequential(c.nn.Linear(4, 8), c.nn.LeakyReLU(0.2), c.nn.Linear(8, 1)))
    real, fake, alpha = c.t(5, 4, grad=False), c.t(5, 4, grad=False), c.t(5, 1, grad=False).sigmoid()
    mixed = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    out = critic(mixed)
    g = L.autograd.grad(outputs=out, inputs=mixed, grad_outputs=L.ones(out.size()), create_graph=True, retain_graph=True, only_inputs=True)[0]
    return ((g.view(5, -1).norm(2, dim=1) - 1) ** 2).mean() * 10 + critic(fake).mean() - critic(real).mean()


def selective_scan(c):
    """Mamba: a recurrence with input-dependent steps, written by einsum and a loop."""
    L, F = c.L, c.F
    u, delta, A, B, C, D = c.t(2, 6, 5), F.softplus(c.t(2, 6, 5)), -L.exp(c.t(5, 3)), c.t(2, 6, 3), c.t(2, 6, 3), c.t(5)
    dA = L.exp(L.einsum("bld,dn->bldn", delta, A))
    dBu = L.einsum("bld,bln,bld->bldn", delta, B, u)
    x, ys = L.zeros((2, 5, 3)), []
    for i in range(6):
        x = dA[:, i] * x + dBu[:, i]
        ys.append(L.einsum("bdn,bn->bd", x, C[:, i, :]))
    return L.stack(ys, dim=1) + u * D


def conditional_random_field(c):
    """A CRF's log partition function and Viterbi path."""
    L = c.L
    emissions, transitions, tags = c.t(5, 3, 4), c.t(4, 4), c.ints(4, 5, 3)
    score = emissions[0]
    for i in range(1, 5):
        score = L.logsumexp(score.unsqueeze(2) + transitions + emissions[i].unsqueeze(1), dim=1)
    gold = emissions.gather(2, tags.unsqueeze(2)).squeeze(2).sum(0) + transitions[tags[:-1], tags[1:]].sum(0)
    best, back = emissions[0], []
    for i in range(1, 5):
        best, index = (best.unsqueeze(2) + transitions + emissions[i].unsqueeze(1)).max(dim=1)
        back.append(index)
    path = best.argmax(1)
    for index in reversed(back):
        path = index.gather(1, path.unsqueeze(1)).squeeze(1)
    return (L.logsumexp(score, dim=1) - gold).mean() + path.float().sum() * 0


def speech(c):
    """CTC over a dilated causal convolution and a bidirectional GRU of packed sequences."""
    L, nn = c.L, c.nn
    x = c.t(3, 4, 12)
    x = c.F.pad(x, (4, 0))
    x = c.m(nn.Conv1d(4, 6, kernel_size=3, dilation=2))(x).relu().transpose(1, 2)
    lengths = L.tensor([12, 9, 7])
    gru = c.m(nn.GRU(6, 5, num_layers=2, batch_first=True, bidirectional=True))
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=True)
    out, _ = nn.utils.rnn.pad_packed_sequence(gru(packed)[0], batch_first=True)
    log_probs = c.m(nn.Linear(10, 5))(out).log_softmax(2).transpose(0, 1)
    return nn.CTCLoss(blank=0, zero_infinity=True)(log_probs, c.ints(4, 3, 3) + 1, lengths, L.tensor([3, 2, 1]))


def message_passing(c):
    """GraphSAGE and GIN: scatter_reduce by mean and max, degrees by bincount, pooling by index_add."""
    L = c.L
    x, src, dst = c.t(6, 4), c.ints(6, 14), c.ints(6, 14)
    index = dst.unsqueeze(-1).expand(-1, 4)
    mean = L.zeros(6, 4).scatter_reduce(0, index, x[src], reduce="mean", include_self=False)
    top = L.full((6, 4), -1e9).scatter_reduce(0, index, x[src], reduce="amax")
    degree = L.bincount(dst, minlength=6).clamp(min=1).to(x.dtype)
    pooled = L.zeros(2, 4).index_add_(0, L.tensor([0, 0, 0, 1, 1, 1]), mean + top.clamp(min=-5) / degree[:, None])
    return pooled.tanh()


def radiance_field(c):
    """NeRF and SIREN: positional encoding, sine layers, volume rendering by cumprod."""
    L = c.L
    x = c.t(4, 6, 3)
    bands = 2.0 ** L.linspace(0.0, 3, 4)
    encoded = L.cat([x] + [f(x * b) for b in bands for f in (L.sin, L.cos)], -1)
    raw = L.sin(30 * 0.01 * c.m(c.nn.Linear(27, 4))(encoded))
    depth = L.linspace(2.0, 6.0, 6).expand(4, 6)
    step = L.cat([depth[..., 1:] - depth[..., :-1], L.tensor([1e10]).expand(4, 1)], -1)
    alpha = 1.0 - L.exp(-c.F.relu(raw[..., 3]) * step)
    weights = alpha * L.cumprod(L.cat([L.ones((4, 1)), 1.0 - alpha + 1e-10], -1), -1)[:, :-1]
    return L.sum(weights[..., None] * L.sigmoid(raw[..., :3]), -2) + L.sum(weights * depth, -1, keepdim=True)


def detector(c):
    """Boxes: pairwise overlaps, greedy suppression, focal loss, smooth L1, grid offsets."""
    L, F = c.L, c.F
    corner, size = c.t(7, 2), c.t(7, 2).exp()
    boxes = L.cat((corner, corner + size), 1)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    low, high = L.max(boxes[:, None, :2], boxes[:, :2]), L.min(boxes[:, None, 2:], boxes[:, 2:])
    inter = (high - low).clamp(min=0).prod(2)
    overlap = inter / (area[:, None] + area - inter)
    scores, keep = c.t(7), []
    _, order = scores.sort(descending=True)
    while order.numel() > 0:
        keep.append(order[0].item())
        order = order[1:][overlap[order[0], order[1:]] <= 0.3]
    targets = (c.t(7, 3, grad=False) > 0).float()
    logits = c.t(7, 3)
    p = L.sigmoid(logits)
    p_t = p * targets + (1 - p) * (1 - targets)
    focal = (F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * ((1 - p_t) ** 2)).sum()
    yv, xv = L.meshgrid([L.arange(3), L.arange(2)], indexing="ij")
    grid = L.stack((xv, yv), 2).view(1, 1, 3, 2, 2).float()
    return overlap[keep].sum() + focal + F.smooth_l1_loss(boxes, boxes.detach() + 0.5, beta=0.11) + (grid + corner[:2].sum()).mean()


def encoder_with_masks(c):
    """BERT: summed embeddings, nn.TransformerEncoder with padding, pooling by mask, tied decoder."""
    L, nn = c.L, c.nn
    ids = c.ints(11, 3, 6)
    words, places, kinds = c.m(nn.Embedding(11, 8, padding_idx=0)), c.m(nn.Embedding(6, 8)), c.m(nn.Embedding(2, 8))
    x = words(ids) + places(L.arange(6).expand((3, -1))) + kinds(L.zeros_like(ids))
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    encoder = c.m(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False))
    padding = L.arange(6)[None, :] >= L.tensor([6, 4, 5])[:, None]
    h = encoder(x, src_key_padding_mask=padding)
    pooled = (h * (~padding).unsqueeze(-1)).sum(1) / (~padding).sum(1, keepdim=True)
    return c.F.linear(pooled.tanh(), words.weight)


def low_rank_adaptation(c):
    """LoRA by parametrize; weight norm; the parameters as one vector."""
    nn = c.nn

    class LoRA(nn.Module):
        def __init__(self):
            super().__init__()
            self.A, self.B = nn.Parameter(c.L.zeros(2, 5)), nn.Parameter(c.L.zeros(4, 2))

        def forward(self, W):
            return W + self.B @ self.A
    linear = nn.Linear(5, 4)
    nn.utils.parametrize.register_parametrization(linear, "weight", LoRA())
    c.m(linear)
    normed = c.m(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)))
    return normed(linear(c.t(2, 5))).sum() + nn.utils.parameters_to_vector(linear.parameters()).square().sum()


def spatial_transformer(c):
    """affine_grid and grid_sample; unfold and fold; replication padding; bicubic upsampling."""
    L, F = c.L, c.F
    x = c.t(2, 3, 6, 6)
    theta = c.t(2, 2, 3) * 0.1 + L.tensor([[[1.0, 0, 0], [0, 1, 0]]])
    y = F.grid_sample(x, F.affine_grid(theta, x.size(), align_corners=False), mode="bilinear", padding_mode="zeros", align_corners=False)
    patches = F.unfold(y, kernel_size=3, padding=1, stride=3)
    back = F.fold(patches, output_size=(6, 6), kernel_size=3, padding=1, stride=3)
    return F.interpolate(F.pad(back, (1, 1, 1, 1), mode="replicate"), size=(5, 5), mode="bicubic", align_corners=False)


def spectral_mixing(c):
    """FNet and spectral convolutions: Fourier transforms inside a network."""
    L = c.L
    x = c.t(2, 8, 6)
    mixed = L.fft.fft(L.fft.fft(x, dim=-1), dim=-2).real
    xf = L.fft.rfft(mixed, dim=1)
    weight = L.view_as_complex(c.t(5, 6, 2))
    return L.fft.irfft(xf * weight, n=8, dim=1)


def quantile_losses(c):
    """Pinball loss, quantiles, running statistics, one-sided clipping, a ranking loss."""
    L, F = c.L, c.F
    prediction, y = c.t(9, 3), c.t(9, 1, grad=False)
    q = L.tensor([0.1, 0.5, 0.9])
    error = y - prediction
    pinball = L.max((q - 1) * error, q * error).mean()
    spread = L.quantile(prediction, 0.75, dim=0) - L.median(prediction, dim=0).values
    rank = F.margin_ranking_loss(prediction[:, 0], prediction[:, 1], L.sign(y.squeeze(1)), margin=0.1)
    return pinball + spread.sum() + rank + F.huber_loss(prediction, y.expand_as(prediction), delta=0.7) + L.std_mean(prediction, dim=0)[0].sum()


IDIOMS = [rotary_attention, shifted_windows, convnext_block, vector_quantiser, mixture_of_experts, contrastive, gradient_penalty, selective_scan,
          conditional_random_field, speech, message_passing, radiance_field, detector, encoder_with_masks, low_rank_adaptation, spatial_transformer,
          spectral_mixing, quantile_losses]


@pytest.mark.parametrize("idiom", IDIOMS, ids=lambda f: f.__name__)
def test_idiom(idiom):
    results = []
    for lib in LIBS:
        c = Case(lib)
        out = idiom(c)
        weights = lib.tensor(np.cos(np.arange(out.numel())).tolist()).reshape(out.shape)
        grads = lib.autograd.grad((out * weights).sum(), c.leaves, allow_unused=True)
        results.append([np.array(x.detach().tolist()) if x is not None else None for x in (out, *grads)])
    ours, theirs = results
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert (a is None) == (b is None)
        if b is not None:
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
