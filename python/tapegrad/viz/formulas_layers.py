"""Gradients of ops that are whole layers, convolutions, pools, recurrent ones and attention, as NumPy source; see formulas.py."""
import itertools
import math

HELPERS = {
    "taps": '''def taps(w, sizes, stride, dilation):
    """(place in the kernel, what it reads for each of the outputs)"""
    for tap in np.ndindex(w):
        yield tap, (..., *(slice(i * dilation, i * dilation + stride * (n - 1) + 1, stride) for i, n in zip(tap, sizes)))
''',
    "conv_dx": '''def conv_dx(g, w, shape, stride, padding, dilation=1, groups=1):
    d = np.zeros((shape[0], groups, shape[1] // groups, *(n + 2 * padding for n in shape[2:])), g.dtype)
    g, w = g.reshape(len(g), groups, -1, *g.shape[2:]), w.reshape(groups, -1, *w.shape[1:])
    for tap, read in taps(w.shape[3:], g.shape[3:], stride, dilation):
        d[read] += np.einsum("nko...,koc->nkc...", g, w[(..., *tap)])
    return d[(..., *(slice(padding, padding + n) for n in shape[2:]))].reshape(shape)
''',
    "conv_dw": '''def conv_dw(g, x, shape, stride, padding, dilation=1, groups=1):
    x = np.pad(x, ((0, 0), (0, 0), *((padding, padding),) * (x.ndim - 2)))
    x, g, d = x.reshape(len(x), groups, -1, *x.shape[2:]), g.reshape(len(g), groups, -1, *g.shape[2:]), np.zeros(shape, g.dtype)
    for tap, read in taps(shape[2:], g.shape[3:], stride, dilation):
        d[(..., *tap)] = np.einsum("nkoz,nkcz->koc", g.reshape(*g.shape[:3], -1), x[read].reshape(*x.shape[:3], -1)).reshape(shape[:2])
    return d
''',
    "conv": '''def conv(x, w, shape, stride, padding, dilation=1, groups=1):
    x = np.pad(x, ((0, 0), (0, 0), *((padding, padding),) * (x.ndim - 2)))
    x, w, y = x.reshape(len(x), groups, -1, *x.shape[2:]), w.reshape(groups, -1, *w.shape[1:]), 0
    for tap, read in taps(w.shape[3:], shape[2:], stride, dilation):
        y = y + np.einsum("nkc...,koc->nko...", x[read], w[(..., *tap)])
    return y.reshape(shape)
''',
    "avg_pool_dx": '''def avg_pool_dx(g, kernel, shape, stride, padding):
    d = np.zeros((*shape[:2], *(n + 2 * padding for n in shape[2:])), g.dtype)
    for _, read in taps((kernel,) * (g.ndim - 2), g.shape[2:], stride, 1):
        d[read] += g / kernel**(g.ndim - 2)
    return d[(..., *(slice(padding, padding + n) for n in shape[2:]))]
''',
    "rnn_backward": '''def rnn_backward(order, dy, dh, y, slope, w_hh):
    """Through the steps, last one first: the gradients of the sums before the activation and of the first state."""
    sums = np.zeros_like(y)
    for t in reversed(order):
        sums[t] = (dh + dy[t]) * slope[t]
        dh = sums[t] @ w_hh
    return sums.reshape(-1, sums.shape[-1]), dh
''',
    "gru_backward": '''def gru_backward(order, dy, dh, gates, from_hidden, before, w_hh):
    """h = (1 - z) * n + z * before, n = tanh(… + r * from_hidden): the gradients of the sums of inputs, of those of states, and of the
    first state."""
    sums, hidden_sums = np.zeros_like(gates), np.zeros_like(gates)
    for t in reversed(order):
        r, z, n = np.split(gates[t], 3, -1)
        dh = dh + dy[t]
        dn = dh * (1 - z) * (1 - n**2)
        dr, dz = dn * from_hidden[t] * r * (1 - r), dh * (before[t] - n) * z * (1 - z)
        sums[t], hidden_sums[t] = np.concatenate([dr, dz, dn], -1), np.concatenate([dr, dz, dn * r], -1)
        dh = dh * z + hidden_sums[t] @ w_hh
    return sums.reshape(-1, sums.shape[-1]), hidden_sums.reshape(-1, sums.shape[-1]), dh
''',
    "lstm_backward": '''def lstm_backward(order, dy, dh, dc, gates, cells, w_hh, w_hr=None):
    """c = f * before + i * a, h = o * tanh(c), projected by w_hr: the gradients of the gates' sums, of the first h and c, and of w_hr."""
    sums, dw_hr = np.zeros_like(gates), 0
    for t in reversed(order):
        i, f, a, o = np.split(gates[t], 4, -1)
        c = np.tanh(f * cells[t] + i * a)
        dh = dh + dy[t]
        if w_hr is not None:
            dw_hr, dh = dw_hr + dh.T @ (o * c), dh @ w_hr
        dc = dc + dh * o * (1 - c**2)
        sums[t] = np.concatenate([dc * a * i * (1 - i), dc * cells[t] * f * (1 - f), dc * i * (1 - a**2), dh * c * o * (1 - o)], -1)
        dc, dh = dc * f, sums[t] @ w_hh
    return sums.reshape(-1, sums.shape[-1]), dh, dc, dw_hr
''',
}


def convolutions(c):
    """da = the taps of the kernel, each times g, added where they were read; dw = for each tap, g times what it read"""
    if len(c.shape) == 1:
        yield f"g.sum({(0, *range(2, c.g.ndim))})"
        return
    for other in c.saved_names():
        x, w = (c.shape, c.arrays[other].shape) if c.number == 0 else (c.arrays[other].shape, c.shape)
        if not len(x) == len(w) == c.g.ndim:
            continue
        for read, made, back in ((x, c.g.shape, False), (c.g.shape, x, True)):  # a transposed one reads g
            groups = read[1] // w[1]
            if not groups or groups * w[1] != read[1] or made[1] != w[0]:
                continue
            for stride, dilation in itertools.product(range(1, 5), range(1, 5)):
                for padding in range(max(w[2:]) * dilation):
                    if all((n + 2 * padding - dilation * (k - 1) - 1) // stride + 1 == m for n, k, m in zip(read[2:], w[2:], made[2:])):
                        how = f"{c.shape}, {stride}, {padding}" + (f", {dilation}, {groups}" if dilation > 1 or groups > 1 else "")
                        if c.number == 0:
                            yield f"{'conv' if back else 'conv_dx'}(g, {other}, {how})"
                        else:
                            yield f"conv_dw({other}, g, {how})" if back else f"conv_dw(g, {other}, {how})"


def max_pools(c):
    """g goes to the elements that were the largest of their window"""
    for index in c.saved_names():
        planes = math.prod(c.shape[:-int(c.op[7])])  # MaxPool2D…: the last two dimensions
        yield [f"{{d}} = np.zeros(({planes}, {c.truth.size // max(1, planes)}), g.dtype)",
               f"np.add.at({{d}}, (np.arange({planes})[:, None], {index}.reshape({planes}, -1)), g.reshape({planes}, -1))",
               f"{{d}} = {{d}}.reshape({c.shape})"]


def average_pools(c):
    """each element gets g / (the window's size) of the windows that it is in"""
    for stride, kernel, padding in itertools.product(range(1, 8), range(1, 8), range(4)):
        if 2 * padding <= kernel and all((n + 2 * padding - kernel) // stride + 1 == m for n, m in zip(c.shape[2:], c.g.shape[2:])):
            yield f"avg_pool_dx(g, {kernel}, {c.shape}, {stride}, {padding})"


def recurrences(c):
    """Back through the steps: each hands its state's gradient to the one before; weights get the sum over all steps."""
    lstm, gru = "Lstm" in c.op, "Gru" in c.op
    count = len(c.s.saved) - (3 if lstm or gru else 2)
    x, w_ih, w_hh = c.saved_at(0), c.saved_at(2 + lstm), c.saved_at(3 + lstm)
    gates, before, kept = (c.saved_at(count + k) for k in range(3))
    w_hr = c.saved_at(count - 1) if (count - lstm) % 2 else None
    rows, batch = c.arrays[x].shape[0], c.arrays[c.saved_at(1)].shape[0]
    if rows % batch:  # a packed sequence: the tape does not show how long each is
        return
    steps = rows // batch

    def by_step(name):
        return f"{name}.reshape({steps}, {batch}, -1)"
    dy = by_step("g0_") if c.outs[0] is not None else f"np.zeros(({steps}, {batch}, 1))"
    dh, dc = (f"g{k}_" if len(c.outs) > k and c.outs[k] is not None else "0.0" for k in (1, 2))
    sums, hidden = "sums", "hidden_sums" if gru else "sums"
    for order in (f"range({steps})", f"range({steps})[::-1]") if steps > 1 else (f"range({steps})",):
        if lstm:
            projection = f", {w_hr}" if w_hr else ""
            call = (f"sums, dh, dc, dw_hr = lstm_backward({order}, {dy}, {dh}, {dc}, {by_step(gates)}, {by_step(kept)}, "
                    f"{w_hh}{projection})")
        elif gru:
            call = (f"sums, hidden_sums, dh = gru_backward({order}, {dy}, {dh}, {by_step(gates)}, {by_step(kept)}, {by_step(before)}, "
                    f"{w_hh})")
        else:
            y = by_step(gates)
            slope = f"({y} > 0)" if "Relu" in c.op else f"1 - {y}**2"
            call = f"sums, dh = rnn_backward({order}, {dy}, {dh}, {y}, {slope}, {w_hh})"
        yield [call, "{d} = " + (f"{sums} @ {w_ih}", "dh", "dc", f"{sums}.T @ {x}", f"{hidden}.T @ {before}", f"{sums}.sum(0)",
                                 f"{hidden}.sum(0)", "dw_hr")[c.number]]


def attentions(c):
    """y = w @ v, w = softmax(q @ k.T * scale):  dv = w.T @ g,  ds = w * (gw - sum(gw * w)) with gw = g @ v.T,  dq = scale * ds @ k,
    dk = scale * ds.T @ q"""
    q, k, v = (c.saved_at(n) for n in range(3))
    queries, width, keys = *c.arrays[q].shape[-2:], c.arrays[k].shape[-2]

    def t(name):
        return f"np.swapaxes({name}, -1, -2)"
    scores, scale = f"{q} @ {t(k)} / np.sqrt({width})", f" / {math.sqrt(width)!r}"
    causal = f"np.where(np.tri({queries}, {keys}, dtype=bool), {scores}, -np.inf)"

    def lines(weights, times):
        ds = [f"gw = g @ {t(v)}", "ds = weights * (gw - (gw * weights).sum(-1, keepdims=True))"]
        end = (f"{times}ds @ {k}", f"{times}{t('ds')} @ {q}", f"{t('weights')} @ g")[c.number]
        return [f"weights = {weights}", *(ds if c.number < 2 else []), f"{{d}} = {end}{'' if times or c.number == 2 else scale}"]
    yield lines(f"softmax({scores}, -1)", "")
    yield lines(f"softmax({causal}, -1)", "")
    c.constants["weights_"] = c.attention_weights(queries, keys)  # a mask, or a scale, that the tape does not show
    yield lines("weights_", "p * ")


RULES = {convolutions: "Convolution", max_pools: "MaxPool1DWithIndices MaxPool2DWithIndices MaxPool3DWithIndices",
         average_pools: "AvgPool1D AvgPool2D AvgPool3D AdaptiveAvgPool1D AdaptiveAvgPool2D AdaptiveAvgPool3D",
         recurrences: "RnnTanh RnnRelu Lstm Gru", attentions: "ScaledDotProductFlashAttentionForCpu"}
