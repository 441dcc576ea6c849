"""The names under which PyTorch programs also reach the layers: nn.modules.Linear, nn.modules.batchnorm._BatchNorm.

Each PyTorch submodule is an alias of the file (or files) with its classes, so `from tapegrad.nn.modules.conv import _ConvNd` works, too.
"""
import sys
import types

from . import hooks, losses, module, tuples  # noqa: F401
from .hooks import *  # noqa: F401,F403
from .layers import *  # noqa: F401,F403
from .layers import (activation, adaptive, container, conv, dropout, lazy, linear, norm, padding, pooling, recurrent, shape,  # noqa: F401
                     transformer, unpooling)
from .losses import *  # noqa: F401,F403
from .module import Module  # noqa: F401
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter  # noqa: F401
from .tuples import consume_prefix_in_state_dict_if_present  # noqa: F401

_FILES = {"activation": [activation, transformer], "adaptive": [adaptive], "batchnorm": [norm], "channelshuffle": [shape],
          "container": [container], "conv": [conv], "distance": [linear], "dropout": [dropout], "flatten": [shape], "fold": [pooling],
          "instancenorm": [norm], "lazy": [lazy], "linear": [linear], "loss": [losses], "module": [module], "normalization": [norm],
          "padding": [padding], "pixelshuffle": [shape], "pooling": [pooling, unpooling], "rnn": [recurrent], "sparse": [linear],
          "transformer": [transformer], "upsampling": [shape], "utils": [tuples]}


def _joined(name, files):
    if len(files) == 1:
        return files[0]
    out = types.ModuleType(f"{__name__}.{name}", files[0].__doc__)
    for file in reversed(files):
        out.__dict__.update({k: v for k, v in vars(file).items() if not k.startswith("__")})
    return out


for _name, _files in _FILES.items():
    sys.modules[f"{__name__}.{_name}"] = globals()[_name] = _joined(_name, _files)
