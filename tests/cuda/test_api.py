"""tapegrad.cuda as programs use it: devices, streams, memory, pinned batches, autocast, files."""
import copy
import io
import pickle

import pytest
import tapegrad as tg

from tapegrad import cuda


def test_devices():
    n = cuda.device_count()
    assert cuda.is_available() and cuda.why_not() == "" and n >= 1 and cuda.is_initialized()
    assert cuda.current_device() == 0 and cuda.get_device_name() == cuda.get_device_properties(0).name
    p = cuda.get_device_properties("cuda:0")
    assert cuda.get_device_capability() == (p.major, p.minor) and p.total_memory > 0 and p.name in repr(p) and len(p.uuid) == 36
    assert p.name in cuda.summary() and cuda.is_bf16_supported()
    cuda.set_device(0)
    cuda.set_device("cuda")
    cuda.synchronize()
    with cuda.device(0), cuda.device(-1), cuda.device(None), cuda.device_of(tg.ones(1)):
        assert cuda.current_device() == 0
    for wrong in (n, "cuda:99"):
        with pytest.raises(RuntimeError, match=f"there are {n}"):
            cuda.set_device(wrong)
    with pytest.raises(ValueError, match="Expected a cuda device"):
        cuda.get_device_name("cpu")
    with pytest.raises(NotImplementedError, match="nvidia-smi"):
        cuda.utilization()
    assert str(tg.accelerator.current_accelerator()) == "cuda" and tg.accelerator.device_count() == n
    with tg.accelerator.device_index(0):
        tg.accelerator.synchronize()


def test_streams_and_events():
    s, before = cuda.Stream(), cuda.current_stream()
    assert before == cuda.default_stream() and s != before and s.device == tg.device("cuda:0")
    first, last = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    with pytest.raises(ValueError, match="recorded"):
        first.elapsed_time(last)
    assert first.query()
    with cuda.stream(s):
        assert cuda.current_stream() == s
        first.record()
        x = tg.ones(3, device="cuda") * 2
        last.record()
    assert cuda.current_stream() == before
    before.wait_stream(s)
    before.wait_event(last)
    x.record_stream(before)
    last.synchronize()
    assert s.query() and last.query() and first.elapsed_time(last) >= 0 and x.tolist() == [2, 2, 2]
    with cuda.stream(None), s:
        assert cuda.current_stream() == s
    cuda.set_stream(s)
    assert cuda.current_stream() == s
    cuda.set_stream(before)
    with pytest.raises(ValueError, match="enable_timing"):
        cuda.Event().elapsed_time(cuda.Event())
    assert cuda.ExternalStream(s.cuda_stream) == s


def test_memory():
    cuda.empty_cache()
    cuda.reset_peak_memory_stats()
    before = cuda.memory_allocated()
    x = tg.empty(1 << 18, device="cuda")
    assert cuda.memory_allocated() - before == 1 << 20
    del x
    assert cuda.memory_allocated() == before and cuda.max_memory_allocated() - before == 1 << 20
    assert cuda.memory_reserved() >= cuda.memory_allocated()
    stats = cuda.memory_stats()
    assert stats["allocated_bytes.all.peak"] == cuda.max_memory_allocated()
    assert cuda.memory_stats_as_nested_dict()["allocated_bytes"]["all"]["current"] == before
    free, total = cuda.mem_get_info()
    assert 0 < free <= total and "in tensors" in cuda.memory_summary() and isinstance(cuda.memory_snapshot(), list)
    with pytest.raises(ValueError, match="fraction"):
        cuda.set_per_process_memory_fraction(2.0)
    try:
        cuda.set_per_process_memory_fraction(0.0001)
        with pytest.raises(cuda.OutOfMemoryError):
            tg.empty(total // 2, dtype=tg.uint8, device="cuda")
    finally:
        cuda.set_per_process_memory_fraction(1.0)


def test_seeds():
    cuda.manual_seed(5)
    state = cuda.get_rng_state()
    a = tg.rand(4, device="cuda").tolist()
    cuda.set_rng_state(state)
    assert tg.rand(4, device="cuda").tolist() == a
    tg.manual_seed(5)
    assert tg.rand(4).tolist() == a
    assert cuda.initial_seed() == 5 and len(cuda.get_rng_state_all()) == cuda.device_count()
    g = tg.Generator(device="cuda").manual_seed(3)
    assert g.device.type == "cuda" and tg.rand(3, device="cuda", generator=g).is_cuda


def test_marks():
    assert cuda.nvtx.range_push("outer") == 0 and cuda.nvtx.range_push("inner") == 1
    cuda.nvtx.mark("here")
    assert cuda.nvtx.range_pop() == 1 and cuda.nvtx.range_pop() == 0
    with cuda.nvtx.range("step {}", 3):
        pass


def test_tensors_move():
    x = tg.arange(6.).view(2, 3)
    y = x.cuda()
    assert y.is_cuda and y.device == tg.device("cuda:0") and y.get_device() == 0 and y.cuda() is y and y.cpu().equal(x)
    assert x.to("cuda", non_blocking=True).cpu().equal(x) and x.cuda(non_blocking=True).cpu().equal(x) and x.cuda(0).is_cuda
    assert y.type() == "tapegrad.cuda.FloatTensor" and isinstance(y, cuda.FloatTensor) and not isinstance(x, cuda.FloatTensor)
    assert x.type("torch.cuda.DoubleTensor").dtype == tg.float64 and x.type_as(y.half()).is_cuda
    assert cuda.LongTensor([1, 2]).tolist() == [1, 2] and y.new_tensor([1.]).is_cuda and y.new_zeros(2).is_cuda and y.new_tensor(1., device="cpu").is_cpu
    assert y.tolist() == x.tolist() and y[1, 2].item() == 5.0 and float(y.sum()) == 15.0
    with pytest.raises(TypeError, match="cpu"):
        y.numpy()
    assert y.numpy(force=True).tolist() == x.tolist()
    with pytest.raises(BufferError):
        memoryview(y)
    z = y.clone().resize_(4, 2)
    assert z.is_cuda and z.flatten()[:6].cpu().tolist() == list(range(6))


def test_copies():
    x = tg.arange(6.).view(2, 3).cuda().requires_grad_()
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y.is_cuda and y.requires_grad and y.cpu().equal(x.cpu())
    y = tg.from_dlpack(x.detach())
    assert y.is_cuda and y.data_ptr() == x.data_ptr() and x.__dlpack_device__() == (2, 0)


def test_pinned_memory():
    x = tg.arange(6.).view(3, 2).t()
    y = x.pin_memory()
    assert y.is_pinned() and not x.is_pinned() and y.equal(x) and y.stride() == x.stride() and y.pin_memory() is y
    assert y.to("cuda", non_blocking=True).cpu().equal(x) and y[1:].is_pinned() and not y.cuda().is_pinned()
    with pytest.raises(tg.DeviceError, match="pinned"):
        y.cuda().pin_memory()


@pytest.mark.filterwarnings("error")
def test_data_loader_pins():
    data = [(tg.tensor([float(k)]), {"k": k, "name": str(k)}) for k in range(5)]
    loader = tg.utils.data.DataLoader(data, batch_size=2, pin_memory=True)
    batches = list(loader)
    assert len(batches) == 3 and all(b[0].is_pinned() and b[1]["k"].is_pinned() for b in batches) and batches[0][1]["name"] == ["0", "1"]


def test_default_device():
    try:
        tg.set_default_device("auto")
        assert tg.get_default_device().type == "cuda" and tg.zeros(2).is_cuda and tg.tensor([1.]).is_cuda and tg.nn.Linear(2, 2).weight.is_cuda
        assert tg.zeros(2, device="cpu").is_cpu
    finally:
        tg.set_default_device(None)
    assert tg.zeros(2).is_cpu


def test_modules_move():
    m = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.BatchNorm1d(3))
    assert all(t.is_cuda for t in m.cuda().state_dict().values())
    assert m.half()[0].weight.dtype == tg.float16 and m.cpu()[0].weight.is_cpu and m.to("cuda:0", tg.float32)[0].bias.is_cuda


def test_autocast():
    a, w = tg.randn(4, 8).cuda().requires_grad_(), tg.randn(3, 8).cuda().requires_grad_()
    with tg.autocast("cuda"):
        y = tg.nn.functional.linear(a, w)
        assert y.dtype == tg.float16 and tg.is_autocast_enabled("cuda") and not tg.is_autocast_enabled("cpu")
        assert y.softmax(-1).dtype == tg.float32 and y.sum().dtype == tg.float32 and (y + a[:, :3]).dtype == tg.float32
        assert tg.cat([y, a], 1).dtype == tg.float32 and y.relu().dtype == tg.float16
        assert tg.nn.functional.linear(a.cpu(), w.cpu()).dtype == tg.float32  # the CPU has a switch of its own
        with tg.autocast("cuda", enabled=False):
            assert tg.nn.functional.linear(a, w).dtype == tg.float32
        with tg.autocast("cpu"):
            assert tg.nn.functional.linear(a.cpu(), w.cpu()).dtype == tg.bfloat16
        loss = y.float().square().mean()
    loss.backward()
    assert w.grad.dtype == tg.float32 and w.grad.is_cuda
    with tg.autocast("cuda", tg.bfloat16):
        assert (a @ w.t()).dtype == tg.bfloat16
    assert not tg.is_autocast_enabled("cuda") and tg.get_autocast_gpu_dtype() == tg.float16


def test_grad_scaler():
    w = tg.ones(2, 2).cuda().requires_grad_()
    optimizer, scaler = tg.optim.SGD([w], lr=0.5), tg.amp.GradScaler("cuda", init_scale=8.0, growth_interval=1)
    scaler.scale((w * 3).sum()).backward()
    assert w.grad.unique().tolist() == [24.0]
    scaler.step(optimizer)
    scaler.update()
    assert w.unique().tolist() == [-0.5] and scaler.get_scale() == 16.0
    optimizer.zero_grad()
    scaler.scale((w * float("inf")).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert w.unique().tolist() == [-0.5] and scaler.get_scale() == 8.0


def test_files(tmp_path):
    state = {"w": tg.arange(6.).view(2, 3).cuda(), "t": tg.ones(2, dtype=tg.int64), "v": tg.zeros(2, dtype=tg.bfloat16).cuda()}
    state["view"] = state["w"][1]
    file = io.BytesIO()
    tg.save(state, file)
    for where, devices in ((None, "cuda cpu cuda"), ("cpu", "cpu cpu cpu"), ("cuda", "cuda cuda cuda"), ({"cuda:0": "cpu"}, "cpu cpu cpu"),
                           (tg.device("cuda:0"), "cuda cuda cuda"), (lambda storage, location: storage, "cpu cpu cpu")):
        file.seek(0)
        loaded = tg.load(file, map_location=where)
        assert [loaded[k].device.type for k in "wtv"] == devices.split()
        assert loaded["w"].cpu().equal(state["w"].cpu()) and loaded["view"].data_ptr() == loaded["w"][1].data_ptr()
    file.seek(0)
    with pytest.raises(RuntimeError, match="no such device"):
        tg.load(file, map_location="cuda:77")
    from tapegrad import safetensors
    path = tmp_path / "x.safetensors"
    safetensors.save_file({"w": state["w"]}, path)
    assert safetensors.load_file(path, device="cuda")["w"].cpu().equal(state["w"].cpu()) and safetensors.load_file(path)["w"].is_cpu
