// The table that debuggers read (debug_layout.h). tapegrad_reader.py knows what each name means.
#include "src/autograd/debug_layout.h"

#include <cstddef>

#include "tapegrad/autograd.h"
#include "tapegrad/nn.h"

#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // single inheritance only: what every compiler here lays out alike

namespace tapegrad {

// A private first member has no name that offsetof may use: it lies at 0, or behind the vtable's pointer.
[[gnu::used, gnu::retain]] constexpr DebugField debug_layout[] = {
    {"TensorImpl.refs", offsetof(TensorImpl, refs)},
    {"TensorImpl.dtype", offsetof(TensorImpl, dtype)},
    {"TensorImpl.ndim", offsetof(TensorImpl, ndim)},
    {"TensorImpl.device_type", offsetof(TensorImpl, device) + offsetof(Device, type)},
    {"TensorImpl.device_index", offsetof(TensorImpl, device) + offsetof(Device, index)},
    {"TensorImpl.requires_grad", offsetof(TensorImpl, requires_grad)},
    {"TensorImpl.output_nr", offsetof(TensorImpl, output_nr)},
    {"TensorImpl.storage", offsetof(TensorImpl, storage)},
    {"TensorImpl.data", offsetof(TensorImpl, data)},
    {"TensorImpl.numel", offsetof(TensorImpl, numel)},
    {"TensorImpl.sizes", offsetof(TensorImpl, sizes)},
    {"TensorImpl.strides", offsetof(TensorImpl, strides)},
    {"TensorImpl.grad_fn", offsetof(TensorImpl, grad_fn)},
    {"TensorImpl.base", offsetof(TensorImpl, base)},
    {"TensorImpl.extra", offsetof(TensorImpl, extra)},
    {"dtypes", kDtypes},
    {"max_dims", kMaxDims},

    {"Storage.version", offsetof(Storage, version)},
    {"Storage.bytes", offsetof(Storage, bytes)},
    {"Extra.grad", offsetof(Extra, grad)},

    {"Node.edge_count", offsetof(Node, edge_count)},
    {"Node.output_count", offsetof(Node, output_count)},
    {"Node.sequence", offsetof(Node, sequence)},
    {"Node.edges", offsetof(Node, edges)},
    {"Node.place", offsetof(Node, place) + offsetof(Place, where)},
    {"Node.place_offset", offsetof(Node, place) + offsetof(Place, offset)},
    {"edge_size", sizeof(Edge)},
    {"Edge.output_nr", sizeof(uintptr_t)},

    {"ThreadState.no_grad", offsetof(ThreadState, no_grad)},
    {"ThreadState.inference", offsetof(ThreadState, inference)},
    {"ThreadState.anomaly", offsetof(ThreadState, anomaly)},
    {"ThreadState.sequence", offsetof(ThreadState, sequence)},
    {"ThreadState.scope", offsetof(ThreadState, scope)},
    {"ThreadState.running", offsetof(ThreadState, differentiating)},
    {"ThreadState.tensors", offsetof(ThreadState, tensors)},
    {"ThreadState.nodes", offsetof(ThreadState, nodes)},
    {"OpScope.name", offsetof(OpScope, name)},
    {"OpScope.outer", offsetof(OpScope, outer)},
    {"OpScope.caller", offsetof(OpScope, caller)},

    {"Shape.values", sizeof(Shape) - kMaxDims * sizeof(int64_t)},
    {"IntList.size", sizeof(const int64_t*)},
    {"Module.state", sizeof(nn::Module) - sizeof(Ref<nn::ModuleState>)},
    {"ModuleState.name", offsetof(nn::ModuleState, name)},
    {"ModuleState.details", offsetof(nn::ModuleState, details)},
    {"ModuleState.training", offsetof(nn::ModuleState, training)},
    {"ModuleState.parameters", offsetof(nn::ModuleState, parameters)},
    {"ModuleState.buffers", offsetof(nn::ModuleState, buffers)},
    {"ModuleState.children", offsetof(nn::ModuleState, children)},
    {"buffer_size", sizeof(nn::ModuleState::Buffer)},
    {"Buffer.tensor", offsetof(nn::ModuleState::Buffer, tensor)},
    {"named_size", sizeof(StateDict::value_type)},
    {"Named.second", offsetof(StateDict::value_type, second)},
    {"", 0},
};

}  // namespace tapegrad
