"""Optimizer: parameter groups, state, hooks. What all optimisers share."""
import functools
from collections import defaultdict
from copy import deepcopy

from .. import _C
from ..nn.hooks import HookDict

__all__ = ["Optimizer", "required", "register_optimizer_step_pre_hook", "register_optimizer_step_post_hook"]

required = object()
_WORKING, _OPTIMIZER = 0, 4  # MemoryRole
_all_step_pre_hooks, _all_step_post_hooks = HookDict(), HookDict()  # of every optimizer


def register_optimizer_step_pre_hook(hook):
    """`hook(optimizer, args, kwargs)` runs before the step of any optimizer and may return new (args, kwargs); args begin with the
    optimizer."""
    return _all_step_pre_hooks.add(hook)


def register_optimizer_step_post_hook(hook):
    """`hook(optimizer, args, kwargs)` runs after the step of any optimizer."""
    return _all_step_post_hooks.add(hook)


class Optimizer:
    """Base class: `params` is an iterable of tensors, of (name, tensor) pairs, or of dicts {"params": ..., option: value ...}.

    Subclasses call `super().__init__(params, defaults)` and define `step(closure=None)`.
    Errors: TypeError for what is not a tensor, ValueError for non-leaves, duplicates and an empty list.
    """

    def __init__(self, params, defaults):
        self.defaults = defaults
        self._step_pre_hooks, self._step_post_hooks = HookDict(), HookDict()
        self.state = defaultdict(dict)
        self.param_groups = []
        if isinstance(params, _C.Tensor):
            raise TypeError(f"params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                            f"{type(params).__name__}")
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.step)

    def add_param_group(self, param_group):
        """Adds parameters with options of their own: a dict with "params" and any of the options."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, (set, frozenset)):
            raise TypeError("optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will "
                            "change between runs. Please use a list instead.")
        params = [params] if isinstance(params, _C.Tensor) else list(params)
        if params and isinstance(params[0], tuple):
            group["param_names"] = [name for name, _ in params]
            params = [p for _, p in params]
        if self.param_groups and ("param_names" in self.param_groups[0]) != ("param_names" in group):
            raise ValueError("all optimizer param groups should be with/without names.")
        for p in params:
            if not isinstance(p, _C.Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
        ids = [id(p) for p in params]
        if len(set(ids)) != len(ids):
            raise ValueError("optimizer contains a parameter group with duplicate parameters")
        taken = {id(p) for g in self.param_groups for p in g["params"]}
        if not taken.isdisjoint(ids):
            raise ValueError("some parameters appear in more than one parameter group")
        if group.get("differentiable", self.defaults.get("differentiable")):
            raise NotImplementedError(f"{type(self).__name__}: differentiable=True is not implemented, a step is not recorded; compute the "
                                      "new parameters with tensor operations and call the model by func.functional_call")
        group["params"] = params
        for name, value in self.defaults.items():
            if value is required and name not in group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            group.setdefault(name, value)
        self.param_groups.append(group)

    def step(self, closure=None):
        """One update. `closure` computes the loss again and returns it."""
        raise NotImplementedError

    def zero_grad(self, set_to_none=True):
        """Drops the gradients of all parameters, or fills them with zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = p.grad.detach().zero_()

    def _run_closure(self, closure):
        if closure is None:
            return None
        role = _C._set_memory_role(_WORKING)
        try:
            with _C.enable_grad():
                return closure()
        finally:
            _C._set_memory_role(role)

    def _with_grad(self, group):
        """The group's parameters that have a gradient, their gradients and their states."""
        params, grads, states, state = [], [], [], self.state
        for p in group["params"]:
            g = p.grad
            if g is not None:
                params.append(p)
                grads.append(g)
                states.append(state[p])
        return params, grads, states

    # ---- saving

    _state_dict_pre_hooks = _state_dict_post_hooks = _load_state_dict_pre_hooks = _load_state_dict_post_hooks = HookDict()

    def _state_hooks(self, kind, hook, prepend):
        if kind not in self.__dict__:
            setattr(self, kind, HookDict())
        return getattr(self, kind).add(hook, prepend)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """`hook(optimizer)` runs before state_dict."""
        return self._state_hooks("_state_dict_pre_hooks", hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """`hook(optimizer, state_dict)` runs after state_dict and may return another one."""
        return self._state_hooks("_state_dict_post_hooks", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """`hook(optimizer, state_dict)` runs before load_state_dict and may return another one."""
        return self._state_hooks("_load_state_dict_pre_hooks", hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """`hook(optimizer)` runs after load_state_dict."""
        return self._state_hooks("_load_state_dict_post_hooks", hook, prepend)

    def state_dict(self):
        """{"state": {number: {...}}, "param_groups": [...]}, parameters numbered in order. The tensors are not copied."""
        for hook in self._state_dict_pre_hooks.values():
            hook(self)
        numbers, groups = {}, []
        for group in self.param_groups:
            packed = {k: v for k, v in group.items() if k != "params"}
            for p in group["params"]:
                numbers.setdefault(id(p), len(numbers))
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {numbers[id(k)] if isinstance(k, _C.Tensor) else k: v for k, v in self.state.items()}
        return self._through(self._state_dict_post_hooks, {"state": state, "param_groups": groups})

    def _through(self, hooks, state_dict):
        for hook in hooks.values():
            result = hook(self, state_dict)
            state_dict = state_dict if result is None else result
        return state_dict

    def load_state_dict(self, state_dict):
        """Takes over what state_dict() gave. ValueError when groups or their sizes differ."""
        state_dict = self._through(self._load_state_dict_pre_hooks, dict(state_dict))
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(g["params"]) != len(s["params"]) for g, s in zip(self.param_groups, saved)):
            raise ValueError("loaded state dict contains a parameter group that doesn't match the size of optimizer's group")
        by_number = {n: p for g, s in zip(self.param_groups, saved) for n, p in zip(s["params"], g["params"])}
        state = defaultdict(dict)
        for key, value in state_dict["state"].items():
            p = by_number.get(key)
            if p is None:
                state[key] = deepcopy(value)
            else:
                state[p] = {k: _adopt(v, p, k) for k, v in value.items()}
        groups = []
        for group, new in zip(self.param_groups, saved):
            new = {k: deepcopy(v) for k, v in new.items() if k != "params"}
            if "param_names" in group and "param_names" not in new:
                new["param_names"] = group["param_names"]
            groups.append({"params": group["params"], **{k: v for k, v in self.defaults.items() if k not in new}, **new})
        self.state, self.param_groups = state, groups
        for hook in self._load_state_dict_post_hooks.values():
            hook(self)

    # ---- hooks, printing, pickling

    def register_step_pre_hook(self, hook):
        """`hook(optimizer, args, kwargs)` runs before step and may return new (args, kwargs); args begin with the optimizer."""
        return self._step_pre_hooks.add(hook)

    def register_step_post_hook(self, hook):
        """`hook(optimizer, args, kwargs)` runs after step."""
        return self._step_post_hooks.add(hook)

    def __repr__(self):
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(("\n" if i else "") + f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join(lines) + "\n)"

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.__dict__.setdefault("_step_pre_hooks", HookDict())
        self.__dict__.setdefault("_step_post_hooks", HookDict())


def _adopt(value, p, key):
    """A loaded state value on the parameter's device and in its dtype; counters become numbers."""
    if not isinstance(value, _C.Tensor):
        return deepcopy(value)
    if key in ("step", "mu_product", "eta", "mu"):
        return int(value.item()) if key == "step" else float(value.item())
    return value.detach().clone().to(device=p.device, dtype=p.dtype if p.is_floating_point() else value.dtype)


def _with_hooks(step):
    def name(self):
        return f"Optimizer.step#{type(self).__name__}.step"

    @functools.wraps(step)
    def wrapper(self, *args, **kwargs):
        args = (self, *args)  # hooks see it, too, as PyTorch's do
        if self._step_pre_hooks or _all_step_pre_hooks:
            for hook in (*_all_step_pre_hooks.values(), *self._step_pre_hooks.values()):
                result = hook(self, args, kwargs)
                if result is not None:
                    if not (isinstance(result, tuple) and len(result) == 2):
                        raise RuntimeError(f"{step} must return None or a tuple of (new_args, new_kwargs), but got {result}.")
                    args, kwargs = result
        _C._profile_enter(name(self), self)
        role = _C._set_memory_role(_OPTIMIZER)
        try:
            out = step(*args, **kwargs)
        finally:
            _C._set_memory_role(role)
            _C._profile_exit(self)
        if self._step_post_hooks or _all_step_post_hooks:
            for hook in (*self._step_post_hooks.values(), *_all_step_post_hooks.values()):
                hook(self, args, kwargs)
        return out
    return wrapper


def check(**ranges):
    """ValueError unless every value is at least 0: check(lr=("learning rate", lr))."""
    for what, value in ranges.values():
        if not 0.0 <= value:
            raise ValueError(f"Invalid {what}: {value}")


def zeros_like(p):
    """A state tensor laid out as its parameter."""
    state = _C.zeros_like(p.detach())
    _C._own_with(state, p, _OPTIMIZER)
    return state
