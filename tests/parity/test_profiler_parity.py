"""profiler: the names, arguments and schedule of PyTorch's."""
import inspect

import pytest
import tapegrad as tg
import torch


@pytest.mark.parametrize("name", ["profile", "record_function", "schedule", "tensorboard_trace_handler", "ProfilerActivity", "ProfilerAction",
                                  "supported_activities"])
def test_names(name):
    assert hasattr(tg.profiler, name) and hasattr(torch.profiler, name)


def test_arguments_of_profile_schedule_and_key_averages():
    for ours, theirs in ((tg.profiler.profile.__init__, torch.profiler.profile.__init__), (tg.profiler.schedule, torch.profiler.schedule),
                         (tg.profiler.profile.key_averages, torch.profiler.profile.key_averages)):
        missing = set(inspect.signature(theirs).parameters) - set(inspect.signature(ours).parameters) - {"post_processing_timeout_s"}
        assert not missing, (ours, missing)


def test_methods_and_attributes():
    def record(lib):
        with lib.profiler.profile(record_shapes=True) as p:
            (lib.ones(4, 4, requires_grad=True) * 2).sum().backward()
        return p
    ours, theirs = record(tg), record(torch)
    rare = {"add_metadata_int", "create_execution_trace"}
    missing = {n for n in dir(theirs) if not n.startswith("_") and inspect.ismethod(getattr(theirs, n)) and not hasattr(ours, n)}
    assert missing - rare - {"prepare_trace", "start_trace", "stop_trace"} == set()
    event, sums = ours.events()[0], ours.key_averages()[0]
    for name in ("name", "key", "count", "cpu_time", "cpu_time_total", "self_cpu_time_total", "cpu_memory_usage", "self_cpu_memory_usage", "input_shapes",
                 "stack", "thread", "id", "time_range", "cpu_parent", "cpu_children", "sequence_nr", "fwd_thread", "is_user_annotation", "is_async",
                 "device_time_total", "self_device_time_total", "cpu_time_total_str"):
        assert hasattr(event, name) and hasattr(theirs.events()[0], name), name
    for name in ("key", "count", "cpu_time", "cpu_time_total", "self_cpu_time_total", "cpu_memory_usage", "input_shapes", "stack"):
        assert hasattr(sums, name) and hasattr(theirs.key_averages()[0], name), name
    for column in ("Name", "Self CPU %", "CPU total", "CPU time avg", "# of Calls"):
        assert column in ours.key_averages().table() and column in theirs.key_averages().table()


def test_schedules_agree():
    for options in (dict(wait=1, warmup=1, active=2, repeat=2), dict(wait=0, warmup=1, active=1), dict(wait=2, warmup=1, active=3, skip_first=4)):
        ours, theirs = tg.profiler.schedule(**options), torch.profiler.schedule(**options)
        assert [ours(i).name for i in range(20)] == [theirs(i).name for i in range(20)]


def test_which_steps_are_traced():
    seen = []  # PyTorch's own run of this crashes now and then, in libkineto; the numbers are what it gave
    with tg.profiler.profile(schedule=tg.profiler.schedule(wait=1, warmup=1, active=2, repeat=2), on_trace_ready=lambda p: seen.append(p.step_num)) as p:
        for _ in range(9):
            tg.ones(2) + 1
            p.step()
    assert seen == [4, 8]
