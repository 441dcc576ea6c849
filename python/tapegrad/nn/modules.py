"""The name under which PyTorch programs also reach the layers: nn.modules.Linear, nn.modules.module.Module."""
from . import hooks, module  # noqa: F401
from .hooks import *  # noqa: F401,F403
from .layers import *  # noqa: F401,F403
from .layers import activation, container, conv, dropout, linear, norm, padding, pooling, transformer  # noqa: F401
from .losses import *  # noqa: F401,F403
from .module import Module  # noqa: F401
