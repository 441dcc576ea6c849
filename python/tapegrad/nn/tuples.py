"""Small helpers of layers: numbers as tuples, prefixes of checkpoints. PyTorch has them in nn.modules.utils."""
from collections.abc import Iterable

__all__ = ["consume_prefix_in_state_dict_if_present"]


def _ntuple(n, name="parse"):
    """A function that makes x a tuple: n times x, unless it is iterable already."""
    def parse(x):
        return tuple(x) if isinstance(x, Iterable) else (x,) * n
    parse.__name__ = name
    return parse


def factory_kwargs(kwargs):
    """The arguments of a layer that go to its tensors: device, dtype, memory_format, from kwargs or its dict "factory_kwargs"."""
    given = {} if kwargs is None else kwargs
    unknown = set(given) - {"device", "dtype", "memory_format", "factory_kwargs"}
    if unknown:
        raise TypeError(f"unexpected kwargs {unknown}")
    inner = given.get("factory_kwargs", {})
    for name in ("device", "dtype", "memory_format"):
        if name in given and name in inner:
            raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
    return {**inner, **{k: v for k, v in given.items() if k != "factory_kwargs"}}


_single, _pair, _triple, _quadruple = _ntuple(1, "_single"), _ntuple(2, "_pair"), _ntuple(3, "_triple"), _ntuple(4, "_quadruple")


def _reverse_repeat_tuple(t, n):
    """(a, b) with n=2: (b, b, a, a), the order of `pad`."""
    return tuple(x for x in reversed(t) for _ in range(n))


def _list_with_default(out_size, defaults):
    """out_size with the last defaults in place of None; an int stays."""
    if isinstance(out_size, int):
        return out_size
    if len(defaults) <= len(out_size):
        raise ValueError(f"Input dimension should be at least {len(out_size) + 1}")
    return [d if v is None else v for v, d in zip(out_size, defaults[-len(out_size):])]


def consume_prefix_in_state_dict_if_present(state_dict, prefix):
    """Takes the prefix off the names in a state_dict (and its metadata), in place."""
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[key[len(prefix):]] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", None)
    if metadata is not None:
        for key in list(metadata):
            if key.startswith(prefix) or (key and key == prefix.rstrip(".")):
                metadata[key[len(prefix):]] = metadata.pop(key)
