"""Writes python/tapegrad/share/tapegrad/pytorch_names.txt: PyTorch's public names, with counts of their use where known.

    python docs/list_pytorch_names.py [counts.md]

Needs PyTorch 2.13.0. Without counts.md (a survey: sections "## module: …" with "`name` uses (repositories)") the counts of the present
file are kept. A line is a module followed by its names, `name=uses` for those that the survey found.
"""
import importlib
import inspect
import pathlib
import re
import sys
import types
import warnings

FILE = pathlib.Path(__file__).resolve().parent.parent / "python/tapegrad/share/tapegrad/pytorch_names.txt"
MODULES = """
torch torch.Tensor torch.nn torch.nn.functional torch.nn.init torch.nn.attention torch.nn.parallel torch.nn.utils
torch.nn.utils.rnn torch.nn.utils.parametrize torch.nn.utils.parametrizations torch.nn.utils.stateless torch.nn.utils.prune
torch.nn.utils.fusion torch.optim torch.optim.lr_scheduler torch.optim.swa_utils torch.autograd torch.autograd.functional
torch.autograd.forward_ad torch.autograd.graph torch.autograd.profiler torch.linalg torch.special torch.fft torch.utils.data
torch.utils.data.distributed torch.utils.checkpoint torch.utils.dlpack torch.utils.tensorboard torch.utils._pytree torch.amp
torch.cuda torch.cuda.amp torch.backends torch.backends.cuda torch.backends.cudnn torch.backends.mps torch.backends.mkl
torch.backends.mkldnn torch.backends.openmp torch.distributions torch.distributions.constraints torch.distributions.transforms
torch.distributions.kl torch.func torch.testing torch.random torch.accelerator torch.cpu torch.mps torch.xpu torch.serialization
torch.jit torch.fx torch.onnx torch.profiler torch.distributed torch.multiprocessing torch.hub torch.sparse torch.nested
torch.masked torch.compiler torch.export torch.library torch.futures torch.overrides torch.package torch.signal.windows
torch.types torch.version torch.__config__ torch.ao.quantization
""".split()


def public(module):
    """Names that the module documents, or defines without an underscore."""
    listed = set(getattr(module, "__all__", ()))
    for name in dir(module):
        value = getattr(module, name, None)
        home = getattr(value, "__module__", None) or ""
        if module.__name__ == "torch" and (type(value).__name__ == "pybind11_type" or inspect.isclass(type(value)) and
                                           type(type(value)).__name__ == "pybind11_type"):
            listed.discard(name)  # what TorchScript and the profiler are made of
            continue
        if name.startswith("_") or isinstance(value, types.ModuleType) and not value.__name__.startswith("torch."):
            continue
        if isinstance(module, type):
            listed.add(name)
        elif isinstance(value, types.ModuleType):
            listed.update([name] if f"{module.__name__}.{name}" in MODULES else [])
        elif not hasattr(module, "__all__") or module.__name__ == "torch":
            ours = home.startswith("torch") or type(value).__module__.startswith("torch")
            if ours or inspect.isbuiltin(value) or isinstance(value, float):
                listed.add(name)
    return {n for n in listed if not n.startswith("_")}


def surveyed(path):
    """{(module, name): uses}."""
    counts, module = {}, ""
    for line in pathlib.Path(path).read_text().splitlines():
        if m := re.match(r"## ([\w.]+):", line):
            module = "torch" if m[1] == "torch" else "torch." + m[1]
        elif line.startswith("*"):
            for name, uses in re.findall(r"`([^`]+)` (\d+) \(", line):
                itself = module == "torch." + name  # counted as a name of its own
                full = module if itself else f"{module}.{name}"
                counts[tuple(full.rsplit(".", 1))] = int(uses)
    return counts


def read():
    """{(module, name): uses or None} of the present file."""
    out = {}
    for line in FILE.read_text().splitlines():
        module, *names = line.split()
        for entry in names:
            name, _, uses = entry.partition("=")
            out[module, name] = int(uses) if uses else None
    return out


def main():
    import torch
    assert torch.__version__.startswith("2.13.0"), torch.__version__
    warnings.simplefilter("ignore")
    counts = surveyed(sys.argv[1]) if sys.argv[1:] else {k: v for k, v in read().items() if v}
    names = {}
    for path in MODULES:
        try:
            module = torch.Tensor if path == "torch.Tensor" else importlib.import_module(path)
            names.setdefault(path, set()).update(public(module))
        except ModuleNotFoundError:  # it needs the package tensorboard
            names[path] = {"SummaryWriter"}
    for module, name in counts:
        names.setdefault(module, set()).add(name)
    lines = [" ".join([module, *(f"{n}={counts[module, n]}" if (module, n) in counts else n for n in sorted(found))])
             for module, found in names.items() if found]
    FILE.write_text("\n".join(lines) + "\n")
    print(f"{sum(map(len, names.values()))} names, {len(counts)} of them counted, in {len(lines)} modules")


if __name__ == "__main__":
    main()
