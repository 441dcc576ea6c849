"""GradScaler: losses times a large number, so that float16 gradients do not vanish; steps whose gradients overflow are left out."""
import warnings
from collections import defaultdict
from enum import Enum

from .. import _C

__all__ = ["GradScaler", "OptState"]


class OptState(Enum):
    """What has happened to an optimizer since the last update()."""
    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _fresh():
    return {"stage": OptState.READY, "found_inf": None}


def _amp_foreach_non_finite_check_and_unscale_(grads, found_inf, inv_scale):
    """Multiplies the gradients by inv_scale in place; found_inf becomes 1 when one of them holds inf or nan."""
    with _C.no_grad():
        if found_inf.is_cuda and _C._cuda.unscale(list(grads), found_inf, inv_scale):
            return
        for g in grads:
            if g.is_cuda:  # nobody waits for the device here
                found_inf.copy_(_C.functions["maximum"](found_inf, g.isfinite().logical_not().any().to(found_inf.dtype)))
            elif not g.isfinite().all():
                found_inf.fill_(1.0)
            g.mul_(inv_scale.to(g.dtype) if g.dtype == _C.float64 else inv_scale)


class GradScaler:
    """scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()

    Args:
        device: "cuda", which without a GPU warns and disables itself, or "cpu".
        init_scale: the first factor. growth_factor: what it is multiplied by after growth_interval steps without inf or nan.
        backoff_factor: what it is multiplied by after a step with them, which is left out.
        enabled: False lets everything through as it is.
    """

    def __init__(self, device="cuda", init_scale=2.0 ** 16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True):
        self._device, self._enabled = device, bool(enabled)
        if self._enabled and device != "cpu" and _C._cuda.why_not():
            warnings.warn(f"GradScaler({device!r}) is enabled, but CUDA is not available.  Disabling.", stacklevel=2)
            self._enabled = False
        if not self._enabled:
            return
        if growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._init_scale, self._growth_factor, self._backoff_factor = init_scale, growth_factor, backoff_factor
        self._growth_interval, self._init_growth_tracker, self._growth_tracker = growth_interval, 0, 0
        self._scale, self._optimizers = None, defaultdict(_fresh)

    def _need_scale(self, who):
        if self._scale is None:
            raise AssertionError(f"Attempted {who} but _scale is None.  This may indicate your script did not use scaler.scale(loss or "
                                 "outputs) earlier in the iteration.")

    def _start(self, device):
        if self._scale is None:
            self._scale = _C.functions["full"]((), float(self._init_scale), dtype=_C.float32, device=device)
            self._growth_tracker = self._init_growth_tracker

    def scale(self, outputs):
        """The tensor, or the tensors of an iterable, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, _C.Tensor):
            self._start(outputs.device)
            return outputs * self._scale.to(outputs.dtype) if outputs.is_floating_point() and outputs.dim() == 0 else outputs * self._scale
        if isinstance(outputs, (list, tuple)):
            return type(outputs)(map(self.scale, outputs))
        if hasattr(outputs, "__iter__"):
            return map(self.scale, outputs)
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer):
        """Divides the optimizer's gradients by the scale, for clipping before step(). Once between two updates."""
        if not self._enabled:
            return
        self._need_scale("unscale_")
        state = self._optimizers[id(optimizer)]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if any(g.dtype == _C.float16 for g in grads):
            raise ValueError("Attempting to unscale FP16 gradients.")
        found = self._scale.new_zeros(())
        _amp_foreach_non_finite_check_and_unscale_(grads, found, self._scale.double().reciprocal().float())
        state["found_inf"] = bool(found) if grads else None
        state["stage"] = OptState.UNSCALED

    def step(self, optimizer, *args, **kwargs):
        """unscale_() if that has not been done, and optimizer.step() unless a gradient has inf or nan. What step() returned, or None."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._need_scale("step")
        state = self._optimizers[id(optimizer)]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if state["stage"] is OptState.READY:
            self.unscale_(optimizer)
        if state["found_inf"] is None:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        result = None if state["found_inf"] else optimizer.step(*args, **kwargs)
        state["stage"] = OptState.STEPPED
        return result

    def update(self, new_scale=None):
        """The scale for the next iteration: smaller after inf or nan, larger after growth_interval good steps, or new_scale."""
        if not self._enabled:
            return
        self._need_scale("update")
        if new_scale is not None:
            self._scale.fill_(new_scale.item() if isinstance(new_scale, _C.Tensor) else float(new_scale))
        else:
            found = [s["found_inf"] for s in self._optimizers.values() if s["found_inf"] is not None]
            if not found:
                raise AssertionError("No inf checks were recorded prior to update.")
            if any(found):
                self._scale.mul_(self._backoff_factor)
                self._growth_tracker = 0
            else:
                self._growth_tracker += 1
                if self._growth_tracker == self._growth_interval:
                    larger = self._scale * self._growth_factor
                    if larger.isfinite():
                        self._scale.copy_(larger)
                    self._growth_tracker = 0
        self._optimizers = defaultdict(_fresh)

    def get_scale(self):
        """The scale as a number; 1 when disabled."""
        if not self._enabled:
            return 1.0
        return float(self._init_scale) if self._scale is None else self._scale.item()

    def is_enabled(self):
        """Does it do anything?"""
        return self._enabled

    def get_growth_factor(self):
        """growth_factor."""
        return self._growth_factor

    def set_growth_factor(self, new_factor):
        """Sets growth_factor."""
        self._growth_factor = new_factor

    def get_backoff_factor(self):
        """backoff_factor."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor):
        """Sets backoff_factor."""
        self._backoff_factor = new_factor

    def get_growth_interval(self):
        """growth_interval."""
        return self._growth_interval

    def set_growth_interval(self, new_interval):
        """Sets growth_interval."""
        self._growth_interval = new_interval

    def _get_growth_tracker(self):
        return self._init_growth_tracker if self._scale is None else self._growth_tracker

    def state_dict(self):
        """scale, factors, interval and the number of good steps; {} when disabled. Call it after update()."""
        if not self._enabled:
            return {}
        return {"scale": self.get_scale(), "growth_factor": self._growth_factor, "backoff_factor": self._backoff_factor,
                "growth_interval": self._growth_interval, "_growth_tracker": self._get_growth_tracker()}

    def load_state_dict(self, state_dict):
        """Restores what state_dict() gave."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler.")
        self._init_scale, self._init_growth_tracker = state_dict["scale"], state_dict["_growth_tracker"]
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        if self._scale is not None:
            self._scale.fill_(self._init_scale)
            self._growth_tracker = self._init_growth_tracker
