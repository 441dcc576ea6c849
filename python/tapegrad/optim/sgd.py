"""Stochastic gradient descent."""
from .. import _C
from .optimizer import Optimizer, check, zeros_like

__all__ = ["SGD"]

_step = _C._sgd_step


class SGD(Optimizer):
    """p -= lr * d, with d = grad + weight_decay * p, through a momentum buffer b = momentum * b + (1 - dampening) * d.

    nesterov takes d + momentum * b; maximize goes up. `foreach` and `fused` are accepted: the step is always fused.
    """

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False, foreach=None,
                 differentiable=False, fused=None):
        check(lr=("learning rate", lr), momentum=("momentum value", momentum), decay=("weight_decay value", weight_decay))
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov,
                                      maximize=maximize, foreach=foreach, differentiable=differentiable, fused=fused))

    def step(self, closure=None):
        """One update; returns the closure's loss."""
        loss = self._run_closure(closure)
        for group in self.param_groups:
            options = (float(group["lr"]), float(group["momentum"]), float(group["dampening"]), float(group["weight_decay"]),
                       group["nesterov"], group["maximize"])
            if group["momentum"] == 0:
                _step(group["params"], [], [], *options, False)
                continue
            params, grads, states = self._with_grad(group)
            fresh = [s.get("momentum_buffer") is None for s in states]
            for first in {True, False} if any(fresh) else {False}:
                chosen = [k for k, f in enumerate(fresh) if f == first]
                if not chosen:
                    continue
                buffers = [zeros_like(params[k]) if first else states[k]["momentum_buffer"] for k in chosen]
                _step([params[k] for k in chosen], [grads[k] for k in chosen], buffers, *options, first)
                for k, b in zip(chosen, buffers if first else ()):
                    states[k]["momentum_buffer"] = b
        return loss
