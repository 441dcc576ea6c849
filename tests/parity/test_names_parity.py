"""Small things that programs ask of the package itself: the answers, and the kinds of errors, are PyTorch's."""
import re
import warnings

import numpy as np
import pytest
import tapegrad as tg
import torch

EXPRESSIONS = """
L.FloatTensor(2, 3).shape
L.FloatTensor([1, 2]).tolist()
L.FloatTensor((1, 2)).tolist()
L.FloatTensor(L.Size([2, 3])).shape
L.FloatTensor(np.ones((2, 2), dtype='f')).tolist()
L.LongTensor([1, 2]).dtype
L.BFloat16Tensor(2).dtype
L.Tensor(2, 3).shape
L.Tensor([1, 2, 3]).tolist()
L.Tensor().shape
L.FloatTensor().shape
isinstance(L.ones(2), L.FloatTensor)
isinstance(L.ones(2), L.LongTensor)
isinstance(L.ones(2), L.autograd.Variable)
L.ones(2).type()
L.ones(2).type('torch.LongTensor').dtype
L.ones(2).type(L.LongTensor).dtype
L.ones(2).type('torch.cuda.LongTensor')
L.ones(2).type(L.float64).dtype
L.ones(2).type_as(L.ones(1, dtype=L.int64)).dtype
L.finfo(L.float32)
L.finfo(L.float16).smallest_normal
L.finfo(L.bfloat16)
L.finfo(L.float64).resolution
L.finfo().bits
L.iinfo(L.int8)
L.iinfo(L.uint8).max
L.iinfo(L.bool)
L.finfo(L.int32)
L.iinfo(L.float32)
L.Size([2, 3]).numel()
L.Size([2, 3]) + L.Size([1])
L.Size([2, 3])[1:]
L.Size([2, 3]) * 2
hash(L.Size([2])) == hash((2,))
L.Size((2, 3)) == (2, 3)
L.broadcast_shapes((2, 1), (3,))
L.broadcast_shapes((2,), (3,))
L.promote_types(L.float16, L.int64)
L.result_type(L.ones(2), 3.5)
L.result_type(1, 2.0)
L.can_cast(L.float32, L.int32)
L.can_cast(L.int32, L.float32)
L.is_tensor(3)
L.tensor(np.float64(1.5)).dtype
L.tensor([1.0, np.float64(1.5)]).dtype
L.tensor([np.float32(1), np.float32(2)]).dtype
(L.ones(2) * np.float64(2)).dtype
L.full((2,), np.float64(2)).dtype
L.is_storage(3)
L.typename(L.ones(2))
L.scalar_tensor(3)
L.is_nonzero(L.tensor(2.0))
L.cuda.is_available()
L.cuda.device_count()
L.cuda.is_initialized()
L.cuda.empty_cache()
L.cuda.manual_seed(1)
L.cuda.memory_allocated()
L.cuda.max_memory_reserved()
L.cuda.get_rng_state_all()
L.cuda.get_arch_list()
L.cuda.current_device()
L.cuda.synchronize()
L.cuda.get_device_name()
L.cuda.get_device_properties(0)
L.cuda.mem_get_info()
L.cuda.current_stream()
L.cuda.Stream()
L.cuda.Event(enable_timing=True)
L.cuda.stream(None).__enter__()
L.cuda.device(-1).__enter__()
L.cuda.device(0).__enter__()
L.cuda.init()
L.cuda.FloatTensor(2)
isinstance(L.ones(2), L.cuda.FloatTensor)
L.ones(2).cuda()
L.nn.Linear(2, 2).cuda()
L.cuda.is_bf16_supported()
L.device('cuda')
L.device('cuda', 1).index
L.device('cuda:1') == L.device('cuda', 1)
str(L.device('cpu'))
L.version.cuda
L.backends.cudnn.version()
L.backends.cudnn.is_available()
L.backends.cuda.is_built()
L.backends.mps.is_available()
L.accelerator.is_available()
L.accelerator.current_accelerator()
L.accelerator.device_count()
L.accelerator.memory_allocated()
L.accelerator.set_device_index(0)
L.get_rng_state().dtype
L.Generator().manual_seed(3).initial_seed()
L.get_float32_matmul_precision()
L.are_deterministic_algorithms_enabled()
L.get_deterministic_debug_mode()
L.get_default_device()
L.is_inference_mode_enabled()
L.is_anomaly_enabled()
L.inference_mode()(lambda: L.is_grad_enabled())()
L.autograd.Variable(L.ones(2), requires_grad=True).requires_grad
L.utils.dlpack.from_dlpack(L.utils.dlpack.to_dlpack(L.ones(2))).tolist()
L.numel(L.ones(3))
L.is_floating_point(L.ones(3))
L.is_same_size(L.ones(2), L.ones(2))
L.distributed.is_available()
L.distributed.is_initialized()
L.distributed.is_nccl_available()
L.distributed.get_rank()
L.jit.is_scripting()
L.jit.annotate(int, 3)
L.compiler.is_compiling()
L.compile(3)
L.cpu.current_device()
L.testing.make_tensor(3, device='cpu', dtype=L.int64, low=3, high=2)
L.testing.make_tensor(2, device='cpu', dtype=L.float32, noncontiguous=True).stride()
L.testing.make_tensor(2, device='cpu', dtype=L.int64, requires_grad=True)
L.profiler.schedule(wait=1, warmup=1, active=2, repeat=1)(3).name
[L.profiler.schedule(wait=1, warmup=2, active=1, skip_first=2)(i).name for i in range(9)]
L.profiler.ProfilerActivity.CPU.name
""".strip().split("\n")


def answer(lib, expression):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = eval(expression, {"L": lib, "np": np})
        except Exception as e:
            # ours are subclasses of PyTorch's kind
            return e
    return re.sub(r"\b(torch|tapegrad)\.", "", str(value))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_same_answer(expression):
    ours, theirs = answer(tg, expression), answer(torch, expression)
    if isinstance(theirs, Exception):
        kinds = (type(theirs), RuntimeError) if isinstance(theirs, AssertionError) else type(theirs)
        assert isinstance(ours, kinds), ours
    else:
        assert ours == theirs
