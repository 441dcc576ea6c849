"""The package as a whole: what import costs and exports, hints for what is missing, small helpers."""
import inspect
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import tapegrad as tg
from tapegrad import nn


def test_import_is_quick_and_leaves_numpy_alone(tmp_path):
    code = ("import sys, time; t = time.process_time(); import tapegrad; t = time.process_time() - t; "
            "print(t, *(m in sys.modules for m in ('numpy', 'torch', 'multiprocessing')))")
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": str(tmp_path)}  # as installed
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout.split() for _ in range(5)]
    assert all(r[1:] == ["False"] * 3 for r in runs)
    assert min(float(r[0]) for r in runs) < 0.1


def test_every_op_that_python_uses_exists():
    package = pathlib.Path(tg.__file__).parent
    missing = []
    for module in (nn.functional, sys.modules["tapegrad.nn.functional_losses"]):
        missing += [n for n, f in vars(module).items() if hasattr(f, "missing")]
    for path in package.rglob("*.py"):
        missing += [f"{path.name}: {n}" for n in re.findall(r"\b_C\.([A-Za-z_]\w*)", path.read_text()) if not hasattr(tg._C, n)]
    assert not missing


def test_public_names_are_documented():
    """Every public function and class of the Python package has a docstring."""
    bare = []
    for name in ("nn", "nn.functional", "nn.init", "nn.utils", "optim", "optim.lr_scheduler", "autograd", "autograd.functional", "utils.data",
                 "utils.checkpoint", "utils.tensorboard", "safetensors", "serialization", "testing", "datasets", "cuda", "cuda.amp", "amp", "amp.autocast_mode",
                 "multiprocessing", "multiprocessing.spawn", "multiprocessing.reductions", "linalg", "random", "creation", "dtypes",
                 "func", "functional", "settings", "jit", "profiler", "profiler_events", "profiler_picture", "memory", "distributed", "compiler", "cpu", "accelerator", "backends.cuda", "backends.cudnn",
                 "utils._pytree", "legacy", "lowrank", "checkpoint", "signal.windows", "nn.grad", "nn.utils.prune", "nn.parallel", "autograd.forward_ad"):
        module = sys.modules.get(f"tapegrad.{name}") or __import__(f"tapegrad.{name}", fromlist=["x"])
        for key, value in vars(module).items():
            if key.startswith("_") or not (inspect.isfunction(value) or inspect.isclass(value)) or not value.__module__.startswith("tapegrad"):
                continue
            if value.__qualname__ in ("no_grad", "enable_grad", "set_grad_enabled", "inference_mode", "detect_anomaly", "FunctionCtx"):  # C types
                continue
            if not value.__dict__.get("__doc__", value.__doc__):
                bare.append(f"{name}.{key}")
            if inspect.isclass(value):
                bare += [f"{name}.{key}.{m}" for m, f in vars(value).items()
                         if inspect.isfunction(f) and not m.startswith("_") and m not in ("forward", "extra_repr", "get_lr", "setup_context") and not f.__doc__]
    assert not bare


def test_version_is_the_projects():
    cmake = pathlib.Path(__file__).parents[2] / "CMakeLists.txt"
    assert re.search(r"project\(tapegrad VERSION ([0-9.]+)", cmake.read_text()).group(1) == tg.__version__


def test_ports_fit_the_build():
    """vcpkg needs GitHub and Conan a package index, so what can be held here is that they name options which exist, and the version."""
    root = pathlib.Path(__file__).parents[2]
    options = set(re.findall(r"TAPEGRAD_[A-Z]+", "".join(p.read_text() for p in (root / "CMakeLists.txt", root / "cmake/Cuda.cmake"))))
    port, recipe = (root / "packaging/vcpkg/portfile.cmake").read_text(), (root / "packaging/conan/conanfile.py").read_text()
    assert set(re.findall(r"-D(TAPEGRAD_[A-Z]+)=", port)) | set(re.findall(r'"(TAPEGRAD_[A-Z]+)"', recipe)) <= options
    manifest = json.loads((root / "packaging/vcpkg/vcpkg.json").read_text())
    assert manifest["version"] == tg.__version__
    assert manifest["license"] == re.search(r'^license = "(.*)"', (root / "pyproject.toml").read_text(), re.M)[1]


def test_what_is_missing_says_what_to_use():
    for lookup, hint in ((lambda: tg.fx, "graph tracer"), (lambda: tg.sparse_coo_tensor, "dense"), (lambda: tg.onnx, "state_dict"),
                         (lambda: tg.choose_qparams_optimized, "PyTorch has torch.choose_qparams_optimized")):
        with pytest.raises(AttributeError, match=hint):
            lookup()
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'$"):
        _ = tg.nonsense
    assert not hasattr(tg.nn, "Nonsense") and "datasets" in dir(tg)
    with pytest.raises(NotImplementedError, match="jit.trace"):
        tg.jit.trace(None, ())


def test_cuda_is_honest():
    if tg.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert tg.cuda.device_count() == 0 and "CUDA" in tg.cuda.why_not()
    with pytest.raises(RuntimeError, match="no CUDA device"):
        tg.cuda.synchronize()
    assert not tg.backends.mps.is_available() and tg.accelerator.current_accelerator() is None
    with pytest.warns(UserWarning, match="CUDA is not available"), tg.cuda.amp.autocast():
        pass
    with pytest.warns(UserWarning, match="Disabling"):
        assert tg.amp.GradScaler().scale(3) == 3


def test_seeds_and_state():
    assert tg.manual_seed(7) is tg.default_generator and tg.initial_seed() == 7
    a = tg.rand(3).tolist()
    state = tg.get_rng_state()
    b = tg.rand(3).tolist()
    tg.set_rng_state(state)
    assert tg.rand(3).tolist() == b != a
    with tg.random.fork_rng():
        c = tg.rand(2).tolist()
    assert tg.rand(2).tolist() == c
    tg.manual_seed(7)
    assert tg.rand(3).tolist() == a
    with pytest.raises(RuntimeError):
        tg.manual_seed(2 ** 70)
    assert isinstance(tg.seed(), int)


def test_dtype_helpers():
    assert tg.finfo(tg.float32).eps == 2.0 ** -23 and tg.finfo(tg.float16).max == 65504 and tg.finfo(tg.bfloat16).tiny == 2.0 ** -126 and tg.finfo().bits == 32
    assert tg.iinfo(tg.int8).min == -128 and tg.iinfo(tg.uint8).max == 255 and tg.iinfo(tg.int64).max == 2 ** 63 - 1
    for f, d in ((tg.finfo, tg.int32), (tg.iinfo, tg.float32)):
        with pytest.raises(TypeError):
            f(d)
    assert tg.promote_types(tg.uint8, tg.int8) == tg.int16 and tg.promote_types(tg.int64, tg.float16) == tg.float16
    assert tg.result_type(tg.zeros(2, dtype=tg.int32), 1.5) == tg.float32 and tg.can_cast(tg.int8, tg.bool) is False
    assert tg.float is tg.float32 and tg.long is tg.int64 and tg.half is tg.float16
    assert tg.is_tensor(tg.zeros(1)) and not tg.is_tensor(1) and isinstance(tg.zeros(1), tg.FloatTensor) and not isinstance(tg.zeros(1), tg.LongTensor)
    assert tg.LongTensor([1, 2]).dtype == tg.int64


def test_assert_close():
    close = tg.testing.assert_close
    for one, two in ((1, 1.0), (True, 1), (1.0, 1 + 0j)):
        close(one, two, check_dtype=False)
        with pytest.raises(AssertionError, match=r"\(d\)types do not match.*int|\(d\)types do not match.*complex"):
            close(one, two)
    with pytest.raises(TypeError, match="assert_close.*str"):
        close("a", "a")
    x = tg.tensor([1.0, 2.0])
    close(x, x + 1e-6)
    close({"a": [x, 1.0]}, {"a": [x, 1.0 + 1e-9]})
    close(tg.tensor(float("nan")), tg.tensor(float("nan")), equal_nan=True)
    for a, b, text in ((x, x + 0.1, r"Mismatched elements: 2 / 2 \(100.0%\)\nGreatest absolute difference: 0.(0999|1000).* at index"), (x, x.double(), "'dtype'"), (x, x[:1], "'shape'"),
                       ([x], [x, x], "length"), ({"a": 1}, {"b": 1}, "keys"), (1.0, 1.1, "Scalars are not close"), (x, "x", "type equality"), (tg.tensor([1]), tg.tensor([2]), "not equal")):
        with pytest.raises(AssertionError, match=text):
            close(a, b)
    with pytest.raises(AssertionError, match="mine"):
        close(x, x + 1, msg="mine")
    with pytest.raises(ValueError):
        close(x, x, rtol=1.0)


def test_clip_and_vectors():
    p = [nn.Parameter(tg.zeros(2)), nn.Parameter(tg.zeros(1)), nn.Parameter(tg.zeros(1))]
    p[0].grad, p[1].grad = tg.tensor([3.0, 0.0]), tg.tensor([4.0])
    assert abs(float(nn.utils.clip_grad_norm_(p, 1.0)) - 5) < 1e-6 and abs(float(p[1].grad) - 0.8) < 1e-5
    assert abs(float(nn.utils.clip_grad_norm_(p, 10.0)) - 1) < 1e-5 and abs(float(p[1].grad) - 0.8) < 1e-5
    nn.utils.clip_grad_value_(p, 0.5)
    assert float(p[1].grad) == 0.5
    p[0].grad = tg.tensor([float("inf"), 0.0])
    with pytest.raises(RuntimeError, match="non-finite"):
        nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    v = nn.utils.parameters_to_vector(p)
    assert tuple(v.shape) == (4,)
    nn.utils.vector_to_parameters(tg.arange(4.0), p)
    assert p[0].tolist() == [0, 1] and p[2].tolist() == [3]
    padded = nn.utils.rnn.pad_sequence([tg.ones(2), tg.ones(3)], batch_first=True, padding_value=-1.0)
    assert padded.tolist() == [[1, 1, -1], [1, 1, 1]] and nn.utils.rnn.pad_sequence([tg.ones(1, 2), tg.ones(3, 2)]).shape == (3, 2, 2)
    assert [x.tolist() for x in nn.utils.rnn.unpad_sequence(padded, [2, 3], batch_first=True)] == [[1, 1], [1, 1, 1]]


def test_substitutes_are_for_what_is_missing():
    """A hint of _compat.INSTEAD is of no use for a name that is here, unless it is a module that lacks some names."""
    from tapegrad import _compat
    parts = {"torch.cuda", "torch.jit", "torch.distributed", "torch.nn.attention", "torch.autograd.profiler", "torch.compiler",
             "torch.backends.cuda", "torch.serialization"}
    assert [k for k in _compat.INSTEAD if k not in parts and _compat.have(k)] == []
    assert [k for k in _compat.DIFFERENCES if not _compat.have(k)] == []
    names = _compat.pytorch_names()
    assert sum(1 for found in names.values() for uses in found.values() if uses) == 498 and names["torch"]["randn"] == 197


def test_import_opens_nothing_of_cuda():
    code = ("import tapegrad as tg; maps = open('/proc/self/maps').read(); assert 'tapegrad_cuda' not in maps and 'libcuda' not in maps\n"
            "import sys; assert not any('tapegrad.cuda.' + m in sys.modules for m in ('memory', 'streams', 'nvtx', 'random'))\n"
            "assert not tg.ones(2).is_pinned() and 'tapegrad_cuda' not in open('/proc/self/maps').read()")
    subprocess.run([sys.executable, "-c", code], check=True)
