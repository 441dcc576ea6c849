"""Neural networks: Module, layers, losses, initialisation, functional forms."""
from . import attention, functional, init, utils  # noqa: F401
from .layers import *  # noqa: F401,F403
from .losses import *  # noqa: F401,F403
from .module import Module  # noqa: F401
from .parallel import DataParallel  # noqa: F401
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter  # noqa: F401
from . import common_types, modules, parallel  # noqa: F401  (nn.modules.Linear and the like)
from .tuples import factory_kwargs  # noqa: F401
from .._ops import lazy

__getattr__, __dir__ = lazy(globals(), {"grad": []})
