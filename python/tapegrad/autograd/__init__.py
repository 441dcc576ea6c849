"""The tape from Python: backward, grad, custom functions, gradient checks, saved-tensor hooks."""
from .. import _C
from .._C import (backward, detect_anomaly, enable_grad, grad, inference_mode, is_anomaly_enabled, no_grad,  # noqa: F401
                  set_grad_enabled)
from .._ops import lazy
from . import functional, graph  # noqa: F401
from .function import Function, FunctionCtx, once_differentiable  # noqa: F401
from .gradcheck import GradcheckError, gradcheck, gradgradcheck  # noqa: F401


class _VariableType(type):
    def __instancecheck__(cls, obj):
        return isinstance(obj, _C.Tensor)


class Variable(metaclass=_VariableType):
    """The old wrapper: Variable(tensor, requires_grad) is the tensor on a tape of its own; every tensor is one."""

    def __new__(cls, data, requires_grad=False, volatile=None):
        return data.detach().requires_grad_(requires_grad)


class set_detect_anomaly:
    """Switches anomaly mode (NaN checks with the forward line in the error) at once; as a context manager, until its end."""

    def __init__(self, mode, check_nan=True):
        self.before = is_anomaly_enabled()
        set_anomaly_enabled(mode, check_nan)

    def __enter__(self):
        return None

    def __exit__(self, *exc):
        _C._set_detect_anomaly(self.before)


class detect_nonfinite:
    """While it is entered, the first op, forward or backward, that makes a NaN or an infinity of finite numbers is an error.

    The GradError names the op, its line, its nn module, and the ranges of what went in and came out; `warn=True` makes it a
    RuntimeWarning. In all threads; docs/insight.md says what is looked at, and its cost.
    """

    def __init__(self, warn=False):
        self.warn = bool(warn)

    def __enter__(self):
        self._watched = self.warn
        _C._watch_nonfinite(self._watched)
        return self

    def __exit__(self, *exc):
        _C._unwatch_nonfinite(self._watched)


def set_anomaly_enabled(mode, check_nan=True):
    """Switches anomaly mode; its NaN checks cannot be left out."""
    if mode and not check_nan:
        raise NotImplementedError("set_anomaly_enabled: check_nan=False is not supported; anomaly mode always checks for NaN")
    _C._set_detect_anomaly(bool(mode))


def is_anomaly_check_nan_enabled():
    """True: anomaly mode always checks for NaN."""
    return True


__getattr__, __dir__ = lazy(globals(), {"forward_ad": [], "grad_mode": ["set_multithreading_enabled"], "profiler": [], "variable": []})
