"""MultiheadAttention and the transformer layers against torch.nn: masks of every kind, options, the same state_dict."""
import itertools

import numpy as np
import pytest
import tapegrad as tg
import torch
from test_rnn_parity import both, compare, numbers

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's advice about nested tensors and mismatched masks
RULES = ["none", "bool", "float", "heads", "causal"]


def masks(lib, rule, padding, length=4, source=5, n=3, heads=2, float_padding=False):
    """(attn_mask, key_padding_mask): where True, or -inf, nothing is seen; at least one key stays."""
    r = np.random.RandomState(3)
    shape = (n * heads, length, source) if rule == "heads" else (length, source)
    forbidden = r.rand(*shape) < 0.4
    forbidden[..., 1] = False
    attn = None if rule == "none" else forbidden
    if rule == "causal":
        attn = np.triu(np.full((length, source), -np.inf), 1)
    if rule == "float":
        attn = r.randn(*shape)
    pad = None
    if padding:
        pad = np.zeros((n, source), bool)
        pad[0, 3:] = pad[2, 4:] = True
        if float_padding or rule in ("float", "causal"):
            pad = np.where(pad, -np.inf, 0.0)
    return tuple(None if m is None else lib.from_numpy(m.copy()) for m in (attn, pad))


OPTIONS = [dict(), dict(bias=False), dict(kdim=6, vdim=3), dict(add_bias_kv=True), dict(add_zero_attn=True),
           dict(add_bias_kv=True, add_zero_attn=True, batch_first=True), dict(batch_first=True)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("rule", RULES)
def test_attention(options, rule):
    ours, theirs = both(lambda nn: nn.MultiheadAttention(8, 2, **options))
    q, k, v = numbers(4, 3, 8), numbers(5, 3, options.get("kdim", 8)), numbers(5, 3, options.get("vdim", 8), seed=1)
    if options.get("batch_first"):
        q, k, v = (x.transpose(1, 0, 2).copy() for x in (q, k, v))
    for padding, weights, average in itertools.product((False, True), (False, True), (False, True)):
        def call(m, lib, q, k, v):
            attn, pad = masks(lib, rule, padding)
            return m(q, k, v, key_padding_mask=pad, need_weights=weights, attn_mask=attn, average_attn_weights=average)
        compare(ours, theirs, call, [q, k, v])


@pytest.mark.parametrize("same", ["all", "keys"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_shared_inputs(same, batch_first):
    ours, theirs = both(lambda nn: nn.MultiheadAttention(8, 2, batch_first=batch_first))
    if same == "all":
        compare(ours, theirs, lambda m, lib, x: m(x, x, x), [numbers(4, 3, 8)])
        compare(ours, theirs, lambda m, lib, x: m(x, x, x), [numbers(4, 8)])
    else:
        compare(ours, theirs, lambda m, lib, x, y: m(x, y, y), [numbers(4, 3, 8), numbers(*((4, 5, 8) if batch_first else (5, 3, 8)))])
        compare(ours, theirs, lambda m, lib, x, y: m(x, y, y), [numbers(4, 8), numbers(5, 8)])


def test_unbatched_with_masks():
    ours, theirs = both(lambda nn: nn.MultiheadAttention(8, 2))

    def call(m, lib, q, k):
        attn, pad = masks(lib, "bool", True)
        return m(q, k, k, key_padding_mask=pad[0], attn_mask=attn)
    compare(ours, theirs, call, [numbers(4, 8), numbers(5, 8)])


def test_static_keys():
    found = []
    for lib in (tg, torch):
        q, w, b = (lib.from_numpy(numbers(*s)) for s in ((4, 3, 8), (24, 8), (24,)))
        k = lib.from_numpy(numbers(6, 5, 4))
        found.append(lib.nn.functional.multi_head_attention_forward(
            q, q, q, 8, 2, w, b, None, None, False, 0.0, w[:8], b[:8], static_k=k, static_v=k)[0].numpy())
    np.testing.assert_allclose(*found, rtol=1e-11)


@pytest.mark.parametrize("call", [
    lambda m, t: m(t(4, 3, 8), t(5, 3, 8), t(6, 3, 8)), lambda m, t: m(t(4, 3, 7), t(5, 3, 8), t(5, 3, 8)), lambda m, t: m(t(4, 8), t(5, 3, 8), t(5, 3, 8)),
    lambda m, t: m(t(4), t(5), t(5)), lambda m, t: m(t(4, 3, 8), t(5, 3, 8), t(5, 3, 8), attn_mask=t(5, 4)), lambda m, t: m(t(4, 3, 8), t(5, 3, 8), t(5, 3, 8), is_causal=True),
    lambda m, t: m(t(4, 3, 8), t(5, 3, 8), t(5, 3, 8), key_padding_mask=t(5, 3)), lambda m, t: m(t(4, 3, 8), t(5, 3, 8), t(5, 3, 8), attn_mask=t(2, 4, 5)),
    lambda m, t: m(t(4, 3, 8), t(5, 3, 8), t(5, 3, 8), attn_mask=t(4, 5).long())])
def test_attention_refusals(call):
    kinds = []
    for lib in (tg, torch):
        with pytest.raises((RuntimeError, AssertionError)) as e:
            call(lib.nn.MultiheadAttention(8, 2), lib.zeros)
        kinds.append(type(e.value) is AssertionError)
    assert kinds[0] == kinds[1]


LAYER = [dict(), dict(norm_first=True), dict(activation="gelu"), dict(bias=False), dict(batch_first=True)]


@pytest.mark.parametrize("options", LAYER, ids=str)
@pytest.mark.parametrize("rule", ["none", "bool", "causal"])
def test_encoder(options, rule):
    def make(nn):
        return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, **options), 2, nn.LayerNorm(8))
    ours, theirs = both(make)

    def call(m, lib, x):
        attn, pad = masks(lib, rule, True, 5, 5)
        return m(x, mask=attn, src_key_padding_mask=pad)
    x = numbers(5, 3, 8) if not options.get("batch_first") else numbers(3, 5, 8)
    compare(ours, theirs, call, [x], 1e-10)
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(5, 8)], 1e-10)


@pytest.mark.parametrize("options", LAYER, ids=str)
def test_decoder(options):
    def make(nn):
        return nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, **options), 2)
    ours, theirs = both(make)

    def call(m, lib, x, memory):
        causal, _ = masks(lib, "causal", False, 4, 4)
        attn, pad = masks(lib, "bool", True)
        return m(x, memory, tgt_mask=causal, memory_mask=attn, memory_key_padding_mask=pad, tgt_is_causal=True)
    x, memory = numbers(4, 3, 8), numbers(5, 3, 8)
    if options.get("batch_first"):
        x, memory = x.transpose(1, 0, 2).copy(), memory.transpose(1, 0, 2).copy()
    compare(ours, theirs, call, [x, memory], 1e-10)


def test_transformer():
    ours, theirs = both(lambda nn: nn.Transformer(8, 2, 2, 2, 16, dropout=0.0, activation="gelu"))

    def call(m, lib, src, tgt):
        causal = m.generate_square_subsequent_mask(4).to(lib.float64)
        _, pad = masks(lib, "float", True)
        return m(src, tgt, tgt_mask=causal, src_key_padding_mask=pad, memory_key_padding_mask=pad, tgt_is_causal=True)
    compare(ours, theirs, call, [numbers(5, 3, 8), numbers(4, 3, 8)], 1e-10)
    for lib, m in ((tg, ours), (torch, theirs)):
        for shapes in (((5, 3, 7), (4, 3, 8)), ((5, 2, 8), (4, 3, 8)), ((5, 8), (4, 3, 8))):
            with pytest.raises((RuntimeError, AssertionError)):
                m(*(lib.zeros(*s, dtype=lib.float64) for s in shapes))


def test_blocks_can_be_overridden():
    class Layer(tg.nn.TransformerEncoderLayer):
        def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
            return x * 0

        def _ff_block(self, x):
            return x * 0
    layer = Layer(8, 2, 16, norm_first=True)
    x = tg.from_numpy(numbers(3, 2, 8).astype("float32"))
    np.testing.assert_array_equal(layer(x).detach().numpy(), x.numpy())


def test_a_gradient_by_the_query_alone_still_depends_on_key_and_value():
    arrays = [np.random.default_rng(k).standard_normal((2, 3, 5, 4)) for k in range(3)]
    found = []
    for lib in (tg, torch):
        q, k, v = (lib.tensor(a, requires_grad=True) for a in arrays)
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):  # torch's other kernels have no second derivative
            out = lib.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        g, = lib.autograd.grad(out.square().sum(), q, create_graph=True)
        g.square().sum().backward()
        found.append([t.detach().numpy() for t in (g, q.grad, k.grad, v.grad)])
    for ours, theirs in zip(*found):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)
