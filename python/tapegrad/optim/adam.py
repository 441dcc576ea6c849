"""Adam and its relatives."""
from .. import _C
from .optimizer import Optimizer, check, zeros_like

__all__ = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam"]

def _check_betas(betas):
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


class _Adaptive(Optimizer):
    """Counts steps per parameter and hands parameters with equal counts to one call."""

    def _init_state(self, group, p):
        raise NotImplementedError

    def _update(self, group, params, grads, states, step):
        raise NotImplementedError

    def step(self, closure=None):
        """One update; returns the closure's loss."""
        loss = self._run_closure(closure)
        for group in self.param_groups:
            params, grads, states = self._with_grad(group)
            for p, s in zip(params, states):
                if not s:
                    s.update({"step": 0, **self._init_state(group, p)})
            ages = [s["step"] + 1 for s in states]
            for age in set(ages):
                if ages.count(age) == len(ages):
                    chosen = states
                    self._update(group, params, grads, states, age)
                else:
                    k = [i for i, a in enumerate(ages) if a == age]
                    chosen = [states[i] for i in k]
                    self._update(group, [params[i] for i in k], [grads[i] for i in k], chosen, age)
                for s in chosen:  # only now: a step for which there was no memory may be tried again
                    s["step"] = age
        return loss


def _list(states, name):
    return [s[name] for s in states]


class Adam(_Adaptive):
    """Adam: p -= lr * m / (sqrt(v) + eps), m and v the bias-corrected running means of the gradient and of its square.

    weight_decay is added to the gradient; amsgrad keeps the largest v; decoupled_weight_decay makes it AdamW.
    """
    _decoupled = False

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, foreach=None, maximize=False,
                 capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False):
        check(lr=("learning rate", lr), eps=("epsilon value", eps), decay=("weight_decay value", weight_decay))
        _check_betas(betas)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize,
                                      foreach=foreach, capturable=capturable, differentiable=differentiable, fused=fused,
                                      decoupled_weight_decay=decoupled_weight_decay or self._decoupled))

    def _init_state(self, group, p):
        state = {"exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = zeros_like(p)
        return state

    def _update(self, group, params, grads, states, step):
        beta1, beta2 = group["betas"]
        largest = _list(states, "max_exp_avg_sq") if group["amsgrad"] else []
        _C._adam_step(params, grads, _list(states, "exp_avg"), _list(states, "exp_avg_sq"), largest, float(group["lr"]), float(beta1),
                      float(beta2), float(group["eps"]), float(group["weight_decay"]),
                      self._decoupled or group["decoupled_weight_decay"], group["maximize"], step)


class AdamW(Adam):
    """Adam with decoupled weight decay: p *= 1 - lr * weight_decay before the step."""
    _decoupled = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False, foreach=None,
                 capturable=False, differentiable=False, fused=None):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
                         differentiable=differentiable, fused=fused)


class Adamax(_Adaptive):
    """Adam with the infinity norm: p -= lr / (1 - beta1^t) * m / u, u = max(beta2 * u, |grad| + eps)."""

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *, maximize=False, differentiable=False,
                 capturable=False):
        check(lr=("learning rate", lr), eps=("epsilon value", eps), decay=("weight_decay value", weight_decay))
        _check_betas(betas)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
                                      differentiable=differentiable, capturable=capturable))

    def _init_state(self, group, p):
        return {"exp_avg": zeros_like(p), "exp_inf": zeros_like(p)}

    def _update(self, group, params, grads, states, step):
        beta1, beta2 = group["betas"]
        _C._adamax_step(params, grads, _list(states, "exp_avg"), _list(states, "exp_inf"), float(group["lr"]), float(beta1), float(beta2),
                        float(group["eps"]), float(group["weight_decay"]), group["maximize"], step)


class NAdam(_Adaptive):
    """Adam with Nesterov momentum, whose schedule is governed by momentum_decay."""

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3, decoupled_weight_decay=False, *,
                 foreach=None, maximize=False, capturable=False, differentiable=False):
        check(lr=("learning rate", lr), eps=("epsilon value", eps), decay=("weight_decay value", weight_decay),
              momentum=("momentum_decay value", momentum_decay))
        _check_betas(betas)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay,
                                      decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach,
                                      capturable=capturable, differentiable=differentiable))

    def _init_state(self, group, p):
        return {"mu_product": 1.0, "exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    def _update(self, group, params, grads, states, step):
        beta1, beta2 = group["betas"]
        mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        product = float(states[0]["mu_product"]) * mu
        _C._nadam_step(params, grads, _list(states, "exp_avg"), _list(states, "exp_avg_sq"), float(group["lr"]), float(beta1), float(beta2),
                       float(group["eps"]), float(group["weight_decay"]), group["decoupled_weight_decay"], group["maximize"], mu, mu_next,
                       product, step)
        for s in states:
            s["mu_product"] = float(s["mu_product"]) * mu


class RAdam(_Adaptive):
    """Adam whose adaptive step is rectified, and left out while its variance is unknown."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *, foreach=None,
                 maximize=False, capturable=False, differentiable=False):
        check(lr=("learning rate", lr), eps=("epsilon value", eps), decay=("weight_decay value", weight_decay))
        _check_betas(betas)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize, foreach=foreach,
                                      capturable=capturable, decoupled_weight_decay=decoupled_weight_decay, differentiable=differentiable))

    def _init_state(self, group, p):
        return {"exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    def _update(self, group, params, grads, states, step):
        beta1, beta2 = group["betas"]
        _C._radam_step(params, grads, _list(states, "exp_avg"), _list(states, "exp_avg_sq"), float(group["lr"]), float(beta1), float(beta2),
                       float(group["eps"]), float(group["weight_decay"]), group["decoupled_weight_decay"], group["maximize"], step)
