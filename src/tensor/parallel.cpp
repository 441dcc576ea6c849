// The thread pool behind parallel_for. Workers spin briefly, then sleep; a forked child starts with none of its own.
#include "src/tensor/interrupt.h"
#include "src/tensor/float_flags.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>

#include "tapegrad/interrupt.h"

namespace tapegrad {

void (*check_interrupt)() = nullptr;
std::atomic<bool> collect_float_flags{false};

namespace {


struct Job {
  int64_t n, grain;
  detail::PieceFn f;
  void* arg;
  std::atomic<int64_t> next{0};
  std::atomic<int> users{0};
  std::atomic<unsigned> float_flags{0};  // of the workers, when they are collected
  std::atomic<bool> failed{false};
  std::exception_ptr error{};  // the first that a piece threw
};

thread_local bool inside_piece = false;

void ask() {
  static thread_local int64_t next = 0;
  timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);  // takes a few ns and is right to a few ms
  const int64_t now = t.tv_sec * 1000 + t.tv_nsec / 1'000'000;
  if (now < next) return;
  next = now + 100;
  check_interrupt();
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}
void work_on(Job& j, bool interruptible = false) noexcept {
  try {
    for (;;) {
      if (interruptible) ask();
      const int64_t b = j.next.fetch_add(j.grain, std::memory_order_relaxed);
      if (b >= j.n) break;
      j.f(j.arg, b, std::min(j.n, b + j.grain));
    }
  } catch (...) {
    if (!j.failed.exchange(true)) j.error = std::current_exception();
    j.next.store(j.n);  // nobody begins another piece
  }
}
void work_as_helper(Job& j) noexcept {
  const bool collect = collect_float_flags.load(std::memory_order_relaxed);
  if (collect) [[unlikely]] clear_float_flags();
  work_on(j);
  if (collect) [[unlikely]] j.float_flags.fetch_or(float_flags(), std::memory_order_relaxed);
}
int default_threads() {
  if (const char* e = std::getenv("TAPEGRAD_NUM_THREADS")) {
    const int n = std::atoi(e);
    if (n > 0) return std::min(n, 1024);
  }
  cpu_set_t set;
  const int n = sched_getaffinity(0, sizeof set, &set) ? int(std::thread::hardware_concurrency()) : CPU_COUNT(&set);
  return std::max(1, n);
}

// Leaked on purpose: its threads may outlive static destructors.
class Pool {
 public:
  static Pool& get() {
    static Pool& p = *new Pool;
    return p;
  }
  std::atomic<int> threads{default_threads()};

  void run(Job& j, bool interruptible) {
    std::unique_lock<std::mutex> user(use_, std::try_to_lock);
    if (!user) {  // another thread's job has the workers: this one alone is as quick
      inside_piece = true;
      work_on(j, interruptible);
      inside_piece = false;
      return;
    }
    start();
    inside_piece = true;
    {
      std::lock_guard<std::mutex> l(lock_);
      job_ = &j;
      epoch_.fetch_add(1, std::memory_order_release);
    }
    if (sleepers_.load() > 0) wake_.notify_all();
    work_on(j, interruptible);
    {  // from here no worker can join the job; wait for those in it
      std::lock_guard<std::mutex> l(lock_);
      job_ = nullptr;
    }
    for (int k = 0; j.users.load(std::memory_order_acquire) != 0; k++) k < 2000 ? pause() : std::this_thread::yield();
    inside_piece = false;
  }

 private:
  Pool() {
    pthread_atfork(nullptr, nullptr, [] { get().child(); });  // nothing to wait for: what other threads compute ends with them
  }
  void start() {
    std::lock_guard<std::mutex> l(lock_);
    for (; started_ + 1 < threads.load(std::memory_order_relaxed); started_++) std::thread([this, id = started_ + 1] { loop(id); }).detach();
  }
  void loop(int id) {
    inside_piece = true;
    unsigned seen = 0;
    for (;;) {
      for (int k = 0; k < 4000 && epoch_.load(std::memory_order_acquire) == seen; k++) pause();
      Job* j;
      {
        std::unique_lock<std::mutex> l(lock_);
        if (epoch_.load() == seen) {
          sleepers_++;
          wake_.wait(l, [&] { return epoch_.load() != seen; });
          sleepers_--;
        }
        seen = epoch_.load();
        j = id < threads.load(std::memory_order_relaxed) ? job_ : nullptr;
        if (j) j->users++;
      }
      if (j) work_as_helper(*j), j->users.fetch_sub(1, std::memory_order_release);
    }
  }
  void child() {  // only the forking thread exists here
    new (&lock_) std::mutex;
    new (&use_) std::mutex;
    new (&wake_) std::condition_variable;
    started_ = 0, sleepers_ = 0, job_ = nullptr, inside_piece = false;
  }

  std::mutex lock_, use_;
  std::condition_variable wake_;
  std::atomic<unsigned> epoch_{0};
  std::atomic<int> sleepers_{0};
  int started_ = 0;
  Job* job_ = nullptr;
};
[[maybe_unused]] const Pool& at_load = Pool::get();  // a fork while a thread makes it would leave the child waiting for it

}  // namespace

int num_threads() { return Pool::get().threads.load(std::memory_order_relaxed); }
void set_num_threads(int n) {
  TG_CHECK(n >= 1 && n <= 1024, ValueError, "set_num_threads: expected a number from 1 to 1024, got ", n);
  Pool::get().threads.store(n);
}

void ask_for_interrupt() {
  if (check_interrupt && !inside_piece) ask();
}

static void run(int64_t n, int64_t grain, detail::PieceFn f, void* arg, bool interruptible) {
  if (inside_piece || num_threads() < 2) {
    for (int64_t b = 0; b < n; b += grain) {
      if (interruptible) ask_for_interrupt();
      f(arg, b, std::min(n, b + grain));
    }
    return;
  }
  Job j{n, grain, f, arg};
  Pool::get().run(j, interruptible && check_interrupt);
  if (const unsigned flags = j.float_flags.load(std::memory_order_relaxed)) [[unlikely]] raise_float_flags(flags);
  if (j.error) [[unlikely]] std::rethrow_exception(j.error);
}

void detail::run_pieces(int64_t n, int64_t grain, PieceFn f, void* arg) { run(n, grain, f, arg, false); }
void detail::run_interruptible_pieces(int64_t n, int64_t grain, PieceFn f, void* arg) { run(n, grain, f, arg, true); }

}  // namespace tapegrad
