"""DataParallel for programs that wrap their model in it: without several GPUs there is nothing to split."""
from .module import Module

__all__ = ["DataParallel"]


class DataParallel(Module):
    """Calls `module` as it is, which is what PyTorch's does without GPUs; parameter names begin with "module."."""

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        if device_ids:
            raise RuntimeError("DataParallel: device_ids need CUDA devices, and there are none")
        self.dim, self.module, self.device_ids = dim, module, []

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)
