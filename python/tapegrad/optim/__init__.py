"""Optimisers. The step itself is one C++ call over all parameters of a group."""
from . import lr_scheduler, swa_utils  # noqa: F401
from .adam import Adam, Adamax, AdamW, NAdam, RAdam  # noqa: F401
from .adaptive import Adadelta, Adagrad, RMSprop  # noqa: F401
from .lbfgs import LBFGS  # noqa: F401
from .optimizer import Optimizer  # noqa: F401
from .sgd import SGD  # noqa: F401
from .steps import ASGD, Adafactor, Muon, Rprop, SparseAdam  # noqa: F401
