"""L-BFGS, with a line search for the strong Wolfe conditions if wanted."""
from collections import namedtuple

from .. import _C
from .optimizer import Optimizer

__all__ = ["LBFGS"]

# A place on the search line: x + t d, the loss there, its gradient and the gradient's part along d.
_Point = namedtuple("_Point", ["t", "loss", "grad", "slope"])


def _interpolate(a, b, low=None, high=None):
    """The minimum of the cubic through both points' losses and slopes, within [low, high] (else between the points)."""
    if low is None:
        low, high = min(a.t, b.t), max(a.t, b.t)
    if a.t > b.t:
        a, b = b, a
    s = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = s * s - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    root = square ** 0.5
    bottom = b.slope - a.slope + 2 * root
    if bottom == 0:
        return (low + high) / 2
    return min(max(b.t - (b.t - a.t) * (b.slope + root - s) / bottom, low), high)


def _strong_wolfe(evaluate, start, first_t, reach, tolerance, max_evals, c1=1e-4, c2=0.9):
    """(point, evaluations): a step that lowers the loss enough and leaves a small slope (Nocedal & Wright 2006, algorithms 3.5 and 3.6).

    evaluate(t) gives a point, `start` is the one at 0; reach is the largest element of the direction.
    """
    def too_high(p):
        return p.loss > start.loss + c1 * p.t * start.slope

    def flat(p):
        return abs(p.slope) <= -c2 * start.slope

    # Steps out until a minimum is bracketed.
    before, now, rounds, bracket = start, evaluate(first_t), 0, None
    while rounds < max_evals:
        if too_high(now) or (rounds > 1 and now.loss >= before.loss):
            bracket = [before, now]
            break
        if flat(now):
            return now, rounds + 1
        if now.slope >= 0:
            bracket = [before, now]
            break
        t = _interpolate(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10)
        before, now = now, evaluate(t)
        rounds += 1
    evals = rounds + 1
    if bracket is None:
        bracket = [start, now]

    # Narrows the bracket. `stuck`: the last trial was close to an end.
    low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
    stuck = False
    while rounds < max_evals:
        ends = sorted(p.t for p in bracket)
        if (ends[1] - ends[0]) * reach < tolerance:
            break
        t, margin = _interpolate(*bracket), 0.1 * (ends[1] - ends[0])
        if min(ends[1] - t, t - ends[0]) < margin:
            if stuck or t >= ends[1] or t <= ends[0]:
                t = ends[1] - margin if abs(t - ends[1]) < abs(t - ends[0]) else ends[0] + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        now = evaluate(t)
        rounds, evals = rounds + 1, evals + 1
        if too_high(now) or now.loss >= bracket[low].loss:
            bracket[high] = now
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
            continue
        done = flat(now)
        if not done and now.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = now
        if done:
            break
    return bracket[low], evals


class LBFGS(Optimizer):
    """Quasi-Newton steps from the last history_size changes of the gradient (Liu & Nocedal 1989). One group of parameters.

    step(closure) evaluates the closure, which computes the loss and its gradients, up to max_eval times in max_iter iterations.
    line_search_fn: None for steps of lr, or "strong_wolfe".
    """

    def __init__(self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100,
                 line_search_fn=None):
        if not lr >= 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        super().__init__(params, dict(lr=lr, max_iter=max_iter, max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
                                      tolerance_grad=tolerance_grad, tolerance_change=tolerance_change, history_size=history_size,
                                      line_search_fn=line_search_fn))
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def _gradient(self):
        """All gradients as one vector, zeros where there is none."""
        return _C.cat([_C.zeros_like(p).reshape(-1) if p.grad is None else p.grad.reshape(-1) for p in self.param_groups[0]["params"]])

    def _move(self, t, direction):
        at = 0
        for p in self.param_groups[0]["params"]:
            p.add_(direction[at:at + p.numel()].view_as(p), alpha=t)
            at += p.numel()

    def _search(self, closure, t, d, loss, grad, slope, max_evals):
        """Moves the parameters by the step that the line search finds: (loss, gradient, t, evaluations)."""
        params = self.param_groups[0]["params"]
        start = [p.clone() for p in params]

        def evaluate(t):
            self._move(t, d)
            value, g = float(closure()), self._gradient()
            for p, before in zip(params, start):
                p.copy_(before)
            return _Point(t, value, g, float(g.dot(d)))
        found, evals = _strong_wolfe(evaluate, _Point(0.0, loss, grad, slope), t, float(d.abs().max()),
                                     self.param_groups[0]["tolerance_change"], max_evals)
        self._move(found.t, d)
        return found.loss, found.grad, found.t, evals

    def step(self, closure):
        """One step of several iterations; returns the first loss. If it raises, parameters and state are as before."""
        params = self.param_groups[0]["params"]
        with _C.no_grad():
            before = [p.clone() for p in params]
            state = {k: list(v) if isinstance(v, list) else v for k, v in self.state[params[0]].items()}
            try:
                return self._step(lambda: self._run_closure(closure))
            except BaseException:
                for p, values in zip(params, before):
                    p.copy_(values)
                self.state[params[0]] = state
                raise

    def _step(self, closure):
        group = self.param_groups[0]
        lr, max_iter, max_eval = float(group["lr"]), group["max_iter"], group["max_eval"]
        tolerance_grad, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        state = self.state[group["params"][0]]  # one for all; it is kept with the first parameter
        for count in ("func_evals", "n_iter"):
            state.setdefault(count, 0)
        first_loss = closure()
        loss, evals = float(first_loss), 1
        state["func_evals"] += 1
        grad = self._gradient()
        if float(grad.abs().max()) <= tolerance_grad:
            return first_loss
        iteration = 0
        while iteration < max_iter:
            iteration += 1
            state["n_iter"] += 1
            first = state["n_iter"] == 1
            d = self._first_direction(state, grad) if first else self._direction(state, grad, group["history_size"])
            state["d"], state["prev_flat_grad"], state["prev_loss"] = d, grad.clone(), loss
            t = min(1.0, 1.0 / float(grad.abs().sum())) * lr if first else lr
            slope = float(grad.dot(d))
            state["t"] = t
            if slope > -tolerance_change:
                break
            before, count = loss, 0
            if group["line_search_fn"] is not None:
                loss, grad, t, count = self._search(closure, t, d, loss, grad, slope, max_eval - evals)
                state["t"] = t
            else:
                self._move(t, d)
                if iteration != max_iter:
                    loss, grad, count = float(closure()), self._gradient(), 1
            evals += count
            state["func_evals"] += count
            if iteration == max_iter or evals >= max_eval or float(grad.abs().max()) <= tolerance_grad:
                break
            if float(d.abs().max()) * abs(t) <= tolerance_change or abs(loss - before) < tolerance_change:
                break
        return first_loss

    def _first_direction(self, state, grad):
        state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
        return -grad

    def _direction(self, state, grad, history_size):
        """Minus the approximate inverse Hessian times the gradient, by the two loops; takes in the last step first."""
        changes, steps, ro = state["old_dirs"], state["old_stps"], state["ro"]
        change, step = grad - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = float(change.dot(step))
        if curvature > 1e-10:
            if len(changes) == history_size:
                for past in (changes, steps, ro):
                    past.pop(0)
            changes.append(change)
            steps.append(step)
            ro.append(1.0 / curvature)
            state["H_diag"] = curvature / float(change.dot(change))
        d = -grad
        weights = [0.0] * len(changes)
        for i in reversed(range(len(changes))):
            weights[i] = float(steps[i].dot(d)) * float(ro[i])
            d.add_(changes[i], alpha=-weights[i])
        d.mul_(float(state["H_diag"]))
        for i in range(len(changes)):
            d.add_(steps[i], alpha=weights[i] - float(changes[i].dot(d)) * float(ro[i]))
        return d
