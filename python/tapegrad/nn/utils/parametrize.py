"""Parameters computed from others: `register_parametrization(module, "weight", f)` makes module.weight the value of f(original)."""
import contextlib
import copy

from ... import _C
from ..layers.container import ModuleDict, ModuleList
from ..parameter import Parameter

__all__ = ["cached", "ParametrizationList", "register_parametrization", "is_parametrized", "remove_parametrizations",
           "type_before_parametrizations", "transfer_parametrizations_and_params"]

_cache_depth = 0
_cache = {}


@contextlib.contextmanager
def cached():
    """Within it each parametrized tensor is computed once only."""
    global _cache_depth
    _cache_depth += 1
    try:
        yield
    finally:
        _cache_depth -= 1
        if not _cache_depth:
            _cache.clear()


def _register(module, name, tensor):
    (module.register_parameter if isinstance(tensor, Parameter) else module.register_buffer)(name, tensor)


def _same_kind(value, like, what):
    """ValueError unless value is a tensor of like's dtype and shape."""
    if not isinstance(value, _C.Tensor):
        raise ValueError(f"{what} must return a tensor. Got {type(value).__name__}.")
    if value.dtype != like.dtype or value.shape != like.shape:
        raise ValueError(f"{what} may not change dtype or shape, unless the `unsafe` flag is enabled: {like.dtype} {tuple(like.shape)} "
                         f"became {value.dtype} {tuple(value.shape)}")


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied in order, and what they start from: `original`, or `original0`, `original1` … when
    the first one takes several tensors (its right_inverse then returns several)."""

    def __init__(self, modules, original, unsafe=False):
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape_and_dtype = original.detach()
        new = original
        with _C.no_grad():
            for module in reversed(self):
                if hasattr(module, "right_inverse"):
                    with contextlib.suppress(NotImplementedError):
                        new = module.right_inverse(new)
        self.is_tensor = isinstance(new, _C.Tensor)
        if not self.is_tensor and not isinstance(new, (tuple, list)):
            raise ValueError(f"'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got {type(new).__name__}")
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            if new.dtype != original.dtype or new.device != original.device:
                raise ValueError("When `right_inverse` outputs one tensor, it may not change dtype or device: "
                                 f"{original.dtype} on {original.device} became {new.dtype} on {new.device}")
            original.data = new.detach()
            _register(self, "original", original)
        else:
            for i, part in enumerate(new):
                if not isinstance(part, _C.Tensor):
                    raise ValueError(f"'right_inverse' must return a Tensor or a Sequence of tensors. Got element {i} of type "
                                     f"{type(part).__name__}.")
                if isinstance(original, Parameter):
                    part = Parameter(part, original.requires_grad)
                _register(self, f"original{i}", part.requires_grad_(original.requires_grad))
        if not unsafe:
            _same_kind(self(), shape_and_dtype, "A parametrization")

    def _originals(self):
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value):
        """Sets the originals so that forward() gives `value`, as far as the parametrizations' right_inverse goes."""
        with _C.no_grad():
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                value = module.right_inverse(value)
            if self.is_tensor and not isinstance(value, _C.Tensor):
                raise ValueError(f"`right_inverse` should return a tensor. Got {type(value).__name__}")
            if not self.is_tensor and not (isinstance(value, (tuple, list)) and len(value) == self.ntensors):
                raise ValueError(f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got "
                                 f"{type(value).__name__}.")
            for original, new in zip(self._originals(), [value] if self.is_tensor else value):
                if new.dtype != original.dtype:
                    raise ValueError(f"The tensor returned by `right_inverse` has dtype {new.dtype} while the original has "
                                     f"{original.dtype}")
                original.data = new.detach()

    def forward(self):
        first, *rest = self
        x = first(*self._originals())
        for module in rest:
            x = module(x)
        return x


def _give_own_class(module):
    """A subclass of the module's class for this one module, to hold the properties."""
    cls = type(module)

    def no_state(self):
        raise RuntimeError("parametrized modules are saved through state_dict() only")

    def deep(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        own = {k: v for k, v in vars(type(self)).items() if k not in ("__dict__", "__weakref__")}
        own = type(type(self).__name__, (cls,), own)  # the copy's parametrizations are removed from its own class
        memo[id(self)] = new = self.__new__(own)
        new.__setstate__(copy.deepcopy(cls.__getstate__(self), memo))
        return new
    members = {"__getstate__": no_state}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = deep
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _add_property(module, name):
    def get(self):
        values = self.parametrizations[name]
        if not _cache_depth:
            return values()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = values()
        return _cache[key]

    def put(self, value):
        self.parametrizations[name].right_inverse(value)
    setattr(type(module), name, property(get, put))


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Makes module.tensor_name the value of `parametrization`, a module, on the present tensor; more of them are chained.

    The tensor moves to module.parametrizations.tensor_name.original. If the parametrization has a right_inverse, the original starts as
    its value, and assigning to module.tensor_name goes through it. unsafe=False checks that dtype and shape stay. Returns the module.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            before = getattr(module, tensor_name)
            after = parametrization(before)
            _same_kind(after, before, "A parametrization")
            if hasattr(parametrization, "right_inverse"):
                with contextlib.suppress(NotImplementedError):
                    _same_kind(parametrization.right_inverse(after), before, "parametrization.right_inverse")
        module.parametrizations[tensor_name].append(parametrization)
        module.parametrizations[tensor_name].unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        values = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _give_own_class(module)
            module.parametrizations = ModuleDict()
        _add_property(module, tensor_name)
        module.parametrizations[tensor_name] = values
    else:
        raise ValueError(f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'")
    return module


def is_parametrized(module, tensor_name=None):
    """Has the module parametrizations, or one of that tensor?"""
    found = getattr(module, "parametrizations", None)
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Makes module.tensor_name an ordinary tensor again: the present value, or with leave_parametrized=False the original."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    values = module.parametrizations[tensor_name]
    if values.is_tensor:
        tensor = values.original
        if leave_parametrized:
            with _C.no_grad():
                tensor.data = getattr(module, tensor_name).detach()
    elif leave_parametrized:
        tensor = getattr(module, tensor_name)
        tensor = Parameter(tensor) if tensor.requires_grad else tensor
    else:
        raise ValueError("Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence of "
                         "tensors.")
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, tensor)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module):
    """The module's class, whether it is parametrized or not."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module, to_module, tensor_name=None):
    """Registers from_module's parametrizations (of one tensor, or of all) on to_module, and shares the originals. Returns to_module."""
    if is_parametrized(from_module):
        for name in list(from_module.parametrizations) if tensor_name is None else [tensor_name]:
            values = from_module.parametrizations[name]
            if not hasattr(to_module, name):
                setattr(to_module, name, Parameter(getattr(from_module, name)))
            for parametrization in values:
                register_parametrization(to_module, name, parametrization)
            for original, tensor in (*values._parameters.items(), *values._buffers.items()):
                setattr(to_module.parametrizations[name], original, tensor)
    return to_module
