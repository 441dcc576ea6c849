// A stream of the simulator. Stand-ins for NVIDIA's libraries, which are built apart, reach device memory through it.
#pragma once

struct CUstream_st {
  int device, priority;
  /// Calls work(closure) while the memory of `device` is open.
  void (*run)(int device, void (*work)(void*), void* closure);
};

namespace simulator {

template <class F> void run_in(CUstream_st* stream, F f) {
  stream->run(stream->device, [](void* closure) { (*static_cast<F*>(closure))(); }, &f);
}

}  // namespace simulator
