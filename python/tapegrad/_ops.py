"""Looking up the C++ functions by name."""
import importlib
import warnings

from . import _C


def op(name):
    """The C++ function of that name: a functional one, an ordinary one, or an in-place method for names ending in `_`."""
    found = _C.functional.get(name) or _C.functions.get(name) or getattr(_C.Tensor, name, None)
    if found is None:
        raise ImportError(f"{name} is not built into this tapegrad")
    return found


def reduction_of(size_average, reduce, reduction):
    """The reduction that the deprecated arguments size_average and reduce ask for."""
    if size_average is None and reduce is None:
        return reduction
    out = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(f"size_average and reduce args will be deprecated, please use reduction='{out}' instead.", stacklevel=3)
    return out


def lazy(names, submodules):
    """__getattr__ and __dir__ of a package that imports some submodules when they, or the names they export, are first asked for."""
    where = {name: module for module, exported in submodules.items() for name in (module, *exported)}

    def get(name):
        if name not in where:
            from ._compat import missing
            raise missing(names["__name__"], name)
        module = importlib.import_module(f"{names['__name__']}.{where[name]}")
        names.update({n: getattr(module, n) for n in submodules[where[name]]})
        return names[name]
    return get, lambda: sorted({*names, *where})
