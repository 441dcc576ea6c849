"""ASGD, Rprop, Adafactor and Muon: optimisers written with tensor operations, one parameter at a time."""
import math

from .. import _C
from ..dtypes import finfo
from .optimizer import Optimizer, check, zeros_like

__all__ = ["ASGD", "Rprop", "Adafactor", "Muon", "SparseAdam"]


class _EachParameter(Optimizer):
    """step() calls `_update(group, p, grad, state)` without recording, which gives what to write, as pairs of a tensor and its new values,
    and the state's new numbers. Nothing of a group is written before all of it is computed, so a step that finds no memory may be tried
    again. The state starts as `_init_state` says, with a count of steps."""
    _counts = True

    def step(self, closure=None):
        """One update; returns the closure's loss."""
        loss = self._run_closure(closure)
        with _C.no_grad():
            for group in self.param_groups:
                steps = []
                for p, g, state in zip(*self._with_grad(group)):
                    if not state:
                        state.update({**({"step": 0} if self._counts else {}), **self._init_state(group, p)})
                    writes, numbers = self._update(group, p, -g if group.get("maximize") else g, state)
                    steps.append((writes, state, {**numbers, "step": state["step"] + 1} if self._counts else numbers))
                for writes, state, numbers in steps:
                    for tensor, values in writes:
                        tensor.copy_(values)
                    state.update(numbers)
        return loss


class ASGD(_EachParameter):
    """Averaged stochastic gradient descent (Polyak & Juditsky 1992): p -= eta * (grad + lambd * p), eta = lr / (1 + lambd * lr * t)^alpha;
    state "ax" is the mean of p over the steps after t0."""

    def __init__(self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None, maximize=False, differentiable=False,
                 capturable=False):
        check(lr=("learning rate", lr), decay=("weight_decay value", weight_decay))
        super().__init__(params, dict(lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
                                      differentiable=differentiable, capturable=capturable))

    def _init_state(self, group, p):
        return {"eta": float(group["lr"]), "mu": 1.0, "ax": zeros_like(p)}

    def _update(self, group, p, grad, state):
        lr, t, eta, mu, ax = float(group["lr"]), state["step"] + 1, state["eta"], state["mu"], state["ax"]
        if group["weight_decay"] != 0:
            grad = grad.add(p, alpha=group["weight_decay"])
        to = p.mul(1 - group["lambd"] * eta).add_(grad, alpha=-eta)
        numbers = {"eta": lr / (1 + group["lambd"] * lr * t) ** group["alpha"], "mu": 1 / max(1, t - group["t0"])}
        return [(p, to), (ax, to if mu == 1 else ax.lerp(to, mu))], numbers


class Rprop(_EachParameter):
    """Resilient backpropagation (Riedmiller & Braun 1993): only the gradient's sign counts. A step size of each element's own grows by
    etas[1] while the sign stays, and shrinks by etas[0] when it turns, within step_sizes; then that element rests for one step."""

    def __init__(self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False, foreach=None, maximize=False,
                 differentiable=False):
        check(lr=("learning rate", lr))
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, dict(lr=lr, etas=etas, step_sizes=step_sizes, foreach=foreach, maximize=maximize,
                                      differentiable=differentiable, capturable=capturable))

    def _init_state(self, group, p):
        return {"prev": zeros_like(p), "step_size": zeros_like(p).fill_(float(group["lr"]))}

    def _update(self, group, p, grad, state):
        shrink, grow = group["etas"]
        turned = grad * state["prev"]
        factor = _C.ones_like(turned).masked_fill_(turned > 0, grow).masked_fill_(turned < 0, shrink)
        size = (state["step_size"] * factor).clamp_(*group["step_sizes"])
        grad = grad.masked_fill(turned < 0, 0.0)
        return [(p, p.addcmul(grad.sign(), size, value=-1)), (state["step_size"], size), (state["prev"], grad)], {}


class Adafactor(_EachParameter):
    """Adam's second moments as row and column means (Shazeer & Stern 2018), so a matrix needs the memory of a row and a column only.

    The step is min(lr, 1 / sqrt(t)) * max(eps[1], rms(p)), the update is clipped to an rms of d, and the running mean's decay is
    1 - t^beta2_decay. eps[0]=None: the dtype's epsilon.
    """

    def __init__(self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, *, foreach=None, maximize=False):
        at_least_0 = {"Learning rate": lr, "-beta2_decay": -beta2_decay, "epsilon1": eps[0] or 0.0, "epsilon2": eps[1],
                      "weight_decay": weight_decay}
        for name, value in at_least_0.items():
            if not value >= 0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if not d >= 1:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        super().__init__(params, dict(lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay, foreach=foreach,
                                      maximize=maximize))

    def _init_state(self, group, p):
        if p.dim() < 2:
            return {"variance": zeros_like(p)}
        like = dict(dtype=p.dtype, device=p.device)
        return {"row_var": _C.zeros((*p.shape[:-1], 1), **like), "col_var": _C.zeros((*p.shape[:-2], 1, p.shape[-1]), **like)}

    def _update(self, group, p, grad, state):
        lr, t, (eps1, eps2) = float(group["lr"]), state["step"] + 1, group["eps"]
        eps1 = finfo(p.dtype).eps if eps1 is None else eps1
        weight, size = t ** group["beta2_decay"], max(1, p.numel()) ** 0.5
        alpha = min(lr, 1 / t ** 0.5) * max(eps2, p.norm(2).item() / size)
        squares = grad.square()
        if p.dim() < 2:
            variance = state["variance"].lerp(squares, weight)
            writes = [(state["variance"], variance)]
        else:
            rows = state["row_var"].lerp(squares.mean(-1, keepdim=True), weight)
            columns = state["col_var"].lerp(squares.mean(-2, keepdim=True), weight)
            variance = rows @ columns / rows.mean(-2, keepdim=True).clamp(min=eps1)
            writes = [(state["row_var"], rows), (state["col_var"], columns)]
        update = variance.clamp(min=eps1 * eps1).rsqrt() * grad
        decayed = p * (1 - lr * group["weight_decay"]) if group["weight_decay"] != 0 else p
        return [(p, decayed.add(update, alpha=-alpha / max(1.0, update.norm(2).item() / (size * group["d"])))), *writes], {}


class Muon(_EachParameter):
    """Momentum, orthogonalised (Jordan 2024): for matrices, p -= lr * U Vᵀ of the momentum's singular value decomposition, nearly, by
    ns_steps of a Newton-Schulz iteration with the polynomial ns_coefficients in bfloat16.

    adjust_lr_fn: "original" scales lr by sqrt(max(1, rows / columns)), "match_rms_adamw" by 0.2 sqrt(max(rows, columns)).
    """
    _counts = False

    def __init__(self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True, ns_coefficients=(3.4445, -4.775, 2.0315), eps=1e-7,
                 ns_steps=5, adjust_lr_fn=None):
        for name, value in (("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        if ns_steps >= 100 or len(ns_coefficients) != 3:
            raise ValueError(f"Muon needs fewer than 100 ns_steps and three ns_coefficients, got {ns_steps} and {ns_coefficients}")
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov,
                                      ns_coefficients=ns_coefficients, eps=eps, ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn))
        for group in self.param_groups:
            for p in group["params"]:
                if p.dim() != 2:
                    raise ValueError(f"Muon only supports 2D parameters whereas we found a parameter with size: {p.shape}")

    def _init_state(self, group, p):
        return {"momentum_buffer": zeros_like(p)}

    def _update(self, group, p, grad, state):
        lr, momentum = float(group["lr"]), group["momentum"]
        buffer = state["momentum_buffer"].lerp(grad, 1 - momentum)
        update = _orthogonal(grad.lerp(buffer, momentum) if group["nesterov"] else buffer, group)
        rows, columns = p.shape
        ratio = 0.2 * math.sqrt(max(rows, columns)) if group["adjust_lr_fn"] == "match_rms_adamw" else math.sqrt(max(1, rows / columns))
        to = p.mul(1 - lr * group["weight_decay"]).add_(update.to(p.dtype), alpha=-lr * ratio)
        return [(p, to), (state["momentum_buffer"], buffer)], {}


def _orthogonal(x, group):
    """x with singular values near 1: X <- a X + (b A + c A²) X with A = X Xᵀ, wide matrices only, so tall ones are turned."""
    a, b, c = group["ns_coefficients"]
    tall = x.shape[0] > x.shape[1]
    x = (x.T if tall else x).to(_C.bfloat16)
    x = x / x.norm().clamp(min=group["eps"])
    for _ in range(group["ns_steps"]):
        gram = x @ x.T
        x = _C.addmm(x, _C.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


class SparseAdam(Optimizer):
    """Adam for sparse gradients; there are none here, so it refuses."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
        raise NotImplementedError("SparseAdam: sparse tensors are not implemented; use Adam with dense gradients")
