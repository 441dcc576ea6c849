"""state_dict and load_state_dict of modules."""
from collections import OrderedDict, namedtuple

from .. import _C
from .hooks import HookDict

_IncompatibleKeys = namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])
_EXTRA = "_extra_state"


class IncompatibleKeys(_IncompatibleKeys):
    """What load_state_dict(strict=False) could not match."""
    __slots__ = ()

    def __repr__(self):
        return "<All keys matched successfully>" if not self.missing_keys and not self.unexpected_keys else super().__repr__()

    __str__ = __repr__


class StateMixin:
    """The part of Module that saves and loads."""

    _version = 1
    _state_dict_pre_hooks = _state_dict_hooks = _load_state_dict_pre_hooks = _load_state_dict_post_hooks = None

    def get_extra_state(self):
        """Extra state to keep in state_dict, under the key "_extra_state". Define it together with set_extra_state."""
        raise RuntimeError("Reached a code path in Module.get_extra_state() that should never be called.")

    def set_extra_state(self, state):
        """Gets back what get_extra_state returned."""
        raise RuntimeError("Reached a code path in Module.set_extra_state() that should never be called.")

    def _has_extra_state(self):
        return type(self).get_extra_state is not StateMixin.get_extra_state

    def _state_hooks(self, kind, hook):
        hooks = getattr(self, kind)
        if hooks is None:
            hooks = HookDict()
            object.__setattr__(self, kind, hooks)
        return hooks.add(hook)

    def register_state_dict_pre_hook(self, hook):
        """`hook(module, prefix, keep_vars)` runs before the module's entries are written."""
        return self._state_hooks("_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook):
        """`hook(module, state_dict, prefix, local_metadata)` runs after the module's entries were written and may change them."""
        return self._state_hooks("_state_dict_hooks", hook)

    def _register_state_dict_hook(self, hook):
        return self._state_hooks("_state_dict_hooks", hook)

    def register_load_state_dict_pre_hook(self, hook):
        """`hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)` runs before loading."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        return self._state_hooks("_load_state_dict_pre_hooks", (hook, with_module))

    def register_load_state_dict_post_hook(self, hook):
        """`hook(module, incompatible_keys)` runs after loading and may empty the lists it is given."""
        return self._state_hooks("_load_state_dict_post_hooks", hook)

    # ---- saving

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        """Parameters and persistent buffers by dotted name.

        The values share memory with the module (`keep_vars=False`: detached).
        """
        for name, value in zip(("destination", "prefix", "keep_vars"), args):
            if name == "destination":
                destination = value
            elif name == "prefix":
                prefix = value
            else:
                keep_vars = value
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = dict(version=self._version)
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in (self._state_dict_pre_hooks or {}).values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=prefix + name + ".", keep_vars=keep_vars)
        for hook in (self._state_dict_hooks or {}).values():
            result = hook(self, destination, prefix, metadata)
            if result is not None:
                destination = result
        return destination

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        for name, value in self._saved_members():
            if value is not None:
                destination[prefix + name] = value if keep_vars else value.detach()
        if self._has_extra_state():
            destination[prefix + _EXTRA] = self.get_extra_state()

    def _saved_members(self):
        yield from self._parameters.items()
        for name, value in self._buffers.items():
            if name not in self._non_persistent_buffers_set:
                yield name, value

    # ---- loading

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copies parameters and buffers from `state_dict` into this module and its children.

        Args:
            state_dict: mapping from dotted name to tensor.
            strict: names must match exactly, else RuntimeError lists all that is missing, unexpected or of another size.
            assign: put the tensors themselves in place instead of copying their values.
        Returns the named tuple (missing_keys, unexpected_keys).
        """
        if not hasattr(state_dict, "keys"):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing, unexpected, errors = [], [], []
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)
        if metadata is not None:
            state_dict._metadata = metadata

        def load(module, local, prefix):
            local_metadata = {} if metadata is None else dict(metadata.get(prefix[:-1], {}))
            if assign:
                local_metadata["assign_to_params_buffers"] = True
            module._load_from_state_dict(local, prefix, local_metadata, True, missing, unexpected, errors)
            for name, child in module._modules.items():
                if child is not None:
                    child_prefix = prefix + name + "."
                    load(child, {k: v for k, v in local.items() if k.startswith(child_prefix)}, child_prefix)
            incompatible = IncompatibleKeys(missing, unexpected)
            for hook in (module._load_state_dict_post_hooks or {}).values():
                if hook(module, incompatible) is not None:
                    raise AssertionError("Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new "
                                         "values, if incompatible_keys need to be modified, it should be done inplace.")

        load(self, state_dict, "")
        if strict:
            if unexpected:
                errors.insert(0, "Unexpected key(s) in state_dict: {}. ".format(", ".join(f'"{k}"' for k in unexpected)))
            if missing:
                errors.insert(0, "Missing key(s) in state_dict: {}. ".format(", ".join(f'"{k}"' for k in missing)))
        if errors:
            raise RuntimeError("Error(s) in loading state_dict for {}:\n\t{}".format(type(self).__name__, "\n\t".join(errors)))
        return IncompatibleKeys(missing, unexpected)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
        for hook, with_module in (self._load_state_dict_pre_hooks or {}).values():
            hook(*([self] if with_module else []), state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = local_metadata.get("assign_to_params_buffers", False)
        members = {name: value for name, value in self._saved_members() if value is not None}
        for name, current in members.items():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            value = state_dict[key]
            if not isinstance(value, _C.Tensor):
                error_msgs.append(f'While copying the parameter named "{key}", expected tapegrad.Tensor or Tensor-like object from '
                                  f'checkpoint but received {type(value)}')
            elif current.dim() == 0 and tuple(value.shape) == (1,):  # checkpoints from before 0-d tensors
                self._take_state(name, current, value[0], assign)
            elif tuple(value.shape) != tuple(current.shape):
                error_msgs.append(f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, the shape in "
                                  f"current model is {current.shape}.")
            else:
                self._take_state(name, current, value, assign)
        extra = prefix + _EXTRA
        if self._has_extra_state():
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif extra in state_dict and strict:
            unexpected_keys.append(extra)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra:
                    name, dot, _ = key[len(prefix):].partition(".")
                    if (name not in self._modules if dot else name not in members):
                        unexpected_keys.append(key)

    def _take_state(self, name, current, value, assign):
        if not assign:
            with _C.no_grad():
                current.copy_(value)
        elif name in self._parameters:
            from .parameter import Parameter
            keep = isinstance(value, Parameter) and value.requires_grad == current.requires_grad
            self._parameters[name] = value if keep else Parameter(value, current.requires_grad)
        else:
            self._buffers[name] = value
