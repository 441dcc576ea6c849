"""TorchScript's names. Python is run as it is: `script` returns its argument; `trace`, files and graphs are not implemented."""
from typing import Final  # noqa: F401

from .nn import Module

__all__ = ["script", "trace", "trace_module", "save", "load", "freeze", "optimize_for_inference", "ignore", "unused", "export",
           "script_method", "is_scripting", "is_tracing", "annotate", "isinstance", "ScriptModule", "ScriptFunction", "Final", "fork",
           "wait"]

_isinstance = isinstance


class ScriptModule(Module):
    """No module is one: `script` leaves modules as they are."""


class ScriptFunction:
    """No function is one: `script` leaves functions as they are."""


def script(obj, optimize=None, _frames_up=0, _rcb=None, example_inputs=None):
    """The function, class or module itself: it runs as Python."""
    return obj


def _missing(name, instead):
    def f(*args, **kwargs):
        raise NotImplementedError(f"jit.{name}: there is no TorchScript; {instead}")
    f.__name__, f.__doc__ = name, f"Not implemented: {instead}."
    return f


trace = _missing("trace", "call the module itself, or use jit.script, which returns it")
trace_module = _missing("trace_module", "call the module itself")
save = _missing("save", "save the state_dict with tapegrad.save, and the class as Python")
load = _missing("load", "make the module in Python and load its state_dict with tapegrad.load")


def freeze(mod, preserved_attrs=None, optimize_numerics=True):
    """The module itself."""
    return mod


def optimize_for_inference(mod, other_methods=None):
    """The module itself."""
    return mod


def script_method(fn):
    """The method itself."""
    return fn


def export(fn):
    """The method itself."""
    return fn


def unused(fn):
    """The function itself."""
    return fn


def ignore(drop=False, **kwargs):
    """The function itself; also a decorator with arguments."""
    return drop if callable(drop) else lambda fn: fn


def is_scripting():
    """False."""
    return False


def is_tracing():
    """False."""
    return False


def annotate(the_type, the_value):
    """The value."""
    return the_value


def isinstance(obj, target_type):
    """Python's isinstance, for type hints such as list[int] by their origin."""
    origin = getattr(target_type, "__origin__", target_type)
    return _isinstance(obj, origin)


def fork(func, *args, **kwargs):
    """Calls the function at once; `wait` returns its result."""
    return func(*args, **kwargs)


def wait(future):
    """What `fork` returned."""
    return future


def __getattr__(name):
    from ._compat import missing
    raise missing(__name__, name)
