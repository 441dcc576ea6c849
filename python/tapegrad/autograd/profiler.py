"""The old place of the profiler: `record_function` and `profile(enabled)`."""
from .. import profiler as _new
from ..profiler import record_function

__all__ = ["profile", "record_function"]


class profile(_new.profile):
    """profiler.profile that can be switched off; as a context it gives itself, or None when off."""

    def __init__(self, enabled=True, *, use_cuda=False, use_device=None, record_shapes=False, with_flops=False, profile_memory=False,
                 with_stack=False, with_modules=False, use_kineto=False, use_cpu=True, experimental_config=None, acc_events=False,
                 custom_trace_id_callback=None):
        super().__init__(record_shapes=record_shapes, profile_memory=profile_memory, with_stack=with_stack, acc_events=acc_events,
                         custom_trace_id_callback=custom_trace_id_callback)
        self.enabled = enabled

    def __enter__(self):
        return super().__enter__() if self.enabled else None

    def __exit__(self, *exc):
        if self.enabled:
            super().__exit__(*exc)

    function_events = property(lambda self: self.events())

    @property
    def self_cpu_time_total(self):
        """Of all events, in microseconds."""
        return self.events().self_cpu_time_total

    def table(self, *args, **options):
        """The table of all events."""
        return self.events().table(*args, **options)

    def total_average(self):
        """All events together."""
        return self.events().total_average()
