"""Checkpoints: a training run in one safetensors file, from which it goes on to the same bit.

C++ and Python share them: the same contents give the same bytes as save_checkpoint of tapegrad/io.h. Tensors are named "model.NAME",
"optimizer.SLOT.NUMBER", "optimizer.group.NUMBER.lr" and "values.NAME"; texts are in the metadata. The states of what only Python has
(scheduler, scaler, loader, random numbers) are texts of their names, in the form of serialization.py; C++ passes them on as they are.
"""
import json
import random
import re
from collections import OrderedDict

from . import _C, creation, cuda, safetensors, serialization

__all__ = ["save", "load"]

_VERSION, _TEXT, _STATES = "tapegrad.checkpoint", "texts.", ("scheduler", "scaler", "loader", "rng")


def save(path, model=None, optimizer=None, *, scheduler=None, scaler=None, loader=None, rng=False, **values):
    """Writes a training run's state. The file is replaced atomically: after a crash or on a full disk it is the old one or the new one.

    Args:
        model: a Module, or a state dict.
        optimizer: its state and what schedules change (rates, momentum; not its other options).
        scheduler, scaler, loader: a schedule, a GradScaler, a DataLoader (its place in the pass), or their state dicts.
        rng: True for the random numbers of tapegrad (CPU and CUDA) and of Python's random.
        values: numbers, texts and tensors. TypeError for others.
    """
    tensors, metadata = {}, {_VERSION: "1"}
    states = {"scheduler": scheduler, "scaler": scaler, "loader": loader, "rng": _RandomStates() if rng else None}
    for name, thing in states.items():
        if thing is not None:
            metadata[_TEXT + name] = json.dumps(serialization._pack(_state(thing), "values." + name, tensors, {}), allow_nan=False)
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


def load(path, model=None, optimizer=None, *, scheduler=None, scaler=None, loader=None, rng=False):
    """Loads a checkpoint into what is given, and returns a dict of the values (tensors without dimensions as numbers).

    For what is not given, the dict has the tensors of "model" and "optimizer" and the state dicts of "scheduler", "scaler" and "loader".
    rng=True sets the random numbers to what they were. SafetensorError where the file lacks what is asked for.
    """
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
    texts = {k.removeprefix(_TEXT): v for k, v in metadata.items() if k.startswith(_TEXT)}
    states = {name: _unpacked(path, name, texts.pop(name), parts["values"]) for name in _STATES if name in texts}
    out = {k: v if v.dim() else v.item() for k, v in parts["values"].items()}
    out.update(texts)
    for name, thing in {"scheduler": scheduler, "scaler": scaler, "loader": loader, "rng": _RandomStates() if rng else None}.items():
        if thing is not None and name not in states:
            raise safetensors.SafetensorError(f"{path} holds no state of the {name}")
        if thing is not None:
            thing.load_state_dict(states[name])
        elif name in states and name != "rng":
            out[name] = states[name]
    if model is not None:
        model.load_state_dict(parts["model"])
    elif parts["model"]:
        out["model"] = parts["model"]
    if optimizer is not None:
        _load_optimizer(optimizer, parts["optimizer"])
    elif parts["optimizer"]:
        out["optimizer"] = parts["optimizer"]
    return out


def _unpacked(path, name, text, values):
    """A state out of its text; its tensors are taken out of the values."""
    own = {k: values.pop(k) for k in list(values) if k.startswith(name + ".")}
    try:
        return serialization._unpack(json.loads(text), {"values." + k: v for k, v in own.items()})
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, RecursionError) as e:
        raise safetensors.SafetensorError(f"{path}: the state of the {name} is not valid: {type(e).__name__}: {e}") from None


class _RandomStates:
    """All random numbers, with the interface of what has a state."""

    def state_dict(self):
        on_gpus = cuda.get_rng_state_all() if cuda.is_available() else []
        return {"cpu": creation.get_rng_state(), "cuda": on_gpus, "python": random.getstate()}

    def load_state_dict(self, state):
        creation.set_rng_state(state["cpu"])
        if state["cuda"] and cuda.is_available():
            cuda.set_rng_state_all(state["cuda"])
        random.setstate(state["python"])


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
