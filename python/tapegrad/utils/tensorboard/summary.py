"""The values of an event, each as the bytes of a Summary.Value. Field numbers are those of TensorFlow's summary.proto."""
from ... import _C
from . import wire
from .media import as_tensor

__all__ = ["scalar", "histogram", "histogram_raw", "text", "tensor", "pr_curve", "pr_curve_raw", "hparams"]

_FLOAT, _STRING, _DOUBLE = 1, 7, 2  # TensorProto's dtypes


def _plugin(name, content=b""):
    """metadata with plugin_data."""
    return wire.message(9, wire.message(1, wire.text(1, name), wire.message(2, content) if content else b""))


def _shape(sizes):
    return wire.message(2, *(wire.message(2, wire.integer(1, n)) for n in sizes))


def _number(tag, value):
    value = as_tensor(value)
    if value.numel() != 1:
        raise ValueError(f"add_scalar: {tag!r} must be one number, got shape {tuple(value.shape)}")
    return float(value.item())


def scalar(tag, value, new_style=False, double_precision=False):
    """One number; new_style and double_precision write it as a tensor."""
    value = _number(tag, value)
    if not new_style:
        return wire.text(1, tag) + wire.single(2, value)
    content = wire.integer(1, _FLOAT) + wire.singles(5, [value])
    if double_precision:
        content = wire.integer(1, _DOUBLE) + wire.doubles(6, [value])
    return wire.text(1, tag) + wire.message(8, content) + _plugin("scalars")


def tensor(tag, value):
    """A tensor as such."""
    value = as_tensor(value).float().contiguous()
    content = wire.message(8, wire.integer(1, _FLOAT), _shape(value.shape), wire.message(4, _C.to_bytes(value)))
    return wire.text(1, tag) + content + _plugin("tensor")


def text(tag, string):
    """Markdown."""
    value = wire.message(8, wire.integer(1, _STRING), _shape([1]), wire.text(8, string))
    return wire.text(1, tag + "/text_summary") + value + _plugin("text")


# ---- histograms

_edges = None


def _default_edges():
    """Zero, and powers of 1.1 from 1e-12 to 1e20 on both sides: TensorFlow's buckets."""
    global _edges
    if _edges is None:
        up, v = [], 1e-12
        while v < 1e20:
            up.append(v)
            v *= 1.1
        _edges = _C.tensor([-x for x in reversed(up)] + [0.0] + up, dtype=_C.float64)
    return _edges


def histogram(tag, values, bins="tensorflow", max_bins=None):
    """How many values lie between each two of the bins' edges: "tensorflow", a number of equal bins, a list of edges, or one of
    NumPy's rules."""
    values = as_tensor(values).double().flatten()
    if not values.numel():
        raise ValueError(f"add_histogram: {tag!r} has no values")
    if bins == "tensorflow":
        edges = _default_edges()
    elif isinstance(bins, int):
        low, high = float(values.min()), float(values.max())
        edges = _C.functions["linspace"](low - (low == high) * 0.5, high + (low == high) * 0.5, bins + 1, dtype=_C.float64)
    elif isinstance(bins, str):
        import numpy
        edges = _C.tensor(numpy.histogram_bin_edges(values.numpy(), bins).tolist(), dtype=_C.float64)
    else:
        edges = as_tensor(bins).double()
    n = edges.numel() - 1
    inside = values[(values >= edges[0]) & (values <= edges[-1])]
    place = (_C.searchsorted(edges, inside, right=True) - 1).clamp(max=n - 1)  # the last bin has both its edges
    counts = _C.bincount(place, minlength=n).tolist()
    edges = edges.tolist()
    if max_bins is not None and n > max_bins:
        step = n // max_bins
        starts = list(range(0, n, step))
        counts, edges = [sum(counts[k:k + step]) for k in starts], [edges[k] for k in starts] + edges[-1:]
    used = [k for k, c in enumerate(counts) if c]
    if not used:
        raise ValueError(f"add_histogram: {tag!r} has no values between the edges of the bins")
    first, last = used[0], used[-1]
    # TensorBoard draws from the limit of an empty bucket on
    limits, counts = edges[first:last + 2], [0] + counts[first:last + 1]
    return histogram_raw(tag, float(values.min()), float(values.max()), values.numel(), float(values.sum()), float(values.dot(values)),
                         limits, counts)


def histogram_raw(tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts):
    """A histogram counted elsewhere."""
    def doubles(x):  # a list is not rounded to the default dtype
        return [float(v) for v in (x if isinstance(x, (list, tuple)) else as_tensor(x).tolist())]
    limits, counts = doubles(bucket_limits), doubles(bucket_counts)
    if len(limits) != len(counts):
        raise ValueError(f"len(bucket_limits) != len(bucket_counts): {len(limits)} and {len(counts)}")
    return wire.text(1, tag) + wire.message(5, wire.double(1, min), wire.double(2, max), wire.double(3, num), wire.double(4, sum),
                                            wire.double(5, sum_squares), wire.doubles(6, limits), wire.doubles(7, counts))


# ---- precision and recall

def pr_curve(tag, labels, predictions, num_thresholds=127, weights=None):
    """Counts of true and false positives and negatives at equally spaced thresholds of predictions in [0, 1]."""
    n = min(num_thresholds, 127)
    labels, predictions = as_tensor(labels).double().flatten(), as_tensor(predictions).double().flatten()
    if labels.shape != predictions.shape:
        raise ValueError(f"add_pr_curve: {tag!r} has {labels.numel()} labels and {predictions.numel()} predictions")
    weights = 1.0 if weights is None else as_tensor(weights).double().flatten()
    place = (predictions * (n - 1)).floor().to(_C.int64).clamp(0, n - 1)

    def above(share):  # how much lies at or above each threshold
        return _C.bincount(place, weights=share, minlength=n).flip(0).cumsum(0).flip(0)
    tp, fp = above(labels * weights), above((1 - labels) * weights)
    tn, fn = fp[0] - fp, tp[0] - tp
    tiny = 1e-7
    return pr_curve_raw(tag, tp, fp, tn, fn, tp / (tp + fp).clamp(min=tiny), tp / (tp + fn).clamp(min=tiny), n)


def pr_curve_raw(tag, tp, fp, tn, fn, precision, recall, num_thresholds=127):
    """The same, counted elsewhere."""
    data = _C.stack([as_tensor(x).float() for x in (tp, fp, tn, fn, precision, recall)])
    value = wire.message(8, wire.integer(1, _FLOAT), _shape(data.shape), wire.singles(5, data.flatten().tolist()))
    content = wire.integer(2, min(num_thresholds, 127))
    return wire.text(1, tag) + value + _plugin("pr_curves", content)


# ---- hyperparameters

def _wrapped(value):
    """A google.protobuf.Value, and the plugin's type of it: string 1, bool 2, number 3."""
    if isinstance(value, bool):
        return wire.integer(4, value), 2
    if isinstance(value, str):
        return wire.text(3, value), 1
    if isinstance(value, _C.Tensor):
        value = value.item()
    if not hasattr(value, "__float__"):
        raise ValueError(f"value should be one of int, float, str, bool, or Tensor, got {type(value).__name__}")
    return wire.double(2, float(value)), 3


def hparams(hparam_dict, metric_dict, domains=None):
    """Three values: the experiment's parameters and metrics, this session's start with its parameters, and its end."""
    for name, given in (("hparam_dict", hparam_dict), ("metric_dict", metric_dict), ("hparam_domain_discrete", domains or {})):
        if not isinstance(given, dict):
            raise TypeError(f"parameter: {name} should be a dictionary, nothing logged.")
    infos, start = [], []
    for name, value in hparam_dict.items():
        if value is None:
            continue
        value, kind = _wrapped(value)
        allowed = (domains or {}).get(name)
        domain = wire.message(5, *(wire.message(1, _wrapped(x)[0]) for x in allowed)) if allowed else b""
        infos.append(wire.message(4, wire.text(1, name), wire.integer(4, kind), domain))
        start.append(wire.message(1, wire.text(1, name), wire.message(2, value)))
    for name, allowed in (domains or {}).items():
        if name not in hparam_dict or not isinstance(allowed, list) or not all(isinstance(x, type(hparam_dict[name])) for x in allowed):
            raise TypeError(f"parameter: hparam_domain_discrete[{name}] should be a list of same type as hparam_dict[{name}].")
    metrics = [wire.message(5, wire.message(1, wire.text(2, name))) for name in metric_dict]

    def value(tag, field, *content):
        null = wire.message(8, wire.integer(1, _FLOAT), _shape([0]))
        return wire.text(1, tag) + null + _plugin("hparams", wire.integer(1, 0) + wire.message(field, *content))
    return (value("_hparams_/experiment", 2, *infos, *metrics), value("_hparams_/session_start_info", 3, *start),
            value("_hparams_/session_end_info", 4, wire.integer(1, 1)))
