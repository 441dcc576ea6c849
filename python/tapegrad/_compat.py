"""PyTorch's names that are not here, and what to use instead: for error messages and docs/compat.md.

share/tapegrad/pytorch_names.txt lists PyTorch 2.13's public names (docs/list_pytorch_names.py writes it).
"""
import functools
import importlib
import os

# The longest key counts that the name begins with, up to a dot or an underscore.
INSTEAD = {
    "torch.fx": "there is no graph tracer; read or wrap the modules in Python",
    "torch.onnx": "there is no ONNX exporter; save the state_dict and rebuild the model in a framework that exports",
    "torch.export": "there is no exporter; a model is its Python code and its state_dict",
    "torch._dynamo": "there is no compiler; its switches mean nothing here",
    "torch.sparse": "sparse tensors are not implemented; use dense tensors with index_add, scatter or masks",
    "torch.nested": "nested tensors are not implemented; use nn.utils.rnn.pad_sequence and masks",
    "torch.jagged": "nested tensors are not implemented; use nn.utils.rnn.pad_sequence and masks",
    "torch.masked": "masked tensors are not implemented; use where, masked_fill and masks",
    "torch.hub": "there is no model hub; build the model and load its weights with tapegrad.load",
    "torch.mps": "Apple's GPUs are not supported",
    "torch.xpu": "Intel's GPUs are not supported",
    "torch.Event": "there are no streams; work is done when a call returns",
    "torch.Stream": "there are no streams; work is done when a call returns",
    "torch.quantize_per_tensor": "quantisation is not implemented",
    "torch.quantize_per_channel": "quantisation is not implemented",
    "torch.ao": "quantisation is not implemented",
    "torch.library": "custom operators are not registered; write an autograd.Function",
    "torch.ops": "there is no operator registry in Python; call the function by its name",
    "torch.classes": "there are no custom classes in C++; use Python's",
    "torch.overrides": "__torch_function__ is not called; wrap tensors instead of overriding functions",
    "torch.package": "there are no packages; ship Python code and a state_dict",
    "torch.futures": "use concurrent.futures",
    "torch.func.functionalize": "there is no graph to functionalise",
    "torch.utils.data.datapipes": "use Dataset and DataLoader",
    "torch.cuda": "see tapegrad.cuda for what there is",
    "torch.distributed": "there is one process; see tapegrad.distributed for what a world of one has",
    "torch.ScriptModule": "there is no TorchScript; models are plain Python",
    "torch.jit": "there is no TorchScript; models are plain Python",
    "torch.TypedStorage": "storages are not objects; use as_strided, or set_ on tensors",
    "torch.Tensor.to_sparse": "sparse tensors are not implemented; keep the tensor dense",
    "torch.Tensor.indices": "sparse tensors are not implemented; use nonzero()",
    "torch.Tensor.values": "sparse tensors are not implemented; the tensor holds its values",
    "torch.Tensor.resize_as_sparse": "sparse tensors are not implemented; use resize_as_",
    "torch.Tensor.sparse": "sparse tensors are not implemented; the tensor is dense",
    "torch.Tensor.crow_indices": "sparse tensors are not implemented; use nonzero()",
    "torch.Tensor.ccol_indices": "sparse tensors are not implemented; use nonzero()",
    "torch.Tensor.col_indices": "sparse tensors are not implemented; use nonzero()",
    "torch.Tensor.row_indices": "sparse tensors are not implemented; use nonzero()",
    "torch.Tensor.coalesce": "sparse tensors are not implemented; the tensor is dense",
    "torch.Tensor.is_coalesced": "sparse tensors are not implemented; the tensor is dense",
    "torch.Tensor.smm": "sparse tensors are not implemented; use mm",
    "torch.Tensor.sspaddmm": "sparse tensors are not implemented; use addmm",
    "torch.Tensor.to_padded_tensor": "nested tensors are not implemented; use nn.utils.rnn.pad_sequence",
    "torch.Tensor.to_mkldnn": "there is one layout; the tensor is used as it is",
    "torch.Tensor.qscheme": "quantisation is not implemented",
    "torch.Tensor.ipu": "that device is not supported; use cpu()",
    "torch.Tensor.xpu": "that device is not supported; use cpu()",
    "torch.Tensor.mtia": "that device is not supported; use cpu()",
    "torch.Tensor.storage_type": "storages have no dtype; use the tensor's",
    "torch.Tensor.volatile": "removed from PyTorch; use no_grad()",
    "torch.hsmm": "sparse tensors are not implemented; use mm",
    "torch.hspmm": "sparse tensors are not implemented; use mm",
    "torch.smm": "sparse tensors are not implemented; use mm",
    "torch.saddmm": "sparse tensors are not implemented; use addmm",
    "torch.sspaddmm": "sparse tensors are not implemented; use addmm",
    "torch.resize_as_sparse": "sparse tensors are not implemented; use Tensor.resize_as_",
    "torch.chalf": "there is no complex32; use complex64",
    "torch.complex32": "there is no complex32; use complex64",
    "torch.qscheme": "quantisation is not implemented",
    "torch.empty_quantized": "quantisation is not implemented",
    "torch.StorageBase": "storages have no dtype; use the tensor, or untyped_storage()",
    "torch.convolution": "use nn.functional.conv2d and its like",
    "torch.utils.checkpoint.create_selective": "selective checkpoints are not implemented; checkpoint the parts to compute again",
    "torch.utils.checkpoint.CheckpointPolicy": "selective checkpoints are not implemented; checkpoint the parts to compute again",
    "torch.nn.functional.scaled": "8-bit floats are not implemented; use matmul on bfloat16",
    "torch.nn.functional.grouped_mm": "use bmm, or a loop over the groups",
    "torch.nn.functional.handle_torch_function": "__torch_function__ is not called; wrap tensors instead of overriding functions",
    "torch.nn.functional.has_torch_function": "__torch_function__ is not called; wrap tensors instead of overriding functions",
    "torch.DisableTorchFunction": "__torch_function__ is not called; wrap tensors instead of overriding functions",
    "torch.nn.attention": "there is one implementation of attention, chosen by shapes",
    "torch.autograd.graph.register_multi_grad_hook": "use Tensor.register_hook on each, and count",
    "torch.autograd.profiler": "use tapegrad.profiler",
    "torch.autograd.NestedIOFunction": "use autograd.Function",
    "torch.optim.swap_in": "an optimiser keeps its parameters",
    "torch.testing.FileCheck": "there is no TorchScript; use re or pytest",
    "torch.compiler": "there is no compiler; its switches mean nothing here",
    "torch.backends.cuda": "see tapegrad.backends.cuda for what may be set",
    "torch.serialization": "see tapegrad.serialization for what may be set; files are read by an allow-list, on the CPU",
}

_NO_STORAGES = "storages have no dtype; use the tensor, or untyped_storage()"
_NO_SMALL_DTYPES = "dtypes of less than 8 bits and 8-bit floats are not implemented; use bfloat16 or int8"
_NO_SYMBOLS = "there are no symbolic shapes; sizes are ints"
INSTEAD |= {f"torch.{kind}Storage": _NO_STORAGES for kind in (
    "", "BFloat16", "Bool", "Byte", "Char", "ComplexDouble", "ComplexFloat", "Double", "Float", "Half", "Int", "Long", "Short")}
INSTEAD |= {f"torch.{kind}{bits}": _NO_SMALL_DTYPES for kind in ("int", "uint") for bits in range(1, 8)}
INSTEAD |= {"torch.float8": _NO_SMALL_DTYPES, "torch.float4": _NO_SMALL_DTYPES}
INSTEAD |= {f"torch.{kind}": _NO_SYMBOLS for kind in ("SymInt", "SymBool", "SymFloat")}

# What is here under its name and yet differs.
DIFFERENCES = {
    "torch.compile": "returns the function as it is",
    "torch.vmap": "a loop over samples", "torch.func.vmap": "a loop over samples", "torch.func.jacfwd": "by reverse mode",
    "torch.jit.script": "returns its argument", "torch.jit.trace": "raises NotImplementedError",
    "torch.jit.save": "raises NotImplementedError", "torch.jit.load": "raises NotImplementedError",
    "torch.jit.trace_module": "raises NotImplementedError",
    "torch.distributed": "one process", "torch.distributed.init_process_group": "one process; more raise NotImplementedError",
    "torch.profiler.profile": "ops have their own names, without aten::; no memory timeline (tapegrad.memory has one)",
    "torch.autograd.profiler.profile": "as profiler.profile",
    "torch.set_float32_matmul_precision": "for CUDA", "torch.use_deterministic_algorithms": "kept; results always are",
    "torch.set_flush_denormal": "returns False", "torch.set_default_device": "also \"auto\"",
    "torch.backends.cudnn": "switches without effect", "torch.backends.cuda": "only matmul.allow_tf32 counts",
    "torch.nn.parallel.DistributedDataParallel": "one process", "torch.nn.parallel.scatter": "the CPU only, given several times",
    "torch.nn.parallel.replicate": "the module itself for each", "torch.autograd.forward_ad": "its functions raise NotImplementedError",
    "torch.Tensor.record_stream": "NotImplementedError, as PyTorch's on the CPU", "torch.lobpcg": "no gradient",
    "torch.nn.LinearCrossEntropyOptions": "kept; all is one chunk", "torch.cond": "a plain call", "torch.while_loop": "a plain loop",
    "torch.fork": "calls at once", "torch.nn.DataParallel": "calls the module",
    "torch.randn": "other numbers than PyTorch's for the same seed", "torch.rand": "other numbers than PyTorch's for the same seed",
    "torch.distributions": "other numbers than PyTorch's for the same seed",
}

_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "share", "tapegrad", "pytorch_names.txt")


@functools.cache
def pytorch_names():
    """{module: {name: uses in the survey, or None}}."""
    out = {}
    with open(_FILE) as f:
        for line in f:
            module, *names = line.split()
            out[module] = {n: int(uses) if uses else None for n, _, uses in (entry.partition("=") for entry in names)}
    return out


def instead(full_name):
    """What to use instead of one of PyTorch's names ("torch.fx.Graph"), or ""."""
    keys = [k for k in INSTEAD if full_name == k or full_name.startswith((k + ".", k + "_"))]
    return INSTEAD[max(keys, key=len)] if keys else ""


def have(full_name):
    """Is the name here?"""
    obj, path = importlib.import_module(__package__), __package__
    for part in full_name.split(".")[1:]:
        path = f"{path}.{part}"
        try:
            obj = getattr(obj, part)
        except AttributeError:
            try:
                obj = importlib.import_module(path)
            except ImportError:
                return False
    return True


def missing(module, name):
    """The AttributeError for a name that the module ("tapegrad.nn") lacks."""
    theirs = "torch" + module[len(__package__):]
    text = f"module {module!r} has no attribute {name!r}"
    hint = instead(f"{theirs}.{name}")
    if hint:
        text += f": {hint}"
    elif name in pytorch_names().get(theirs, ()):
        text += f": PyTorch has {theirs}.{name}, tapegrad does not; docs/compat.md lists what it has"
    return AttributeError(text, name=name)
