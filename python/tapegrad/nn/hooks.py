"""Hooks of modules: removable handles, hooks for all modules, and the backward hooks' two identity functions."""
import itertools
import warnings
import weakref

from .. import _C
from ..autograd.function import Function

__all__ = ["RemovableHandle", "register_module_forward_hook", "register_module_forward_pre_hook",
           "register_module_full_backward_hook", "register_module_full_backward_pre_hook", "register_module_backward_hook",
           "register_module_buffer_registration_hook", "register_module_module_registration_hook",
           "register_module_parameter_registration_hook"]

_ids = itertools.count()


class RemovableHandle:
    """Takes a hook away again: call `remove()`, or use it as a context manager."""

    def __init__(self, hooks, extra=()):
        self.id = next(i for i in _ids if not any(i in d for d in (hooks, *extra)))  # a loaded module brings hooks with numbers
        self._dicts = [weakref.ref(d) for d in (hooks, *extra)]

    def remove(self):
        for ref in self._dicts:
            hooks = ref()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


class HookDict(dict):
    """id -> hook, in calling order; a dict that weak references can point to."""
    __slots__ = ("__weakref__",)

    def add(self, hook, prepend=False):
        handle = RemovableHandle(self)
        if prepend:
            later = dict(self)
            self.clear()
            self[handle.id] = hook
            self.update(later)
        else:
            self[handle.id] = hook
        return handle

    def __reduce__(self):
        return HookDict, (dict(self),)


class GlobalHooks(HookDict):
    """Hooks that run for every module. Registering one sends all calls the long way."""
    __slots__ = ()

    def add(self, hook, prepend=False):
        _C.set_module_global_hooks(True)
        return super().add(hook, prepend)

    def pop(self, *args):
        out = super().pop(*args)
        if not any(global_hooks):
            _C.set_module_global_hooks(False)
        return out


global_forward_pre, global_forward, global_backward_pre, global_backward = global_hooks = [GlobalHooks() for _ in range(4)]


def register_module_forward_pre_hook(hook):
    """Calls `hook(module, args)` before the forward of every module; it may return new arguments."""
    return global_forward_pre.add(hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Calls `hook(module, args, output)` (with_kwargs: `hook(module, args, kwargs, output)`) after the forward of every module; it may
    return a new output."""
    return global_forward.add(ForwardHook(hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook):
    """Calls `hook(module, grad_output)` before the backward of every module; it may return a new grad_output."""
    return global_backward_pre.add(hook)


def register_module_full_backward_hook(hook):
    """Calls `hook(module, grad_input, grad_output)` in the backward of every module; it may return a new grad_input."""
    return global_backward.add(hook)


def register_module_backward_hook(hook):
    """The old form of register_module_full_backward_hook; see Module.register_backward_hook."""
    return global_forward.add(ForwardHook(old_backward_hook(hook), False))


def old_backward_hook(hook):
    """A forward hook that lets `hook(module, grad_input, grad_output)` see the gradients of the output's node."""
    def watch(module, args, output):
        while not isinstance(output, _C.Tensor):  # of several outputs, the first
            if not output:
                return
            output = next(iter(output.values() if isinstance(output, dict) else output))
        if output.grad_fn is not None:
            output.grad_fn.register_hook(lambda grad_input, grad_output: hook(module, grad_input, grad_output) and None)
    return watch


global_parameter, global_buffer, global_module = HookDict(), HookDict(), HookDict()


def register_module_parameter_registration_hook(hook):
    """Calls `hook(module, name, parameter)` whenever a module gets a parameter; it may return another one."""
    return global_parameter.add(hook)


def register_module_buffer_registration_hook(hook):
    """Calls `hook(module, name, buffer)` whenever a module gets a buffer; it may return another one."""
    return global_buffer.add(hook)


def register_module_module_registration_hook(hook):
    """Calls `hook(module, name, submodule)` whenever a module gets a submodule; it may return another one."""
    return global_module.add(hook)


def registered(hooks, module, name, value):
    """What the registration hooks make of a value."""
    for hook in list(hooks.values()) if hooks else ():
        result = hook(module, name, value)
        value = value if result is None else result
    return value


class ForwardHook:
    """A forward (pre) hook and how to call it."""
    __slots__ = ("hook", "with_kwargs", "always_call")

    def __init__(self, hook, with_kwargs, always_call=False):
        self.hook, self.with_kwargs, self.always_call = hook, with_kwargs, always_call

    def before(self, module, args, kwargs):
        """The arguments after a pre-hook."""
        if not self.with_kwargs:
            result = self.hook(module, args)
            if result is None:
                return args, kwargs
            return (result if isinstance(result, tuple) else (result,)), kwargs
        result = self.hook(module, args, kwargs)
        if result is None:
            return args, kwargs
        if isinstance(result, tuple) and len(result) == 2:
            return result
        raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {result}.")

    def after(self, module, args, kwargs, output):
        """The output after a forward hook."""
        result = self.hook(module, args, kwargs, output) if self.with_kwargs else self.hook(module, args, output)
        return output if result is None else result

    def __getstate__(self):
        return self.hook, self.with_kwargs, self.always_call

    def __setstate__(self, state):
        self.hook, self.with_kwargs, self.always_call = state


class BackwardHooks:
    """The full backward (pre) hooks of one module call.

    Inputs and outputs pass through an identity whose backward sees their gradients. The outputs' gradients arrive first and
    are kept; the hooks run when the inputs' gradients arrive, or at once when no input needs any.
    """

    def __init__(self, module, pre_hooks, hooks):
        self.module, self.pre_hooks, self.hooks = module, pre_hooks, hooks
        self.grad_output = None
        self.input_watched = False

    def watch_inputs(self, args):
        tensors, places = _differentiable(args)
        self.n_inputs = len(args)
        self.input_places = places
        if not tensors or not self.hooks:
            return args
        self.input_watched = True
        return _put(args, places, _Watch.apply(self.inputs_arrived, *tensors))

    def watch_outputs(self, output):
        if isinstance(output, _C.Tensor):
            items = (output,)
        elif isinstance(output, (tuple, list)):
            items = tuple(output)
        else:
            warnings.warn(f"backward hooks are called for modules that return a Tensor, a tuple or a list of them; "
                          f"{type(self.module).__name__} returned a {type(output).__name__}", stacklevel=3)
            return output
        tensors, places = _differentiable(items)
        if not tensors:
            return output
        self.n_outputs, self.output_places = len(items), places
        items = _put(items, places, _Watch.apply(self.outputs_arrived, *tensors))
        if isinstance(output, _C.Tensor):
            return items[0]
        return type(output)(*items) if hasattr(output, "_fields") else type(output)(items)

    def outputs_arrived(self, grads):
        grad_output = _spread(grads, self.output_places, self.n_outputs)
        for hook in self.pre_hooks:
            result = hook(self.module, grad_output)
            if result is not None:
                grad_output = _same_length(result, grad_output, "Backward pre hook")
        self.grad_output = grad_output
        if self.hooks and not self.input_watched:
            grad_input = (None,) * self.n_inputs
            for hook in self.hooks:
                if hook(self.module, grad_input, grad_output) is not None:
                    raise RuntimeError("Backward hook for Modules where no input requires gradient should always return None.")
        return tuple(grad_output[i] for i in self.output_places)

    def inputs_arrived(self, grads):
        if self.grad_output is None:  # these gradients did not pass through the output
            return grads
        grad_input = _spread(grads, self.input_places, self.n_inputs)
        for hook in self.hooks:
            result = hook(self.module, grad_input, self.grad_output)
            if result is not None:
                grad_input = _same_length(result, grad_input, "Backward hook")
        self.grad_output = None
        return tuple(grad_input[i] for i in self.input_places)


class _Watch(Function):
    """Identity; `arrived(grads)` sees, and may replace, the gradients on their way back."""

    @staticmethod
    def forward(ctx, arrived, *tensors):
        ctx.arrived = arrived
        ctx.set_materialize_grads(False)
        return tuple(t.view_as(t) for t in tensors)

    @staticmethod
    def backward(ctx, *grads):
        return (None, *ctx.arrived(grads))


def _differentiable(items):
    if not _C.is_grad_enabled():
        return (), ()
    found = [(i, t) for i, t in enumerate(items) if isinstance(t, _C.Tensor) and t.requires_grad]
    return tuple(t for _, t in found), tuple(i for i, _ in found)


def _put(items, places, tensors):
    out = list(items)
    for place, t in zip(places, tensors):
        out[place] = t
    return tuple(out)


def _spread(grads, places, n):
    out = [None] * n
    for place, g in zip(places, grads):
        out[place] = g
    return tuple(out)


def _same_length(result, before, who):
    result = result if isinstance(result, tuple) else (result,)
    if len(result) != len(before):
        raise RuntimeError(f"{who} returned an invalid number of grad, got {len(result)}, but expected {len(before)}")
    return result
