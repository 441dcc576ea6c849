// Runs kernels: every thread of a block is a fiber, and starts on the stack that the last one left when that one came to its end.
#include <cxxabi.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <map>
#include <mutex>
#include <vector>

#include "cuda_runtime.h"
#include "simulator.h"
#ifndef __x86_64__
#include <ucontext.h>
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace simulator {

// ---- fibers
constexpr size_t kStack = 128 << 10, kPage = 4096;

#ifdef __x86_64__
using Context = void*;  // the stack pointer; what a call has to preserve lies there
extern "C" __attribute__((visibility("hidden"))) void tg_switch_fiber(Context* from, Context to);
asm(R"(
.text
.globl tg_switch_fiber
.hidden tg_switch_fiber
.type tg_switch_fiber, @function
tg_switch_fiber:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
.size tg_switch_fiber, . - tg_switch_fiber
)");
static void switch_context(Context& from, Context& to) { tg_switch_fiber(&from, to); }
static void make_context(Context& c, char* stack, void (*body)()) {
  void** top = reinterpret_cast<void**>(stack + kStack) - 2;
  *top = reinterpret_cast<void*>(body);  // where tg_switch_fiber returns to; its stack is then aligned as after a call
  c = top - 6;
}
#else
using Context = ucontext_t;
static void switch_context(Context& from, Context& to) { swapcontext(&from, &to); }
static void make_context(Context& c, char* stack, void (*body)()) {
  getcontext(&c);
  c.uc_stack.ss_sp = stack;
  c.uc_stack.ss_size = kStack;
  makecontext(&c, body, 0);
}
#endif

struct Fiber {
  Context context;
};
enum class State : uint8_t { Running, Released, AtBarrier, AtWarp, Ended };
struct Thread {
  State state;
  unsigned mask;
  uint64_t value;
  const char* op;
  Place place;
  uint3 index;
  Fiber* fiber;
};

// ---- the block that is running
static const void* kernel_;
static void (*body_)(void*);
static void* closure_;
static int threads_, started_, ended_, current_;
static Thread thread_[1024];
static uint64_t values_[32][32];  // of each warp: what its lanes last exchanged
static Fiber* running_;
static Context scheduler_;
static auto& idle_ = *new std::vector<Fiber*>;  // never destroyed: their stacks are not, either
alignas(128) static unsigned char shared_[(227 << 10) + 64];
static size_t shared_bytes_;

int lane() { return current_ & 31; }
void* dynamic_shared() { return shared_; }

static const char* kernel_name() {
  static char text[512];
  Dl_info info{};
  dladdr(kernel_, &info);
  if (info.dli_sname && info.dli_saddr == kernel_) {
    int status;
    char* plain = abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status);
    snprintf(text, sizeof text, "%s", plain ? plain : info.dli_sname);
    free(plain);
  } else {
    snprintf(text, sizeof text, "at %s+%#tx (a static one)", info.dli_fname ? info.dli_fname : "?",
             static_cast<const char*>(kernel_) - static_cast<const char*>(info.dli_fbase));
  }
  return text;
}
void abort_kernel(Place place, const char* format, ...) {
  char text[1024];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  fflush(stdout);
  fprintf(stderr, "simulated kernel %s, block (%u, %u, %u), thread %d: %s:%d: %s\n", kernel_name(), blockIdx.x, blockIdx.y, blockIdx.z,
          current_, place.file, place.line, text);
  abort();
}

bool reversed = [] {
  const char* order = getenv("TG_SIMULATED_ORDER");
  return order && strcmp(order, "reversed") == 0;
}();
static int in_order(int i) { return reversed ? threads_ - 1 - i : i; }

static void fiber_body() {
  Fiber* self = running_;
  for (;;) {
    while (started_ < threads_) {
      current_ = in_order(started_++);
      Thread& t = thread_[current_];
      t.fiber = self;
      const unsigned i = unsigned(current_), row = i / blockDim.x;
      t.index = threadIdx = {i - row * blockDim.x, row % blockDim.y, row / blockDim.y};
      body_(closure_);
      t.state = State::Ended;
      ended_++;
    }
    idle_.push_back(self);
    switch_context(self->context, scheduler_);
  }
}
static Fiber* new_fiber() {
  char* p = static_cast<char*>(mmap(nullptr, kPage + kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  mprotect(p, kPage, PROT_NONE);
  auto* f = new Fiber();
  make_context(f->context, p + kPage, fiber_body);
  return f;
}
static void enter(Fiber* f) {
  running_ = f;
  switch_context(scheduler_, f->context);
}
static void wait_as(State s) {
  Thread& t = thread_[current_];
  t.state = s;
  switch_context(t.fiber->context, scheduler_);
}
const uint64_t* exchange(const char* op, unsigned mask, uint64_t value, Place place) {
  Thread& t = thread_[current_];
  if (!(mask >> lane() & 1)) abort_kernel(place, "%s: lane %d is not in its own mask %08x", op, lane(), mask);
  t.op = op, t.mask = mask, t.value = value, t.place = place;
  wait_as(State::AtWarp);
  return values_[current_ / 32];
}
void block_barrier(Place place) {
  Thread& t = thread_[current_];
  t.op = "__syncthreads", t.place = place;
  wait_as(State::AtBarrier);
}

/// `a` waits for `b`, which stands elsewhere.
[[noreturn]] static void divergent(int a, int b) {
  current_ = a;
  const Thread &x = thread_[a], &y = thread_[b];
  if (y.state == State::Ended) abort_kernel(x.place, "divergent: waits at %s for thread %d, which has ended", x.op, b);
  abort_kernel(x.place, "divergent: waits at %s for thread %d, which waits at %s (%s:%d)", x.op, b, y.op, y.place.file, y.place.line);
}
static bool same(Place a, Place b) { return a.line == b.line && a.file == b.file; }

/// Every thread has ended or waits: lets those go on who have all come.
static void release() {
  bool any = false;
  for (int first = 0; first < threads_; first += 32) {
    const int lanes = threads_ - first < 32 ? threads_ - first : 32;
    for (int i = 0; i < lanes; i++) {
      Thread& t = thread_[first + i];
      if (t.state != State::AtWarp) continue;
      for (int j = 0; j < lanes; j++) {
        if (!(t.mask >> j & 1)) continue;
        Thread& o = thread_[first + j];
        if (o.state != State::AtWarp || o.mask != t.mask || o.op != t.op || !same(o.place, t.place)) divergent(first + i, first + j);
        values_[first / 32][j] = o.value;
      }
      for (int j = 0; j < lanes; j++) if (t.mask >> j & 1) thread_[first + j].state = State::Released;
      any = true;
    }
  }
  if (any) return;
  for (int i = 0; i < threads_; i++) {
    const int other = i ? 0 : threads_ - 1;
    if (thread_[i].state == State::Ended) divergent(other, i);
    if (!same(thread_[i].place, thread_[0].place)) divergent(0, i);
  }
  for (int i = 0; i < threads_; i++) thread_[i].state = State::Released;
}

static void run_block() {
  started_ = ended_ = 0;
  if (shared_bytes_) memset(shared_, 0xff, shared_bytes_ + 64);  // NaN, and a fence behind
  for (;;) {
    while (started_ < threads_) {
      if (idle_.empty()) idle_.push_back(new_fiber());
      Fiber* f = idle_.back();
      idle_.pop_back();
      enter(f);
    }
    if (ended_ == threads_) break;
    release();
    for (int i = 0; i < threads_; i++) {
      Thread& t = thread_[in_order(i)];
      if (t.state != State::Released) continue;
      current_ = in_order(i);
      threadIdx = t.index;
      t.state = State::Running;
      enter(t.fiber);
    }
  }
  for (size_t i = 0; shared_bytes_ && i < 64; i++)
    if (shared_[shared_bytes_ + i] != 0xff) abort_kernel({"", 0}, "wrote beyond its %zu bytes of dynamic shared memory", shared_bytes_);
}

static std::map<const void*, size_t>& large_shared() {
  static auto* m = new std::map<const void*, size_t>;
  return *m;
}
cudaError_t run(const void* kernel, dim3 grid, dim3 block, size_t shared, void (*thread)(void*), void* closure) {
  const uint64_t threads = uint64_t(block.x) * block.y * block.z;
  if (threads == 0 || threads > 1024 || block.z > 64 || grid.x == 0 || grid.x > 0x7fffffff || grid.y == 0 || grid.y > 65535 ||
      grid.z == 0 || grid.z > 65535)
    return failed(cudaErrorInvalidConfiguration);
  Open memory(current_device());
  if (shared > 48 << 10 && shared > large_shared()[kernel]) return failed(cudaErrorInvalidValue);
  kernel_ = kernel, body_ = thread, closure_ = closure, threads_ = int(threads), shared_bytes_ = shared;
  blockDim = block, gridDim = grid;
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  for (uint64_t i = 0; i < blocks; i++) {
    const uint64_t block_number = reversed ? blocks - 1 - i : i, row = block_number / grid.x;
    blockIdx = {unsigned(block_number - row * grid.x), unsigned(row % grid.y), unsigned(row / grid.y)};
    run_block();
  }
  return cudaSuccess;
}

}  // namespace simulator

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
  if (value < 0 || value > 227 << 10) return simulator::failed(cudaErrorInvalidValue);
  simulator::Open memory(simulator::current_device());
  simulator::large_shared()[kernel] = size_t(value);
  return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* out, const void*) {
  *out = {0, 0, 0, 1024, 32, 90, 90, 0, 48 << 10};
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads, size_t) {
  *blocks = 2048 / threads;
  return cudaSuccess;
}
