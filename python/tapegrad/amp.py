"""Mixed precision. Only the switched-off forms exist; enabling one raises NotImplementedError."""
import contextlib


class autocast(contextlib.ContextDecorator):
    """autocast(enabled=False) does nothing; enabled it is not implemented on the CPU."""

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        if enabled:
            raise NotImplementedError("amp.autocast is not implemented; convert the model with .bfloat16() or .half(), or pass enabled=False")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None


class GradScaler:
    """GradScaler(enabled=False) passes everything through; enabled it is not implemented."""

    def __init__(self, device="cuda", init_scale=2.0 ** 16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True):
        if enabled:
            raise NotImplementedError("amp.GradScaler is not implemented; pass enabled=False")

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
