"""Gradients of ops that are whole layers, recurrent ones and attention, as NumPy source; see formulas.py."""
import math

HELPERS = {
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


RULES = {recurrences: "RnnTanh RnnRelu Lstm Gru", attentions: "ScaledDotProductFlashAttentionForCpu"}
