"""Checkpoints that C++ and Python share: model, optimizer and some values in one safetensors file.

The same contents give the same bytes as save_checkpoint of tapegrad/io.h. Tensors are named "model.NAME", "optimizer.SLOT.NUMBER",
"optimizer.group.NUMBER.lr" and "values.NAME"; texts are in the metadata.
"""
import re
from collections import OrderedDict

from . import _C, safetensors

__all__ = ["save", "load"]

_VERSION, _TEXT = "tapegrad.checkpoint", "texts."


def save(path, model=None, optimizer=None, **values):
    """Writes a Module's state (or a state dict), an Optimizer's state and what schedules change (rates, momentum; not its other options),
    and values: numbers, texts and tensors. The file is replaced atomically. TypeError for other values."""
    tensors, metadata = {}, {_VERSION: "1"}
    for name, t in (_state(model) or {}).items():
        tensors["model." + name] = t
    optimizer_state = _state(optimizer) or {}
    for number, group in enumerate(optimizer_state.get("param_groups", ())):
        for key, value in _scheduled(group).items():
            tensors[f"optimizer.group.{number}.{key}"] = _tensor(key, value)
    for number, slots in optimizer_state.get("state", {}).items():
        for slot, value in slots.items():
            if value is not None:
                tensors[f"optimizer.{slot}.{number}"] = _tensor(slot, int(value) if slot == "step" else value)
    for name, value in values.items():
        if isinstance(value, str):
            metadata[_TEXT + name] = value
        else:
            tensors["values." + name] = _tensor(name, value)
    safetensors.save_file(tensors, path, dict(sorted(metadata.items())))


def load(path, model=None, optimizer=None):
    """Loads a checkpoint into a Module and an Optimizer, and returns a dict of the values (tensors without dimensions as numbers).
    Without a model or optimizer, the dict has their tensors at "model" and "optimizer"."""
    with safetensors.safe_open(path) as f:
        metadata = f.metadata()
        if metadata.get(_VERSION) != "1":
            raise safetensors.SafetensorError(f"{path} is not a checkpoint of version 1; tapegrad.load reads other files")
        parts = {"model": OrderedDict(), "optimizer": {}, "values": {}}
        for name in sorted(f.keys()):
            part, _, rest = name.partition(".")
            if part not in parts or not rest:
                raise safetensors.SafetensorError(f"{path}: {name!r} belongs to no part of a checkpoint")
            parts[part][rest] = f.get_tensor(name)
    out = {k: v if v.dim() else v.item() for k, v in parts["values"].items()}
    out.update((k.removeprefix(_TEXT), v) for k, v in metadata.items() if k.startswith(_TEXT))
    if model is not None:
        model.load_state_dict(parts["model"])
    elif parts["model"]:
        out["model"] = parts["model"]
    if optimizer is not None:
        _load_optimizer(optimizer, parts["optimizer"])
    elif parts["optimizer"]:
        out["optimizer"] = parts["optimizer"]
    return out


def _state(x):
    return x.state_dict() if hasattr(x, "state_dict") else x


def _scheduled(group):
    """The numbers of a group that schedules change. What is called momentum is beta1 where there are betas."""
    momentum = group["betas"][0] if "betas" in group else group.get("momentum")
    numbers = {"lr": group["lr"], "momentum": momentum, "initial_lr": group.get("initial_lr")}
    return {key: float(v) for key, v in numbers.items() if v is not None}


def _tensor(name, value):
    if isinstance(value, _C.Tensor):
        return value
    if not isinstance(value, (bool, int, float)):
        raise TypeError(f"save: {name} is a {type(value).__name__}; a checkpoint holds tensors, numbers and texts")
    return _C.tensor(value, dtype=_C.float64 if isinstance(value, float) else None)


def _load_optimizer(optimizer, tensors):
    state, groups = {}, optimizer.state_dict()["param_groups"]
    for name, t in tensors.items():
        match = re.fullmatch(r"(?:(\w+)\.(\d+)|group\.(\d+)\.(lr|initial_lr|momentum))", name)
        if not match or (match[3] and int(match[3]) >= len(groups)):
            raise safetensors.SafetensorError(f"{name!r} is no state of this optimizer")
        slot, number, group, key = match.groups()
        if slot:
            state.setdefault(int(number), {})[slot] = t
        elif key == "momentum" and "betas" in groups[int(group)]:
            groups[int(group)]["betas"] = (t.item(), *groups[int(group)]["betas"][1:])
        else:
            groups[int(group)][key] = t.item()
    optimizer.load_state_dict({"state": state, "param_groups": groups})
