"""Mixed precision. On a GPU's behalf it switches itself off with a warning, as PyTorch without CUDA; on the CPU it is not implemented."""
import contextlib
import warnings


class autocast(contextlib.ContextDecorator):
    """autocast("cuda") warns and does nothing here; autocast("cpu") needs enabled=False, else NotImplementedError."""

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        if enabled and device_type == "cuda":
            warnings.warn("User provided device_type of 'cuda', but CUDA is not available. Disabling", stacklevel=2)
        elif enabled:
            raise NotImplementedError("amp.autocast is not implemented on the CPU; convert the model with .bfloat16(), or pass "
                                      "enabled=False")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None


class GradScaler:
    """Scales losses for float16 on a GPU; there is none, so it warns and passes everything through."""

    def __init__(self, device="cuda", init_scale=2.0 ** 16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True):
        if enabled:
            warnings.warn("GradScaler is enabled, but CUDA is not available.  Disabling.", stacklevel=2)

    def scale(self, outputs):
        """The outputs, unscaled."""
        return outputs

    def unscale_(self, optimizer):
        """Nothing to undo."""

    def step(self, optimizer, *args, **kwargs):
        """optimizer.step()."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale=None):
        """Nothing to update."""

    def get_scale(self):
        """1."""
        return 1.0

    def is_enabled(self):
        """False."""
        return False

    def state_dict(self):
        """Empty."""
        return {}

    def load_state_dict(self, state_dict):
        """Nothing to load."""
