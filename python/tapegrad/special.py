"""Special functions under PyTorch's second name for them."""
from . import _C

_NAMES = {"erf": "erf", "erfc": "erfc", "erfinv": "erfinv", "exp2": "exp2", "expm1": "expm1", "log1p": "log1p", "gammaln": "lgamma",
          "digamma": "digamma", "psi": "digamma", "expit": "sigmoid", "logit": "logit", "sinc": "sinc", "round": "round", "xlogy": "xlogy",
          "softmax": "softmax", "log_softmax": "log_softmax", "logsumexp": "logsumexp", "i0": "i0", "ndtri": "ndtri"}
for _name, _op in _NAMES.items():
    if _op in _C.functions:
        globals()[_name] = _C.functions[_op]
