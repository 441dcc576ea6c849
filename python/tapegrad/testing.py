"""assert_close and make_tensor, for tests."""
import math
import warnings

from . import _C

__all__ = ["assert_close", "assert_allclose", "make_tensor"]

_TOLERANCES = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7),
               "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7)}


def assert_close(actual, expected, *, allow_subclasses=True, rtol=None, atol=None, equal_nan=False, check_device=True, check_dtype=True,
                 check_layout=True, check_stride=False, msg=None):
    """AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Args:
        actual, expected: tensors, arrays, numbers, or lists, tuples and dicts of them.
        rtol, atol: both or none; by default by dtype (float32: 1.3e-6, 1e-5; the looser of the two dtypes), 0 for integers.
        check_dtype, check_device, check_stride: also compare those.
        msg: text of the error, or a function from our text to it.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(f"rtol and atol must both be specified or both be unspecified, but got rtol={rtol} and atol={atol} instead")
    text = _compare(actual, expected, "", rtol, atol, equal_nan, check_device, check_dtype, check_stride)
    if text:
        raise AssertionError(msg(text) if callable(msg) else text if msg is None else msg)


def _compare(actual, expected, where, rtol, atol, *flags):
    """What differs, or ""."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        if set(actual) != set(expected):
            return f"The keys of the mappings do not match{where}: {sorted(map(str, set(actual) ^ set(expected)))}"
        pairs = [(actual[k], expected[k], k) for k in expected]
    elif isinstance(expected, (list, tuple)) and isinstance(actual, (list, tuple)) and not isinstance(expected, str):
        if len(actual) != len(expected):
            return f"The length of the sequences mismatch{where}: {len(actual)} != {len(expected)}"
        pairs = [(a, e, i) for i, (a, e) in enumerate(zip(actual, expected))]
    else:
        return _compare_tensors(actual, expected, where, rtol, atol, *flags)
    for a, e, key in pairs:
        text = _compare(a, e, f"{where or ' at '}[{key!r}]", rtol, atol, *flags)
        if text:
            return text
    return ""


def _compare_tensors(actual, expected, where, rtol, atol, equal_nan, check_device, check_dtype, check_stride):
    numbers = not isinstance(actual, _C.Tensor) and not isinstance(expected, _C.Tensor)
    if type(actual) is not type(expected) and not (isinstance(actual, _C.Tensor) and isinstance(expected, _C.Tensor)) and \
            not all(isinstance(x, (int, float, complex)) for x in (actual, expected)):
        return f"Except for scalars, type equality is required{where}, got {type(actual)} and {type(expected)}"
    if actual is None and expected is None:
        return ""
    if isinstance(actual, (str, bytes)):
        raise TypeError(f"assert_close compares tensors, arrays and numbers, not {type(actual).__name__}{where}")
    if check_dtype and numbers and type(actual) is not type(expected):
        return f"The (d)types do not match{where}: {type(actual)} != {type(expected)}."
    with _C.no_grad():
        a, e = (x.detach() if isinstance(x, _C.Tensor) else _C.tensor(x, dtype=_C.float64) if isinstance(x, float) else _C.as_tensor(x)
                for x in (actual, expected))
        if a.shape != e.shape:
            return f"The values for attribute 'shape' do not match{where}: {a.shape} != {e.shape}."
        if check_device and a.device != e.device:
            return f"The values for attribute 'device' do not match{where}: {a.device} != {e.device}."
        if check_dtype and not numbers and a.dtype != e.dtype:
            return f"The values for attribute 'dtype' do not match{where}: {a.dtype} != {e.dtype}."
        if check_stride and a.stride() != e.stride():
            return f"The values for attribute 'stride()' do not match{where}: {a.stride()} != {e.stride()}."
        if rtol is None:
            defaults = [_TOLERANCES.get(str(t.dtype).rsplit(".", 1)[-1], (0.0, 0.0)) for t in (a, e)]
            rtol, atol = (max(d[i] for d in defaults) for i in (0, 1))
        wide = _C.complex128 if a.is_complex() or e.is_complex() else \
            _C.float64 if a.is_floating_point() or e.is_floating_point() else _C.int64
        a, e = a.to(wide).reshape(-1), e.to(wide).reshape(-1)
        bad = [i for i, ok in enumerate(_C.isclose(a, e, rtol, atol, equal_nan).tolist()) if not ok]
        if not bad:
            return ""
        shape = actual.shape if isinstance(actual, _C.Tensor) else ()
        worst_abs, worst_rel = _worst(a, e, bad, shape, relative=False), _worst(a, e, bad, shape, relative=True)
    kind = "Scalars" if not shape else "Tensor-likes"
    head = f"{kind} are not {'close' if rtol or atol else 'equal'}{where}!"
    if not shape:
        return f"{head}\n\nExpected {e.item()} but got {a.item()}.\nAbsolute difference: {worst_abs[0]} (up to {atol} allowed)\n" \
               f"Relative difference: {worst_rel[0]} (up to {rtol} allowed)"
    return (f"{head}\n\nMismatched elements: {len(bad)} / {a.numel()} ({100 * len(bad) / a.numel():.1f}%)\n"
            f"Greatest absolute difference: {worst_abs[0]} at index {worst_abs[1]} (up to {atol} allowed)\n"
            f"Greatest relative difference: {worst_rel[0]} at index {worst_rel[1]} (up to {rtol} allowed)")


def _worst(a, e, bad, shape, relative):
    """(greatest difference, its index) among the mismatches."""
    best, at = -1.0, bad[0]
    for i in bad[:10000]:
        x, y = a[i].item(), e[i].item()
        d = abs(x - y)
        if relative:
            d = d / abs(y) if y else float("inf")
        if d != d:
            best, at = d, i
            break
        if d > best:
            best, at = d, i
    index = []
    for n in reversed(shape):
        index.append(at % n)
        at //= n
    return best, tuple(reversed(index))


def assert_allclose(actual, expected, rtol=None, atol=None, equal_nan=True, msg=""):
    """The old assert_close: compares across dtypes and devices, and NaN equals NaN."""
    warnings.warn("`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. Please use "
                  "`torch.testing.assert_close()` instead.", FutureWarning, stacklevel=2)
    actual, expected = (x if isinstance(x, _C.Tensor) else _C.as_tensor(x) for x in (actual, expected))
    if rtol is None and atol is None:
        defaults = [_TOLERANCES.get(str(t.dtype).rsplit(".", 1)[-1], (0.0, 0.0)) for t in (actual, expected)]
        rtol, atol = (max(d[i] for d in defaults) for i in (0, 1))
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_device=True, check_dtype=False, msg=msg or None)


def make_tensor(*shape, dtype, device="cpu", low=None, high=None, requires_grad=False, noncontiguous=False, exclude_zero=False,
                memory_format=None):
    """A tensor of uniform numbers from [low, high).

    Defaults: bool 0 or 1; uint8 0 to 9, other integers and floats -9 to 9.
    Args:
        noncontiguous: every second element of a longer tensor; not together with memory_format.
        exclude_zero: 0 becomes 1, or the smallest positive number of a float dtype.
    """
    shape = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
    if requires_grad and not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, but got dtype={dtype}")
    if noncontiguous and memory_format is not None:
        raise ValueError("The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got "
                         f"noncontiguous={noncontiguous} and memory_format={memory_format}")
    default_low, default_high = (0, 2) if dtype == _C.bool else (0, 10) if dtype == _C.uint8 else (-9, 10)
    if dtype.is_floating_point or dtype.is_complex:
        default_high = 9
    low, high = default_low if low is None else low, default_high if high is None else high
    if any(isinstance(x, float) and math.isnan(x) for x in (low, high)):
        raise ValueError(f"`low` and `high` cannot be NaN, but got low={low} and high={high}")
    if low > high or low == high and dtype != _C.bool and dtype not in (_C.float16, _C.bfloat16, _C.float32, _C.float64):
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    wide = shape[:-1] + (2 * shape[-1],) if noncontiguous and shape else shape
    if dtype.is_complex:
        part = _C.float32 if dtype == _C.complex64 else _C.float64
        re, im = (make_tensor(*wide, dtype=part, low=low, high=high) for _ in range(2))
        out = re + 1j * im
    elif dtype.is_floating_point:
        from .dtypes import finfo
        limits = finfo(dtype)
        low, high = max(low, limits.min), min(high, limits.max)
        out = (_C.rand(wide, dtype=_C.float64) * (high - low) + low).to(dtype)
    else:
        out = _C.randint(math.ceil(low), math.ceil(high), wide, dtype=_C.int64).to(dtype)
    if noncontiguous and shape:
        out = out[..., ::2]
    elif memory_format is not None:
        out = out.contiguous(memory_format=memory_format)
    if exclude_zero:
        from .dtypes import finfo
        out[out == 0] = finfo(dtype).tiny if dtype.is_floating_point else 1
    return out.requires_grad_(requires_grad) if requires_grad else out
