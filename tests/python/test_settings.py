"""Names that ordinary programs touch and that mean little here: switches, compilers, devices, one-process groups, the profiler."""
import json

import pytest
import tapegrad as tg
from tapegrad import nn


def test_switches_remember():
    tg.set_float32_matmul_precision("high")
    assert tg.get_float32_matmul_precision() == "high"
    tg.set_float32_matmul_precision("highest")
    with pytest.raises(RuntimeError):
        tg.set_float32_matmul_precision("fast")
    tg.use_deterministic_algorithms(True, warn_only=True)
    assert tg.are_deterministic_algorithms_enabled() and tg.is_deterministic_algorithms_warn_only_enabled() and tg.get_deterministic_debug_mode() == 1
    tg.set_deterministic_debug_mode("default")
    assert tg.get_deterministic_debug_mode() == 0 and not tg.are_deterministic_algorithms_enabled()
    tg.backends.cudnn.benchmark = True
    with tg.backends.cudnn.flags(benchmark=False, deterministic=True):
        assert not tg.backends.cudnn.benchmark and tg.backends.cudnn.deterministic
    assert tg.backends.cudnn.benchmark and not tg.backends.cudnn.deterministic
    tg.backends.cudnn.benchmark = False
    tg.backends.cuda.matmul.allow_tf32 = False
    with tg.backends.cuda.sdp_kernel(enable_flash=False):
        assert not tg.backends.cuda.flash_sdp_enabled()
    assert tg.backends.cuda.flash_sdp_enabled() and not tg.backends.mps.is_available()
    tg.set_default_device("cpu")
    assert tg.get_default_device() == tg.device("cpu")
    if not tg.cuda.is_available():
        with pytest.raises(RuntimeError, match="CUDA requested but"):
            tg.set_default_device("cuda")
        tg.set_default_device("auto")
        assert tg.get_default_device() == tg.device("cpu")
    assert not tg.accelerator.is_available() and tg.accelerator.current_accelerator() is None
    with pytest.raises(RuntimeError, match="accelerator"):
        tg.accelerator.set_device_index(0)
    tg.cpu.synchronize()
    with tg.cpu.stream(tg.cpu.Stream()):
        pass


def test_compilers_return_what_they_get():
    model = nn.Linear(2, 2)
    assert tg.compile(model, mode="max-autotune") is model and tg.jit.script(model) is model and tg.compiler.disable(model) is model

    @tg.compile(fullgraph=True)
    def f(x):
        return x + 1

    @tg.jit.ignore
    def g(x):
        return x
    assert f(1) == 2 and g(1) == 1 and not tg.jit.is_scripting() and not tg.compiler.is_compiling()
    assert tg.jit.isinstance([1], list[int]) and tg.jit.annotate(int, 3) == 3


def test_a_world_of_one():
    dist = tg.distributed
    assert dist.is_available() and not dist.is_initialized() and not dist.is_nccl_available()
    with pytest.raises(ValueError, match="init_process_group"):
        dist.get_rank()
    with pytest.raises(NotImplementedError, match="4 processes"):
        dist.init_process_group("gloo", world_size=4, rank=0)
    dist.init_process_group("gloo", rank=0, world_size=1)
    try:
        assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "gloo")
        t = tg.arange(3.0)
        assert dist.all_reduce(t, op=dist.ReduceOp.SUM) is None and dist.broadcast(t, 0, async_op=True).wait()
        parts = [tg.empty(3)]
        dist.all_gather(parts, t)
        objects = [None]
        dist.all_gather_object(objects, {"a": 1})
        assert parts[0].tolist() == t.tolist() == [0, 1, 2] and objects == [{"a": 1}]
        with pytest.raises(ValueError, match="twice"):
            dist.init_process_group("gloo")
        with pytest.raises(ValueError, match="rank 1"):
            dist.broadcast(t, src=1)
        with pytest.raises(ValueError, match="no other process"):
            dist.send(t, 1)
    finally:
        dist.destroy_process_group()
    assert not dist.is_initialized()


def test_profiler_keeps_ranges(tmp_path):
    from tapegrad.profiler import ProfilerActivity, profile, record_function, schedule, tensorboard_trace_handler

    @record_function("inner")
    def work():
        return tg.ones(3).sum()
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
        for _ in range(3):
            with record_function("outer"):
                work()
    averages = {r.key: r.count for r in prof.key_averages()}
    assert averages == {"outer": 3, "inner": 3, "ones": 3, "sum": 3} and "outer" in prof.key_averages().table(sort_by="cpu_time_total", row_limit=10)
    prof.export_chrome_trace(tmp_path / "trace.json")
    assert len([e for e in json.loads((tmp_path / "trace.json").read_text())["traceEvents"] if e["ph"] == "X"]) == 12
    plan = schedule(wait=1, warmup=1, active=2, repeat=1)
    assert [plan(i).name for i in range(5)] == ["NONE", "WARMUP", "RECORD", "RECORD_AND_SAVE", "NONE"]
    with profile(schedule=plan, on_trace_ready=tensorboard_trace_handler(str(tmp_path / "log"))) as prof:
        for _ in range(6):
            work()
            prof.step()
    files = list((tmp_path / "log").iterdir())
    names = [e["name"] for e in json.loads(files[0].read_text())["traceEvents"] if e["ph"] == "X"]
    assert len(files) == 1 and names.count("inner") == 2 and names.count("ProfilerStep#2") == 1
    with tg.autograd.profiler.profile(enabled=False) as prof:
        work()
    assert prof is None


def test_make_tensor():
    for dtype in (tg.float32, tg.float64, tg.float16, tg.int64, tg.int8, tg.uint8, tg.bool):
        t = tg.testing.make_tensor(3, 4, dtype=dtype, device="cpu")
        assert t.shape == (3, 4) and t.dtype == dtype and t.abs().max() <= 9 if dtype != tg.bool else True
    t = tg.testing.make_tensor((5, 6), dtype=tg.float32, low=2, high=3, noncontiguous=True, requires_grad=True)
    assert not t.is_contiguous() and t.requires_grad and (t >= 2).all() and (t <= 3).all()
    assert (tg.testing.make_tensor(100, dtype=tg.int64, low=-1, high=2, exclude_zero=True) != 0).all()
    with pytest.raises(ValueError, match="low"):
        tg.testing.make_tensor(3, dtype=tg.int64, low=3, high=2)
    with pytest.warns(FutureWarning):
        tg.testing.assert_allclose(tg.ones(2), [1, 1])


def test_broadcast_shapes():
    assert tg.broadcast_shapes((2, 1), (3,), 1) == (2, 3) and isinstance(tg.broadcast_shapes(()), tg.Size)
    with pytest.raises(RuntimeError, match="broadcast"):
        tg.broadcast_shapes((2,), (3,))
