// The C interface: gradients, files, settings.
#include "src/c/handle.h"
#include "tapegrad/io.h"
#include "tapegrad/random.h"

using namespace tapegrad;
using namespace tapegrad::c;

tg_status tg_set_requires_grad(tg_tensor* t, int32_t on) {
  return guarded("tg_set_requires_grad", [&] { tensor_of(t).set_requires_grad(on != 0); });
}
int32_t tg_requires_grad(const tg_tensor* t) {
  return guarded<int32_t>("tg_requires_grad", -1, [&] { return needs_grad(tensor_of(t)); });
}
tg_status tg_backward(const tg_tensor* t, const tg_tensor* gradient, int32_t retain_graph, int32_t create_graph) {
  return guarded("tg_backward", [&] {
    tensor_of(t).backward(gradient ? tensor_of(gradient) : Tensor(), retain_graph || create_graph, create_graph != 0);
  });
}
tg_status tg_grad(const tg_tensor* t, tg_tensor** out) {
  return guarded("tg_grad", [&] { *need(out, "out") = give(tensor_of(t).grad()); });
}
tg_status tg_set_grad(tg_tensor* t, const tg_tensor* gradient) {
  return guarded("tg_set_grad", [&] { tensor_of(t).set_grad(gradient ? tensor_of(gradient) : Tensor()); });
}
int32_t tg_no_grad_enter() { return std::exchange(tls.no_grad, true); }
void tg_no_grad_leave(int32_t before) { tls.no_grad = before != 0; }

tg_status tg_save(const char* path, const char* const* names, const tg_tensor* const* tensors, int64_t count) {
  return guarded("tg_save", [&] {
    TG_CHECK(count >= 0, ValueError, "a file of ", count, " tensors");
    StateDict all;
    for (int64_t k = 0; k < count; k++) all.emplace_back(need(need(names, "names")[k], "a name"), tensor_of(need(tensors, "tensors")[k]));
    save(all, need(path, "path"));
  });
}
tg_status tg_load(const char* path, tg_list** out) {
  return guarded("tg_load", [&] {
    need(out, "out");
    *out = new tg_list{load(need(path, "path"))};
  });
}

tg_status tg_manual_seed(uint64_t seed) {
  return guarded("tg_manual_seed", [&] { manual_seed(seed); });
}
int32_t tg_num_threads() { return num_threads(); }
tg_status tg_set_num_threads(int32_t n) {
  return guarded("tg_set_num_threads", [&] {
    TG_CHECK(n > 0, ValueError, "the number of threads must be positive, got ", n);
    set_num_threads(n);
  });
}
