"""Special functions under PyTorch's second name for them."""
from . import _C

_NAMES = {"erf": "erf", "erfc": "erfc", "erfinv": "erfinv", "exp2": "exp2", "expm1": "expm1", "log1p": "log1p", "gammaln": "lgamma",
          "digamma": "digamma", "psi": "digamma", "expit": "sigmoid", "logit": "logit", "sinc": "sinc", "round": "round", "xlogy": "xlogy",
          "softmax": "softmax", "log_softmax": "log_softmax", "logsumexp": "logsumexp", "i0": "i0", "polygamma": "polygamma",
          "gammainc": "igamma", "gammaincc": "igammac", "multigammaln": "mvlgamma"}
globals().update({_name: _C.functions[_op] for _name, _op in _NAMES.items()})
globals().update({_name[8:]: _f for _name, _f in _C.functions.items() if _name.startswith("special_")})
__all__ = sorted(_name for _name in globals() if _name[0] != "_")


def __getattr__(name):
    from ._compat import missing
    raise missing(__name__, name)
