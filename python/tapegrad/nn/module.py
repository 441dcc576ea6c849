"""Module, the base class of everything with parameters.

Parameters, buffers and submodules are plain instance attributes, so `self.weight` costs an ordinary attribute read; ordered
registries (`_parameters`, `_buffers`, `_modules`) mirror them and write through. The call itself is C (`_C.ModuleBase`): it goes
straight to `forward` unless hooks are registered. Nothing here touches `self.__dict__` on the way of a call, which would turn
the interpreter's inline values into a dict and double the price of every read.
"""
import weakref
from types import MappingProxyType

from .. import _C
from . import hooks as _hooks
from .hooks import *  # noqa: F401,F403  (PyTorch has the global hooks in nn.modules.module)
from .parameter import Buffer, Parameter
from .state import StateMixin

__all__ = ["Module", *_hooks.__all__]

_NONE = MappingProxyType({})
_REGISTRIES = ("_parameters", "_buffers", "_modules")
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


class Registry(dict):
    """name -> tensor or module, in order; writing to it also writes the owner's attribute."""
    __slots__ = ("owner",)

    def __init__(self, owner):
        self.owner = weakref.ref(owner)

    def __setitem__(self, name, value):
        owner = self.owner()
        if not hasattr(getattr(type(owner), name, None), "__set__"):  # a property of that name keeps the attribute
            object.__setattr__(owner, name, value)
        dict.__setitem__(self, name, value)

    def __delitem__(self, name):
        dict.__delitem__(self, name)
        try:
            object.__delattr__(self.owner(), name)
        except AttributeError:
            pass

    def pop(self, name, *default):
        if name not in self:
            return dict.pop(self, name, *default)
        value = self[name]
        del self[name]
        return value

    def popitem(self):
        name = next(reversed(self))
        return name, self.pop(name)

    def clear(self):
        for name in list(self):
            del self[name]

    def update(self, *args, **kwargs):
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def setdefault(self, name, default=None):
        if name not in self:
            self[name] = default
        return self[name]

    def __ior__(self, other):
        self.update(other)
        return self

    def copy(self):
        return dict(self)

    def __reduce__(self):
        return dict, (dict(self),)


def _typename(x):
    return f"{type(x).__module__}.{type(x).__qualname__}" if type(x).__module__ != "builtins" else type(x).__qualname__


class _MissingAttribute:
    """Ends the chain of super().__getattr__ for modules that define __getattr__. Module itself has none, which would slow down every
    attribute: parameters, buffers and submodules are found without."""
    __slots__ = ()

    def __getattr__(self, name):
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


class Module(StateMixin, _C.ModuleBase):
    """Base class of all neural network modules.

    Subclasses call `super().__init__()`, assign parameters, buffers and submodules to attributes, and define `forward`.
    Calling the module runs `forward` and the hooks.

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc = nn.Linear(4, 2)
    ...     def forward(self, x):
    ...         return self.fc(x).relu()
    """

    training = True
    _parameters = _buffers = _modules = None
    _non_persistent_buffers_set = frozenset()
    _forward_pre_hooks = _forward_hooks = _backward_pre_hooks = _backward_hooks = _NONE
    call_super_init = dump_patches = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__getattr__" in cls.__dict__ and _MissingAttribute not in cls.__mro__:
            cls.__bases__ = (*cls.__bases__, _MissingAttribute)

    def __init__(self, *args, **kwargs):
        if not self.call_super_init and (args or kwargs):
            got = f"keyword argument '{next(iter(kwargs))}'" if kwargs else f"{len(args)} positional arguments"
            raise TypeError(f"{type(self).__name__}.__init__() got an unexpected {got}" if kwargs else
                            f"{type(self).__name__}.__init__() takes 1 positional argument but {len(args) + 1} were given")
        set_plain = object.__setattr__
        set_plain(self, "training", True)
        for kind in _REGISTRIES:
            set_plain(self, kind, Registry(self))
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *args, **kwargs):
        """What the module computes. Every subclass defines it."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    # ---- attributes

    def __setattr__(self, name, value):
        if isinstance(value, _C.Tensor):
            if isinstance(value, Parameter):
                self._claim(name, "parameters", "_parameters")
                return self.register_parameter(name, value)
            if isinstance(value, Buffer):
                self._claim(name, "buffers", "_buffers")
                return self.register_buffer(name, value, value.persistent)
        elif isinstance(value, Module):
            registry = self._claim(name, "module", "_modules")
            registry[name] = _hooks.registered(_hooks.global_module, self, name, value)
            return
        if self._parameters is not None:
            if name in self._parameters:
                if value is not None:
                    raise TypeError(f"cannot assign '{_typename(value)}' as parameter '{name}' (tapegrad.nn.Parameter or None expected)")
                self._parameters[name] = None
                return
            if name in self._modules:
                if value is not None:
                    raise TypeError(f"cannot assign '{_typename(value)}' as child module '{name}' (tapegrad.nn.Module or None expected)")
                self._modules[name] = None
                return
            if name in self._buffers:
                if value is not None and not isinstance(value, _C.Tensor):
                    raise TypeError(f"cannot assign '{_typename(value)}' as buffer '{name}' (tapegrad.nn.Buffer, tapegrad.Tensor or "
                                    f"None expected)")
                self._buffers[name] = value
                return
        object.__setattr__(self, name, value)

    def _claim(self, name, what, kind):
        """The registry of that kind, after the name was taken out of the others."""
        registry = getattr(self, kind)
        if registry is None:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if name not in registry:
            for other in _REGISTRIES:
                getattr(self, other).pop(name, None)
            try:
                object.__delattr__(self, name)
            except AttributeError:
                pass
        return registry

    def __delattr__(self, name):
        for kind in _REGISTRIES:
            registry = getattr(self, kind)
            if registry is not None and name in registry:
                if kind == "_buffers" and name in self._non_persistent_buffers_set:
                    self._non_persistent_buffers_set.discard(name)
                del registry[name]
                return
        object.__delattr__(self, name)

    def _check_new_name(self, name, what, registry):
        if registry is None:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {_typename(name)}")
        if "." in name:
            raise KeyError(f'{what} name can\'t contain "."')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and name not in registry:
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name, param):
        """Adds a parameter; None reserves the name. KeyError if the name is taken, TypeError if it is no Parameter."""
        self._check_new_name(name, "parameter", self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(f"cannot assign '{_typename(param)}' object to parameter '{name}' (tapegrad.nn.Parameter or None required)")
            if param.grad_fn is not None:
                raise ValueError(f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. "
                                 f"To express '{name}' as a function of another Tensor, compute the value in the forward() method.")
        param = _hooks.registered(_hooks.global_parameter, self, name, param)
        self._parameters[name] = param

    def register_buffer(self, name, tensor, persistent=True):
        """Adds a tensor that is state but not a parameter; a persistent one is part of `state_dict()`."""
        self._check_new_name(name, "buffer", self._buffers)
        if tensor is not None and not isinstance(tensor, _C.Tensor):
            raise TypeError(f"cannot assign '{_typename(tensor)}' object to buffer '{name}' (tapegrad Tensor or None required)")
        self._buffers[name] = _hooks.registered(_hooks.global_buffer, self, name, tensor)
        hidden = set(self._non_persistent_buffers_set)
        (hidden.discard if persistent else hidden.add)(name)
        if hidden != self._non_persistent_buffers_set:
            object.__setattr__(self, "_non_persistent_buffers_set", hidden)

    def add_module(self, name, module):
        """Adds a child module (or None) under a name."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_typename(module)} is not a Module subclass")
        self._check_new_name(name, "module", self._modules)
        self._modules[name] = _hooks.registered(_hooks.global_module, self, name, module)

    def register_module(self, name, module):
        """Same as `add_module`."""
        self.add_module(name, module)

    # ---- calling with hooks

    def _call_with_hooks(self, *args, **kwargs):
        """The long way of a call: taken when this module or all modules have hooks."""
        H = _hooks
        backward = [*H.global_backward.values(), *self._backward_hooks.values()]
        backward_pre = [*H.global_backward_pre.values(), *self._backward_pre_hooks.values()]
        after = [*H.global_forward.values(), *self._forward_hooks.values()]
        if not (after or backward or backward_pre or self._forward_pre_hooks or H.global_forward_pre):
            self._slow = False
            return self.forward(*args, **kwargs)
        done = 0
        try:
            for hook in list(H.global_forward_pre.values()):
                args, kwargs = H.ForwardHook(hook, False).before(self, args, kwargs)
            for hook in list(self._forward_pre_hooks.values()):
                args, kwargs = hook.before(self, args, kwargs)
            watch = H.BackwardHooks(self, backward_pre, backward) if backward or backward_pre else None
            if watch:
                args = watch.watch_inputs(args)
            output = self.forward(*args, **kwargs)
            for hook in after:
                done += 1
                output = hook.after(self, args, kwargs, output)
            return watch.watch_outputs(output) if watch else output
        except Exception:
            for hook in after[done:]:
                if hook.always_call:
                    try:
                        hook.after(self, args, kwargs, None)
                    except Exception as e:  # the first error is the one to report
                        import warnings
                        warnings.warn(f"forward hook with ``always_call=True`` raised an exception that was silenced: {e}", stacklevel=2)
            raise

    def _hooks_of(self, kind):
        hooks = getattr(self, kind)
        if hooks is _NONE:
            hooks = _hooks.HookDict()
            object.__setattr__(self, kind, hooks)
        self._slow = True
        return hooks

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """`hook(module, args)` (with_kwargs: `hook(module, args, kwargs)`) runs before forward and may return new arguments."""
        return self._hooks_of("_forward_pre_hooks").add(_hooks.ForwardHook(hook, with_kwargs), prepend)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """`hook(module, args, output)` (with_kwargs: `hook(module, args, kwargs, output)`) runs after forward and may return a
        new output; with always_call also when forward raises (output is then None)."""
        return self._hooks_of("_forward_hooks").add(_hooks.ForwardHook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """`hook(module, grad_output)` runs when the gradients of the outputs are known and may return new ones."""
        return self._hooks_of("_backward_pre_hooks").add(hook, prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """`hook(module, grad_input, grad_output)` runs when the gradients of the inputs are known and may return a new
        grad_input. Both are tuples; entries that need no gradient are None."""
        return self._hooks_of("_backward_hooks").add(hook, prepend)

    def register_backward_hook(self, hook):
        """The old form of register_full_backward_hook: `hook(module, grad_input, grad_output)` sees the gradients of the last operation of
        forward, whatever that is. Its result is not used."""
        return self.register_forward_hook(_hooks.old_backward_hook(hook))

    # ---- walking

    def _named_members(self, kind, prefix, recurse, remove_duplicate):
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for module_prefix, module in modules:
            for name, value in getattr(module, kind).items():
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield module_prefix + ("." if module_prefix else "") + name, value

    def parameters(self, recurse=True):
        """All parameters, each once, own ones first."""
        for _, p in self.named_parameters(recurse=recurse):
            yield p

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """(name, parameter) pairs; names are dotted paths."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """All buffers, each once."""
        for _, b in self.named_buffers(recurse=recurse):
            yield b

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """(name, buffer) pairs."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def children(self):
        """The direct submodules, each once."""
        for _, m in self.named_children():
            yield m

    def named_children(self):
        """(name, module) pairs of the direct submodules."""
        seen = set()
        for name, m in self._modules.items():
            if m is not None and id(m) not in seen:
                seen.add(id(m))
                yield name, m

    def modules(self, remove_duplicate=True):
        """This module and all below it, each once."""
        for _, m in self.named_modules(remove_duplicate=remove_duplicate):
            yield m

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """(dotted name, module) pairs of this module ("") and all below it."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, m in self._modules.items():
            if m is not None:
                yield from m.named_modules(memo, prefix + ("." if prefix else "") + name, remove_duplicate)

    def get_submodule(self, target):
        """The module at a dotted path; "" is the module itself. AttributeError when there is none."""
        m = self
        for part in target.split(".") if target else ():
            if not hasattr(m, part):
                raise AttributeError(f"{m._get_name()} has no attribute `{part}`")
            m = getattr(m, part)
            if not isinstance(m, Module):
                raise AttributeError(f"`{part}` is not an nn.Module")
        return m

    def set_submodule(self, target, module, strict=False):
        """Puts a module at a dotted path. AttributeError when something else is there, or (strict) nothing."""
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if not isinstance(getattr(parent, name, module), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target):
        """The parameter at a dotted path. AttributeError when there is none."""
        return self._get_member(target, "_parameters", "nn.Parameter")

    def get_buffer(self, target):
        """The buffer at a dotted path. AttributeError when there is none."""
        return self._get_member(target, "_buffers", "buffer")

    def _get_member(self, target, kind, what):
        path, _, name = target.rpartition(".")
        m = self.get_submodule(path)
        if not hasattr(m, name):
            raise AttributeError(f"{m._get_name()} has no attribute `{name}`")
        if name not in getattr(m, kind):
            raise AttributeError(f"`{name}` is not {'an' if what[0] == 'n' else 'a'} {what}")
        return getattr(m, kind)[name]

    # ---- changing all of it

    def apply(self, fn):
        """Calls `fn(module)` for every submodule, children first, and for this module. Returns self."""
        for m in self.children():
            m.apply(fn)
        fn(self)
        return self

    def train(self, mode=True):
        """Sets training mode here and below (dropout, batch norm). Returns self."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for m in self.children():
            m.train(mode)
        return self

    def eval(self):
        """`train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Sets `requires_grad` of all parameters. Returns self."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Drops the gradients of all parameters, or fills them with zero."""
        for p in self.parameters():
            if p.grad is not None:
                if set_to_none:
                    p.grad = None
                else:
                    p.grad = p.grad.detach().zero_()

    def _apply(self, fn, recurse=True):
        if recurse:
            for m in self.children():
                m._apply(fn)
        for p in self._parameters.values():
            if p is not None:
                grad = p.grad
                with _C.no_grad():
                    new = fn(p)
                    if grad is not None:
                        p.grad = None
                        new_grad = fn(grad)
                    p.data = new
                    if grad is not None:
                        p.grad = new_grad.requires_grad_(grad.requires_grad)
        for name, b in self._buffers.items():
            if b is not None:
                self._buffers[name] = fn(b)
        return self

    def to(self, *args, **kwargs):
        """`to(device)`, `to(dtype)`, `to(device, dtype)` or `to(tensor)`: moves parameters and buffers in place; a dtype applies to
        the floating and complex ones only, a memory format to those of 4 or 5 dimensions. Returns self."""
        device, dtype, kwargs = _parse_to(args, kwargs)
        plain = {k: v for k, v in kwargs.items() if k != "memory_format"}
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}")

        def convert(t):
            wanted = dtype if dtype is not None and (t.is_floating_point() or t.is_complex()) else t.dtype
            return t.to(device=t.device if device is None else device, dtype=wanted, **(kwargs if t.ndim in (4, 5) else plain))
        return self._apply(convert)

    def share_memory(self):
        """Moves parameters and buffers into memory that other processes can map (Tensor.share_memory_). Returns self."""
        for t in (*self.parameters(), *self.buffers()):
            t.share_memory_()
        return self

    def _cast(self, dtype):
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self):
        """All floating parameters and buffers to float32."""
        return self._cast(_C.float32)

    def double(self):
        """All floating parameters and buffers to float64."""
        return self._cast(_C.float64)

    def half(self):
        """All floating parameters and buffers to float16."""
        return self._cast(_C.float16)

    def bfloat16(self):
        """All floating parameters and buffers to bfloat16."""
        return self._cast(_C.bfloat16)

    def type(self, dst_type):
        """All parameters and buffers to a dtype."""
        return self._apply(lambda t: t.to(dst_type))

    def to_empty(self, *, device, recurse=True):
        """Moves parameters and buffers to a device without their values. Returns self."""
        return self._apply(lambda t: _C.empty_like(t, device=device), recurse)

    def compile(self, *args, **kwargs):
        """Leaves the module as it is, as tapegrad.compile: there is no compiler."""

    def cpu(self):
        """Everything to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device=None):
        """Everything to a CUDA device."""
        return self.to("cuda" if device is None else device if not isinstance(device, int) else f"cuda:{device}")

    # ---- printing, copying

    def _get_name(self):
        return type(self).__name__

    def extra_repr(self):
        """What stands between the parentheses of repr(). Override it."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): " + repr(m).replace("\n", "\n  ") for name, m in self._modules.items()]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"

    def __getstate__(self):
        state = dict(self.__dict__)
        for kind in _REGISTRIES:
            registry = state.get(kind)
            if registry is not None:
                for name in registry:
                    state.pop(name, None)
                state[kind] = dict(registry)
        return state

    def __setstate__(self, state):
        registries = {}
        for name, value in state.items():
            if name in _REGISTRIES:
                registries[name] = value
            else:
                object.__setattr__(self, name, value)
        for kind, content in registries.items():
            registry = Registry(self)
            object.__setattr__(self, kind, registry)
            registry.update(content)
        self._slow = any(getattr(self, kind) for kind in _HOOKS)


def _parse_to(args, kwargs):
    """(device, dtype, other keywords) of the arguments of `to`."""
    kwargs = dict(kwargs)
    device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
    like = kwargs.pop("tensor", None)
    flags = ["non_blocking", "copy"]
    unknown = [name for name in kwargs if name not in (*flags, "memory_format")]
    if unknown:
        raise TypeError(f"Module.to() got an unexpected keyword argument '{unknown[0]}'")
    if len(args) > 4:
        raise TypeError(f"Module.to() takes at most 4 positional arguments, but {len(args)} were given")
    for a in args:
        if isinstance(a, _C.Tensor):
            like = a
        elif isinstance(a, _C.dtype):
            dtype = a
        elif isinstance(a, bool):
            kwargs[flags.pop(0)] = a
        elif a is not None:
            device = a
    if like is not None:
        device, dtype = like.device, like.dtype
    kwargs.pop("non_blocking", None)
    if isinstance(device, int):
        device = f"cuda:{device}"
    return (None if device is None else _C.device(device)), dtype, kwargs
