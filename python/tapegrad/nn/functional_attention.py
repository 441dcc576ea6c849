"""Attention of several heads as a function. Re-exported by nn.functional."""
from .. import _C
from .._ops import op

_linear, _softmax, _dropout, _pad = op("linear"), op("softmax"), op("dropout"), op("pad")
_attention = op("scaled_dot_product_attention")


def _additive(mask, name, dtype):
    """A mask that is added to the scores: a bool one has -inf where True (which means "not allowed")."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype != _C.bool:
        raise AssertionError(f"only bool and floating types of {name} are supported, got {mask.dtype}")
    return _C.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(mask, float("-inf"))


def _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Whether there is a batch dimension; AssertionError when the inputs do not agree."""
    if query.dim() not in (2, 3):
        raise AssertionError(f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor")
    batched = query.dim() == 3
    what = "batched" if batched else "unbatched"
    if key.dim() != query.dim() or value.dim() != query.dim():
        raise AssertionError(f"For {what} `query`, expected `key` and `value` to be {query.dim()}-D but found {key.dim()}-D and "
                             f"{value.dim()}-D tensors respectively")
    if key_padding_mask is not None and key_padding_mask.dim() != query.dim() - 1:
        raise AssertionError(f"For {what} `query`, expected `key_padding_mask` to be `None` or {query.dim() - 1}-D but found "
                             f"{key_padding_mask.dim()}-D tensor instead")
    if attn_mask is not None and attn_mask.dim() not in (2, 3):
        raise AssertionError(f"For {what} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.dim()}-D tensor "
                             "instead")
    return batched


def _project(query, key, value, weight, bias, separate):
    """Queries, keys and values; one product for all that are the same tensor."""
    size = query.shape[-1]
    if weight is not None and key is value:
        if query is key:
            return _linear(query, weight, bias).chunk(3, -1)
        q_bias, kv_bias = (None, None) if bias is None else bias.split([size, 2 * size])
        q_weight, kv_weight = weight.split([size, 2 * size])
        return _linear(query, q_weight, q_bias), *_linear(key, kv_weight, kv_bias).chunk(2, -1)
    weights = separate if weight is None else weight.chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(_linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases))


def multi_head_attention_forward(query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v,
                                 add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None,
                                 need_weights=True, attn_mask=None, use_separate_proj_weight=False, q_proj_weight=None,
                                 k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None, average_attn_weights=True,
                                 is_causal=False):
    """What nn.MultiheadAttention computes: query (L, N, E), key (S, N, kdim), value (S, N, vdim), or all without N.

    Masks forbid where True and add where floating: attn_mask (L, S) or (N * heads, L, S), key_padding_mask (N, S). is_causal only says
    that attn_mask is the causal one. bias_k and bias_v (1, 1, E) are a further key and value, add_zero_attn adds one of zeros;
    static_k and static_v (N * heads, S, E / heads) stand for the projected ones.
    Returns (output (L, N, E), weights (N, L, S), or (N, heads, L, S) with average_attn_weights=False, or None without need_weights).
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    if not batched:
        same = query is key, key is value
        query = query.unsqueeze(1)
        key = query if same[0] else key.unsqueeze(1)
        value = key if same[1] else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, n, size = query.shape
    if size != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {size}")
    head = size // num_heads
    if head * num_heads != size:
        raise AssertionError(f"embed_dim {size} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}")
    elif key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
    q, k, v = _project(query, key, value, None if use_separate_proj_weight else in_proj_weight, in_proj_bias,
                       (q_proj_weight, k_proj_weight, v_proj_weight))

    source = key.shape[0] if static_k is None else static_k.shape[1]
    if attn_mask is not None:
        expected = (length, key.shape[0]) if attn_mask.dim() == 2 else (n * num_heads, length, key.shape[0])
        if tuple(attn_mask.shape) != expected:
            raise RuntimeError(f"The shape of the {attn_mask.dim()}D attn_mask is {tuple(attn_mask.shape)}, but should be {expected}.")
    if key_padding_mask is not None and tuple(key_padding_mask.shape) != (n, source):
        raise AssertionError(f"expecting key_padding_mask shape of {(n, source)}, but got {tuple(key_padding_mask.shape)}")
    attn_mask = _additive(attn_mask, "attn_mask", q.dtype)
    key_padding_mask = _additive(key_padding_mask, "key_padding_mask", q.dtype)

    def heads(x):
        return x.reshape(x.shape[0], n, num_heads, head).permute(1, 2, 0, 3)

    def longer(k, v, more_k, more_v):
        """One key and value more; masks allow them."""
        nonlocal attn_mask, key_padding_mask
        attn_mask = None if attn_mask is None else _pad(attn_mask, (0, 1))
        key_padding_mask = None if key_padding_mask is None else _pad(key_padding_mask, (0, 1))
        return _C.cat([k, more_k], -2), _C.cat([v, more_v], -2)

    q = heads(q)
    k = heads(k) if static_k is None else static_k.reshape(n, num_heads, -1, head)
    v = heads(v) if static_v is None else static_v.reshape(n, num_heads, -1, head)
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise AssertionError("bias cannot be added to static key or value.")
        k, v = longer(k, v, heads(bias_k.expand(1, n, size)), heads(bias_v.expand(1, n, size)))
    if add_zero_attn:
        zero = _C.zeros(n, num_heads, 1, head, dtype=k.dtype, device=k.device)
        k, v = longer(k, v, zero, zero)

    mask = attn_mask
    if mask is not None and mask.dim() == 3:
        mask = mask.reshape(n, num_heads, length, -1)
    if key_padding_mask is not None:
        padding = key_padding_mask.reshape(n, 1, 1, -1)
        mask = padding if mask is None else mask + padding
    drop, weights = dropout_p if training else 0.0, None
    if need_weights:
        scores = (q * head ** -0.5).matmul(k.transpose(-2, -1))
        weights = _softmax(scores if mask is None else scores + mask, -1)
        out = (_dropout(weights, drop, True) if drop else weights).matmul(v)
        weights = weights.mean(1) if average_attn_weights else weights
    else:
        out = _attention(q, k, v, mask, drop)
    out = _linear(out.permute(2, 0, 1, 3).reshape(length, n, size), out_proj_weight, out_proj_bias)
    if batched:
        return out, weights
    return out.squeeze(1), None if weights is None else weights.squeeze(0)
