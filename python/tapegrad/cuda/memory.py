"""Device memory: what the caching allocator holds. Without a device counters are 0 and there is nothing to do, as in PyTorch."""
import json

from .. import _C, cuda

_cuda = _C._cuda
_fractions = {}


def _counters(device, name):
    return _cuda.memory(cuda._index(device, name)) if cuda.is_available() else None


def _counter(name, key, doc):
    def f(device=None):
        found = _counters(device, name)
        return found[key] if found else 0
    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    return f


memory_allocated = _counter("memory_allocated", "used", "Bytes of device memory in tensors.")
max_memory_allocated = _counter("max_memory_allocated", "peak_used", "The most bytes in tensors since reset_peak_memory_stats().")
memory_reserved = _counter("memory_reserved", "reserved", "Bytes held from the device: in tensors, or kept for reuse.")
max_memory_reserved = _counter("max_memory_reserved", "peak_reserved", "The most bytes held since reset_peak_memory_stats().")
memory_cached, max_memory_cached = memory_reserved, max_memory_reserved


def empty_cache():
    """Gives memory that is kept for reuse back to the device; nothing to do without one."""
    if cuda.is_available():
        _cuda.empty_cache()


def mem_get_info(device=None):
    """(free, total) bytes of the device, all processes counted."""
    return _cuda.memory_info(cuda._index(device, "mem_get_info"))


def device_memory_used(device=None):
    """Bytes of the device in use by all processes."""
    free, total = mem_get_info(device)
    return total - free


def reset_peak_memory_stats(device=None):
    """Peaks start again from what is in use now."""
    if cuda.is_available():
        _cuda.reset_peaks(cuda._index(device, "reset_peak_memory_stats"))


def reset_accumulated_memory_stats(device=None):
    """Nothing: counts of allocations are over the process's life."""


reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats


def memory_stats(device=None):
    """The allocator's counters under PyTorch's names; {} without a device."""
    m = _counters(device, "memory_stats")
    if m is None:
        return {}
    out = {}
    for name, current, peak in (("allocated_bytes", "used", "peak_used"), ("active_bytes", "used", "peak_used"),
                                ("requested_bytes", "asked", "peak_asked"), ("reserved_bytes", "reserved", "peak_reserved")):
        out[f"{name}.all.current"], out[f"{name}.all.peak"] = m[current], m[peak]
    out["inactive_split_bytes.all.current"] = m["reserved"] - m["used"]
    out["allocation.all.allocated"], out["allocation.all.freed"] = m["allocations"], m["frees"]
    out["allocation.all.current"] = out["active.all.current"] = m["allocations"] - m["frees"]
    out["segment.all.current"] = m["segments"]
    out["num_alloc_retries"], out["num_ooms"] = m["retries"], m["out_of_memory"]
    out["num_cache_hits"], out["largest_free_block"], out["limit"] = m["hits"], m["largest_free"], m["limit"]
    return out


def memory_stats_as_nested_dict(device=None):
    """memory_stats() with a dict for each part of a name."""
    out = {}
    for key, value in memory_stats(device).items():
        *parts, last = key.split(".")
        at = out
        for part in parts:
            at = at.setdefault(part, {})
        at[last] = value
    return out


def _size(n):
    for unit in ("B", "KiB", "MiB"):
        if n < 10240:
            return f"{n:.0f} {unit}" if unit == "B" or n == int(n) else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.2f} GiB"


def memory_summary(device=None, abbreviated=False):
    """The allocator's counters as a table for people."""
    m = _counters(device, "memory_summary")
    if m is None:
        return f"no CUDA memory is in use: {cuda.why_not()}"
    rows = [("in tensors", m["used"], m["peak_used"]), ("asked for", m["asked"], m["peak_asked"]),
            ("held", m["reserved"], m["peak_reserved"])]
    lines = [f"memory of cuda:{cuda._index(device, 'memory_summary')}", f"{'':16}{'now':>12}{'at most':>12}"]
    lines += [f"{name:16}{_size(now):>12}{_size(peak):>12}" for name, now, peak in rows]
    if not abbreviated:
        free, total = mem_get_info(device)
        lines += [f"{'largest free':16}{_size(m['largest_free']):>12}", f"{'limit':16}{_size(m['limit']):>12}",
                  f"{'device':16}{_size(total - free):>12}{_size(total):>12}",
                  f"{m['allocations']} allocations, {m['hits']} of them from kept memory; {m['segments']} segments, "
                  f"{m['retries']} retries, {m['out_of_memory']} times out of memory"]
    return "\n".join(lines)


def memory_snapshot(mempool_id=None):
    """Segments and their blocks as a list of dicts in PyTorch's words; [] without a device."""
    return json.loads(_cuda.snapshot()) if cuda.is_available() else []


def set_per_process_memory_fraction(fraction, device=None):
    """The most that this process may hold of the device's memory, as a fraction of all of it."""
    if not isinstance(fraction, float):
        raise TypeError("Invalid type for fraction argument, must be `float`")
    if not 0 <= fraction <= 1:
        raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0.0 ~ 1.0")
    index = cuda._index(device, "set_per_process_memory_fraction")
    _cuda.set_memory_limit(index, max(1, int(mem_get_info(index)[1] * fraction)))  # 0 would be no limit
    _fractions[index] = fraction


def get_per_process_memory_fraction(device=None):
    """What set_per_process_memory_fraction() was given last; 1.0 before."""
    return _fractions.get(cuda._index(device, "get_per_process_memory_fraction"), 1.0)


def get_allocator_backend():
    """"native": a caching allocator over cudaMalloc."""
    return "native"
