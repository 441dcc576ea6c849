"""Wrappers for several devices or processes. With one of each, as here, they only pass everything on to their module.

scatter, gather, replicate and parallel_apply take "cpu" several times for the devices, to try the pieces; PyTorch's need GPUs.
"""
import contextlib
import os

from .. import _C
from .module import Module

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel", "gather", "parallel_apply", "replicate", "scatter"]


def _devices(devices, who):
    devices = list(devices)
    if not devices or any(_C.device(d).type != "cpu" for d in devices):
        raise RuntimeError(f"{who}: needs CUDA devices, and there are none; got {devices}. 'cpu' may be given several times")
    return devices


def scatter(inputs, target_gpus, dim=0):
    """A tuple with a part of the inputs for each device: tensors are cut along dim, within tuples, lists and dicts too; all else goes to
    each. Small batches make fewer parts."""
    devices = _devices(target_gpus, "scatter")
    if isinstance(inputs, _C.Tensor):
        return inputs.chunk(len(devices), dim)
    if isinstance(inputs, (tuple, list)) and inputs:
        parts = zip(*(scatter(x, devices, dim) for x in inputs))
        return [type(inputs)(*p) if hasattr(inputs, "_fields") else type(inputs)(p) for p in parts]
    if isinstance(inputs, dict) and inputs:
        return [type(inputs)(zip(inputs, p)) for p in zip(*(scatter(x, devices, dim) for x in inputs.values()))]
    return [inputs for _ in devices]


def gather(outputs, target_device, dim=0):
    """The parts joined along dim, within tuples, lists and dicts too; numbers of no dimensions become a vector."""
    _devices([target_device], "gather")
    first = outputs[0]
    if isinstance(first, _C.Tensor):
        return _C.cat([x.unsqueeze(0) if x.dim() == 0 else x for x in outputs], dim)
    if first is None:
        return None
    if isinstance(first, dict):
        if any(set(x) != set(first) for x in outputs):
            raise ValueError("gather: all dicts must have the same keys")
        return type(first)((k, gather([x[k] for x in outputs], target_device, dim)) for k in first)
    joined = [gather(x, target_device, dim) for x in zip(*outputs)]
    return type(first)(*joined) if hasattr(first, "_fields") else type(first)(joined)


def replicate(network, devices, detach=False):
    """The network once for each device: on one device that is the network itself."""
    return [network for _ in _devices(devices, "replicate")]


def parallel_apply(modules, inputs, kwargs_tup=None, devices=None):
    """[module(*input, **kwargs), ...], one after the other."""
    if len(modules) != len(inputs):
        raise AssertionError(f"The number of modules {len(modules)} is not equal to the number of inputs {len(inputs)}")
    kwargs_tup = [{}] * len(modules) if kwargs_tup is None else kwargs_tup
    return [m(*(x if isinstance(x, (tuple, list)) else (x,)), **(k or {})) for m, x, k in zip(modules, inputs, kwargs_tup)]


class DataParallel(Module):
    """Calls `module` as it is, which is what PyTorch's does without GPUs; parameter names begin with "module."."""

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        if device_ids:
            raise RuntimeError("DataParallel: device_ids need CUDA devices, and there are none")
        self.dim, self.module, self.device_ids = dim, module, []

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)


def data_parallel(module, inputs, device_ids=None, output_device=None, dim=0, module_kwargs=None):
    """module(*inputs, **module_kwargs)."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return DataParallel(module, device_ids, output_device, dim)(*inputs, **(module_kwargs or {}))


class DistributedDataParallel(Module):
    """The module of the only process; parameter names begin with "module.". NotImplementedError when WORLD_SIZE says there are more."""

    def __init__(self, module, device_ids=None, output_device=None, dim=0, **options):
        super().__init__()
        size = int(os.environ.get("WORLD_SIZE", 1))
        if size != 1:
            raise NotImplementedError("DistributedDataParallel: there is no communication between processes yet, and WORLD_SIZE is "
                                      f"{size}; run one process, or average gradients yourself")
        if device_ids:
            raise RuntimeError("DistributedDataParallel: device_ids need CUDA devices, and there are none")
        self.dim, self.module, self.device_ids = dim, module, None

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)

    @contextlib.contextmanager
    def no_sync(self):
        """Nothing is synchronised here anyway."""
        yield
