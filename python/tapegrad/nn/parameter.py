"""Parameter and Buffer: tensors that a Module registers when they are assigned to an attribute."""
from .. import _C

__all__ = ["Parameter", "Buffer", "UninitializedParameter", "UninitializedBuffer", "is_lazy"]


_PARAMETER = 3  # MemoryRole


def _rebuild(cls, tensor, requires_grad, state):
    out = _C.make_subclass(cls, tensor, requires_grad)
    if issubclass(cls, Parameter):
        _C._set_role(out, _PARAMETER)
    for name, value in state.items():
        setattr(out, name, value)
    return out


class _Registered(_C.Tensor):
    """What Parameter and Buffer share: copies and pickles keep the class, the flag and the attributes."""

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        out = _rebuild(type(self), self.detach().clone(), self.requires_grad, self.__dict__)
        memo[id(self)] = out
        return out

    def __copy__(self):
        return _rebuild(type(self), self.detach(), self.requires_grad, self.__dict__)

    def __reduce_ex__(self, protocol):
        return _rebuild, (type(self), self.detach(), self.requires_grad, dict(self.__dict__))


class Parameter(_Registered):
    """A tensor that is a module's parameter: assigned to a module attribute it appears in `parameters()`.

    Args:
        data: tensor whose memory the parameter shares; an empty one when left out.
        requires_grad: whether it gets a gradient. Only floating dtypes may.
    """

    def __new__(cls, data=None, requires_grad=True):
        out = _C.make_subclass(cls, _C.empty(0) if data is None else data.detach(), requires_grad)
        _C._set_role(out, _PARAMETER)
        return out

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()

    __str__ = __repr__


class Buffer(_Registered):
    """A tensor that belongs to a module's state but is not trained, such as running statistics.

    Args:
        data: tensor whose memory the buffer shares.
        persistent: whether it is part of `state_dict()`.
    """

    def __new__(cls, data=None, *, persistent=True):
        out = _C.make_subclass(cls, _C.empty(0) if data is None else data.detach(), data is not None and data.requires_grad)
        out.persistent = persistent
        return out


class UninitializedTensorMixin:
    """What lazy parameters and buffers share: a shape that comes later."""

    def materialize(self, shape, device=None, dtype=None):
        """Gives it a shape (and uninitialised values); it is an ordinary Parameter or Buffer from now on."""
        self.data = _C.empty(shape, device=self.device if device is None else device, dtype=self.dtype if dtype is None else dtype)
        self.__class__ = self._becomes

    def __deepcopy__(self, memo):
        memo[id(self)] = copy = type(self)(self.requires_grad, self.device, self.dtype)
        copy.__dict__.update(self.__dict__)
        return copy

    def __reduce_ex__(self, protocol):
        return type(self), (self.requires_grad, self.device, self.dtype), dict(self.__dict__)

    def __repr__(self):
        return f"<{type(self).__name__}>"


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known yet."""
    _becomes = Parameter

    def __new__(cls, requires_grad=True, device=None, dtype=None):
        return Parameter.__new__(cls, _C.empty(0, device=device, dtype=dtype), requires_grad)


class UninitializedBuffer(UninitializedTensorMixin, Buffer):
    """A buffer whose shape is not known yet."""
    _becomes = Buffer

    def __new__(cls, requires_grad=False, device=None, dtype=None, persistent=True):
        out = Buffer.__new__(cls, _C.empty(0, device=device, dtype=dtype), persistent=persistent)
        return out.requires_grad_(requires_grad)


def is_lazy(param):
    """Is it a parameter or buffer without a shape yet?"""
    return isinstance(param, UninitializedTensorMixin)
