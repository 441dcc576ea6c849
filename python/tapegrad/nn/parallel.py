"""Wrappers for several devices or processes. With one of each, as here, they only pass everything on to their module."""
import contextlib
import os

from .module import Module

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]


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
