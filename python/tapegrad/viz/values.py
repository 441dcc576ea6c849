"""A tensor in few numbers: small ones in full, others by range, mean and histogram."""
import math

SMALL, BINS = 64, 24


def _short(x):
    """Four digits are enough to look at; what JSON has no number for becomes a string."""
    if isinstance(x, list):
        return [_short(v) for v in x]
    if isinstance(x, complex):
        return f"{x:.4g}"
    if isinstance(x, float):
        return float(f"{x:.4g}") if math.isfinite(x) else str(x)
    return x


def summary(t):
    """{"shape", "dtype"} and either "data" (nested lists) or "min", "mean", "max", "bins"; "odd" counts nan and inf."""
    t = t.detach()
    s = {"shape": list(t.shape), "dtype": str(t.dtype).rpartition(".")[2]}
    n = t.numel()
    if n <= SMALL:
        return {**s, "data": _short(t.tolist())}
    if t.is_complex():
        t = t.abs()
    t = t.double().flatten()
    if not math.isfinite(t.sum().item()):
        fine = t.isfinite()
        t = t[fine]
        s["odd"] = n - t.numel()
        if not t.numel():
            return s
    low, high = t.min().item(), t.max().item()
    s.update(min=_short(low), mean=_short(t.mean().item()), max=_short(high))
    s["bins"] = [n] if low == high else [int(c) for c in t.histc(BINS, low, high).tolist()]
    return s
