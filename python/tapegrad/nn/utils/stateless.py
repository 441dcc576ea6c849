"""Calling a module with other tensors in place of its own."""
import contextlib

__all__ = ["functional_call"]


def _named_tensors(module):
    """name -> (registry, key) of every parameter and buffer, shared ones under each of their names."""
    found = {}
    for prefix, m in module.named_modules(remove_duplicate=False):
        for registry in (m._parameters, m._buffers):
            for key, tensor in registry.items():
                if tensor is not None:
                    found[f"{prefix}.{key}" if prefix else key] = registry, key
    return found


@contextlib.contextmanager
def swapped(module, tensors, tie_weights=True, strict=False):
    """Within it the module has the given tensors; afterwards its own. What it has put in place of a given one goes to `tensors`."""
    places = _named_tensors(module)
    unknown = [name for name in tensors if name not in places]
    missing = [name for name in places if name not in tensors] if strict else []
    values = dict(tensors)
    if tie_weights:
        names_of = {}
        for name, (registry, key) in places.items():
            names_of.setdefault(id(registry[key]), []).append(name)
        for names in names_of.values():
            given = [name for name in names if name in tensors]
            if len({id(tensors[name]) for name in given}) > 1:
                raise ValueError(f"functional_call got multiple values for keys {sorted(given)}, which are tied. Consider using "
                                 "tie_weights=False")
            for name in names if given else ():
                values.setdefault(name, tensors[given[0]])
        missing = [name for name in missing if name not in values]
    if unknown or missing:
        text = [f"{what} key(s): " + ", ".join(map(repr, keys)) for what, keys in (("Unexpected", unknown), ("Missing", missing)) if keys]
        raise RuntimeError(f"functional_call: {' and '.join(text)} for {type(module).__name__}")
    own = {name: places[name][0][places[name][1]] for name in values}
    try:
        for name, tensor in values.items():
            registry, key = places[name]
            registry[key] = tensor
        yield
    finally:
        for name, tensor in own.items():
            registry, key = places[name]
            if name in tensors and registry[key] is not tensors[name]:
                tensors[name] = registry[key]
            registry[key] = tensor


def functional_call(module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """module(*args, **kwargs) with the tensors of a dict (or a tuple of dicts) {dotted name: tensor} in place of its own.

    tie_weights: a tensor for one name of a shared parameter goes for all. strict: RuntimeError unless all names are given.
    """
    if isinstance(parameters_and_buffers, (tuple, list)):
        names = [name for part in parameters_and_buffers for name in part]
        if len(set(names)) != len(names):
            raise ValueError(f"{sorted({n for n in names if names.count(n) > 1})} appeared in multiple dictionaries; behavior of "
                             "functional call is ambiguous")
        parameters_and_buffers = {name: t for part in parameters_and_buffers for name, t in part.items()}
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with swapped(module, parameters_and_buffers, tie_weights, strict):
        return module(*args, **(kwargs or {}))
