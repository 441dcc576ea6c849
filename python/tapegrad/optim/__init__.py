"""Optimisers. The step itself is one C++ call over all parameters of a group; the rarer ones are read in when first asked for."""
import sys

from .._ops import lazy
from . import adam, adaptive, lr_scheduler  # noqa: F401
from .adam import Adam, Adamax, AdamW, NAdam, RAdam  # noqa: F401
from .adaptive import Adadelta, Adagrad, RMSprop  # noqa: F401
from .optimizer import Optimizer  # noqa: F401
from .sgd import SGD  # noqa: F401

__getattr__, __dir__ = lazy(globals(), {
    "lbfgs": ["LBFGS"], "steps": ["ASGD", "Adafactor", "Muon", "Rprop", "SparseAdam"], "swa_utils": []})
for _file, _names in ((adam, ("adamax", "adamw", "nadam", "radam")), (adaptive, ("adadelta", "adagrad", "rmsprop"))):
    sys.modules.update({f"{__name__}.{name}": _file for name in _names})  # PyTorch has a file for each
