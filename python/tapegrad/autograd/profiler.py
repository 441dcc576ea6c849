"""The old place of the profiler: `record_function` and `profile(enabled)`."""
from .. import profiler as _new
from ..profiler import record_function

__all__ = ["profile", "record_function"]


class profile(_new.profile):
    """profiler.profile that can be switched off; as a context it gives itself, or None when off."""

    def __init__(self, enabled=True, *, use_cuda=False, record_shapes=False, profile_memory=False, with_stack=False, **others):
        super().__init__()
        self.enabled = enabled

    def __enter__(self):
        return super().__enter__() if self.enabled else None

    def __exit__(self, *exc):
        if self.enabled:
            super().__exit__(*exc)

    def table(self, **options):
        """key_averages().table()."""
        return self.key_averages().table(**options)

    def total_average(self):
        """All ranges together."""
        return self.key_averages().total_average()
