"""RMSprop, Adagrad, Adadelta: step sizes from running or total squares of the gradient."""
from .. import _C
from .adam import _Adaptive, _list
from .optimizer import check, zeros_like

__all__ = ["RMSprop", "Adagrad", "Adadelta"]

class RMSprop(_Adaptive):
    """p -= lr * grad / (sqrt(v) + eps), v the running mean (alpha) of the squares; centered subtracts the squared mean; with momentum the
    quotient goes through a buffer."""

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, capturable=False, foreach=None,
                 maximize=False, differentiable=False):
        check(lr=("learning rate", lr), eps=("epsilon value", eps), momentum=("momentum value", momentum),
              decay=("weight_decay value", weight_decay), alpha=("alpha value", alpha))
        super().__init__(params, dict(lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered, weight_decay=weight_decay,
                                      capturable=capturable, foreach=foreach, maximize=maximize, differentiable=differentiable))

    def _init_state(self, group, p):
        state = {"square_avg": zeros_like(p)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = zeros_like(p)
        return state

    def _update(self, group, params, grads, states, step):
        _C._rmsprop_step(params, grads, _list(states, "square_avg"), _list(states, "grad_avg") if group["centered"] else [],
                      _list(states, "momentum_buffer") if group["momentum"] > 0 else [], float(group["lr"]), float(group["alpha"]),
                      float(group["eps"]), float(group["weight_decay"]), float(group["momentum"]), group["maximize"])


class Adagrad(_Adaptive):
    """p -= lr / (1 + (t - 1) * lr_decay) * grad / (sqrt(sum of squares) + eps)."""

    def __init__(self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, foreach=None, *, maximize=False,
                 differentiable=False, fused=None):
        check(lr=("learning rate", lr), decay=("lr_decay value", lr_decay), weight=("weight_decay value", weight_decay),
              start=("initial_accumulator_value value", initial_accumulator_value), eps=("epsilon value", eps))
        super().__init__(params, dict(lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay,
                                      initial_accumulator_value=initial_accumulator_value, foreach=foreach, maximize=maximize,
                                      differentiable=differentiable, fused=fused))
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = {"step": 0, **self._init_state(group, p)}

    def _init_state(self, group, p):
        return {"sum": zeros_like(p).fill_(group["initial_accumulator_value"])}

    def _update(self, group, params, grads, states, step):
        lr = float(group["lr"]) / (1 + (step - 1) * group["lr_decay"])
        _C._adagrad_step(params, grads, _list(states, "sum"), lr, float(group["eps"]), float(group["weight_decay"]), group["maximize"])


class Adadelta(_Adaptive):
    """Steps sized by the ratio of the running means (rho) of squared updates and squared gradients."""

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *, capturable=False, maximize=False,
                 differentiable=False):
        check(lr=("learning rate", lr), eps=("epsilon value", eps), decay=("weight_decay value", weight_decay))
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        super().__init__(params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize, capturable=capturable,
                                      foreach=foreach, differentiable=differentiable))

    def _init_state(self, group, p):
        return {"square_avg": zeros_like(p), "acc_delta": zeros_like(p)}

    def _update(self, group, params, grads, states, step):
        _C._adadelta_step(params, grads, _list(states, "square_avg"), _list(states, "acc_delta"), float(group["lr"]), float(group["rho"]),
                       float(group["eps"]), float(group["weight_decay"]), group["maximize"])
