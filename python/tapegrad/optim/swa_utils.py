"""Averages of models over training: stochastic weight averaging (Izmailov et al. 2018) and exponential moving averages."""
import copy
import itertools
import math

from .. import _C
from ..nn.layers.norm import _BatchNorm
from ..nn.module import Module
from .lr_scheduler import LRScheduler

__all__ = ["AveragedModel", "update_bn", "SWALR", "get_ema_multi_avg_fn", "get_swa_multi_avg_fn", "get_ema_avg_fn", "get_swa_avg_fn"]


def get_ema_avg_fn(decay=0.999):
    """avg_fn for AveragedModel: decay * average + (1 - decay) * current."""
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")

    def ema(ema_param, current_param, num_averaged):
        with _C.no_grad():
            return decay * ema_param + (1 - decay) * current_param
    return ema


def get_swa_avg_fn():
    """avg_fn for AveragedModel: the mean of all models seen."""
    def swa(averaged_param, current_param, num_averaged):
        with _C.no_grad():
            return averaged_param + (current_param - averaged_param) / (num_averaged + 1)
    return swa


def _for_lists(average):
    def update(averaged_params, current_params, num_averaged):
        with _C.no_grad():
            for a, p in zip(averaged_params, current_params):
                a.copy_(average(a, p, num_averaged))
    return update


def get_ema_multi_avg_fn(decay=0.999):
    """multi_avg_fn for AveragedModel: get_ema_avg_fn of lists of tensors, in place."""
    return _for_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn():
    """multi_avg_fn for AveragedModel: get_swa_avg_fn of lists of tensors, in place."""
    return _for_lists(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of `model` whose parameters are averages: call update_parameters(model) after each step (or epoch) that counts.

    avg_fn(average, current, count) gives one average, multi_avg_fn changes lists of averages in place; by default the mean.
    use_buffers averages the buffers, too; else they are copied.
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", _C.zeros((), dtype=_C.int64, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    def update_parameters(self, model):
        """Takes the model's parameters into the averages; the first call copies them."""
        def tensors(m):
            return [t.detach() for t in (itertools.chain(m.parameters(), m.buffers()) if self.use_buffers else m.parameters())]
        with _C.no_grad():
            averages = tensors(self.module)
            current = [t.to(a.device) for a, t in zip(averages, tensors(model))]
            if self.n_averaged == 0:
                for a, t in zip(averages, current):
                    a.copy_(t)
            elif self.avg_fn is None:
                (self.multi_avg_fn or get_swa_multi_avg_fn())(averages, current, self.n_averaged)
            else:
                for a, t in zip(averages, current):
                    a.copy_(self.avg_fn(a, t, self.n_averaged))
            if not self.use_buffers:
                for a, b in zip(self.module.buffers(), model.buffers()):
                    a.copy_(b)
            self.n_averaged += 1


def update_bn(loader, model, device=None):
    """Makes the running statistics of all batch norms anew: the mean over one pass through `loader`, whose items are inputs or tuples
    that begin with them."""
    norms = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not norms:
        return
    was_training = model.training
    model.train()
    for m in norms:
        m.reset_running_stats()
        m.momentum = None  # the mean over all batches
    try:
        with _C.no_grad():
            for batch in loader:
                batch = batch[0] if isinstance(batch, (list, tuple)) else batch
                model(batch if device is None else batch.to(device))
    finally:
        for m, momentum in norms.items():
            m.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """Goes from the rates at its start to swa_lr (one, or one for each group) within anneal_epochs, and stays there."""

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        groups = optimizer.param_groups
        rates = list(swa_lr) if isinstance(swa_lr, (list, tuple)) else [swa_lr] * len(groups)
        if len(rates) != len(groups):
            raise ValueError(f"swa_lr must have the same length as optimizer.param_groups, {len(groups)}, got {len(rates)}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        for group, rate in zip(groups, rates):
            group["swa_lr"] = rate
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step):
        """How much of swa_lr there is in the rate after `step` steps."""
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self):
        """The rates for `last_epoch`: out of the present rate and its share come the rate at the start, and the next one."""
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        out = []
        for group, lr in zip(self.optimizer.param_groups, self._rates()):
            swa_lr = group["swa_lr"]
            start = swa_lr if before == 1 else (lr - before * swa_lr) / (1 - before)
            out.append(swa_lr * now + start * (1 - now))
        return out
