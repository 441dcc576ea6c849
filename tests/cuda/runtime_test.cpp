// The tables that the core gets from the plugin, on five simulated devices: here work is done at once, so what is seen is values,
// bookkeeping and errors, not the order of streams.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>

#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "src/cuda/runtime/copy.h"
#include "src/cuda/runtime/memory.h"
#include "src/cuda/runtime/stream.h"
#include "tests/cuda/in_child.h"

extern "C" int tapegrad_cuda_init(const tapegrad::CudaHost* host, tapegrad::CudaPlugin* out, char* why, size_t n);

using namespace tapegrad;

namespace {

const bool five_devices = setenv("TG_SIMULATED_DEVICES", "5", 0) == 0;  // before the simulator looks

struct Failure : std::runtime_error {
  int kind;
  Failure(int k, const char* text) : std::runtime_error(text), kind(k) {}
};
CudaHost test_host() {
  return {kCudaAbi, sizeof(CudaHost), TAPEGRAD_VERSION, [](int kind, const char* text) { throw Failure(kind, text); },
          []() -> const char* { return nullptr; }};
}
std::string init(const CudaHost& host, CudaPlugin* out) {
  char why[1024] = "";
  return tapegrad_cuda_init(&host, out, why, sizeof why) == 0 ? "" : why;
}

struct CudaTables : testing::Test {
  CudaPlugin plugin{};
  const CudaRuntime& r = plugin.runtime;
  void SetUp() override {
    static const CudaHost host = test_host();
    ASSERT_EQ(init(host, &plugin), "");
  }
  void TearDown() override { r.set_device(0); }
};
template <class F> std::string message_of(F f, int kind = CudaHost::kError) {
  try {
    f();
  } catch (const Failure& e) {
    EXPECT_EQ(e.kind, kind);
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST(CudaInit, RefusesACoreOfAnotherBuild) {
  CudaPlugin p{};
  CudaHost h = test_host();
  h.abi = 99;
  EXPECT_EQ(init(h, &p), "its CUDA backend is of another build (version " TAPEGRAD_VERSION ", interface " + std::to_string(kCudaAbi) +
                           "; the core has version " TAPEGRAD_VERSION ", interface 99)");
  h = test_host();
  h.version = "0.0.1";
  EXPECT_EQ(init(h, &p), "its CUDA backend is of another build (version " TAPEGRAD_VERSION ", interface " + std::to_string(kCudaAbi) +
                           "; the core has version 0.0.1, interface " + std::to_string(kCudaAbi) + ")");
  EXPECT_EQ(p.kernels, nullptr);
}

TEST(CudaInit, NoDevice) {
  EXPECT_EQ(cuda::in_child([] {
    setenv("TG_SIMULATED_DEVICES", "0", 1);
    CudaPlugin p{};
    const CudaHost h = test_host();
    return init(h, &p);
  }), "no CUDA device is visible (CUDA_VISIBLE_DEVICES?)");
}

TEST_F(CudaTables, AreFull) {
  EXPECT_EQ(plugin.abi, kCudaAbi);
  EXPECT_EQ(plugin.size, sizeof(CudaPlugin));
  EXPECT_STREQ(plugin.version, TAPEGRAD_VERSION);
  EXPECT_NE(plugin.kernels, nullptr);
  const void* functions[sizeof(CudaRuntime) / sizeof(void*)];
  memcpy(functions, &r, sizeof r);
  for (const void*& f : functions) EXPECT_NE(f, nullptr) << "function " << &f - functions;
}

TEST_F(CudaTables, DevicesAreChosenByThread) {
  EXPECT_EQ(r.device_count(), 5);
  EXPECT_EQ(r.current_device(), 0);
  r.set_device(1);
  EXPECT_EQ(r.current_device(), 1);
  std::thread([&] { EXPECT_EQ(r.current_device(), 0); }).join();
  { const cuda::DeviceGuard g(0); EXPECT_EQ(r.current_device(), 0); }
  EXPECT_EQ(r.current_device(), 1);
  EXPECT_EQ(message_of([&] { r.set_device(5); }), "there is no device cuda:5: 5 are visible");
  EXPECT_EQ(r.current_device(), 1);
  CudaProperties p;
  r.properties(-1, &p);
  EXPECT_EQ(p.major, 9);
  EXPECT_EQ(p.uuid[15], 2);
  EXPECT_TRUE(r.can_access_peer(0, 1));
  EXPECT_FALSE(r.can_access_peer(1, 1));
}

// A context takes half a gigabyte of a device: choosing a device, and leaving it again, must not make one.
TEST_F(CudaTables, ChoosingADeviceDoesNotTouchIt) {
  auto actual = [] {
    int device = -1;
    cudaGetDevice(&device);
    return device;
  };
  const int before = actual();
  r.set_device(2);
  EXPECT_EQ(r.current_device(), 2);
  EXPECT_EQ(actual(), before);
  cuda::current_stream();  // now it is used
  EXPECT_EQ(actual(), 2);
  r.set_device(3);
  EXPECT_EQ(r.current_device(), 3);
  EXPECT_EQ(actual(), 2);
  { const cuda::DeviceGuard g(0); EXPECT_EQ(actual(), 0); }
  EXPECT_EQ(r.current_device(), 3);
  EXPECT_EQ(actual(), 0);
  { const cuda::Scratch s(100); EXPECT_EQ(actual(), 3); }
  r.set_device(2);
  EXPECT_EQ(actual(), 2);
}

TEST_F(CudaTables, CopiesInAllDirections) {
  for (size_t n : {size_t(1), size_t(1000), size_t(3) << 20}) {
    std::vector<unsigned char> from(n), to(n);
    std::iota(from.begin(), from.end(), 1);
    void *b0, *b1, *b2;
    char *d0 = r.alloc(0, n, &b0), *d1 = r.alloc(0, n, &b1), *d2 = r.alloc(1, n, &b2);
    r.copy(d0, 0, from.data(), -1, n, false);
    r.copy(d1, 0, d0, 0, n, false);
    r.copy(d2, 1, d1, 0, n, true);
    r.copy(to.data(), -1, d2, 1, n, false);
    EXPECT_EQ(to, from);
    EXPECT_EQ(r.current_device(), 0);
    void* hb;
    char* h = static_cast<char*>(r.host_alloc(n, &hb));
    EXPECT_TRUE(r.is_pinned(h + n - 1));
    EXPECT_FALSE(r.is_pinned(to.data()));
    EXPECT_FALSE(r.is_pinned(d0));
    r.copy(h, -1, d2, 1, n, true);
    r.stream_synchronize(1, nullptr);
    EXPECT_EQ(memcmp(h, from.data(), n), 0);
    h[0] = 77;
    r.copy(d0, 0, h, -1, n, true);
    r.copy(to.data(), -1, d0, 0, n, true);  // not pinned: done when it returns
    EXPECT_EQ(to[0], 77);
    r.host_free(hb);
    for (void* b : {b0, b1, b2}) r.free(b);
  }
  r.copy(nullptr, 0, nullptr, -1, 0, false);
}

TEST_F(CudaTables, AllocatesOnTheDeviceThatIsNamed) {
  CudaMemory before, after;
  r.memory(1, &before);
  void *b, *none;
  r.alloc(1, 5000, &b);
  EXPECT_EQ(r.alloc(1, 0, &none), nullptr);
  r.free(none);
  r.memory(1, &after);
  EXPECT_EQ(after.asked - before.asked, 5000u);
  r.record_stream(b, r.new_stream(1, 0));
  r.record_stream(b, nullptr);
  r.free(b);
  r.memory(-1, &after);
  uint64_t free, total, later;
  r.memory_info(1, &free, &total);
  r.empty_cache();
  r.memory_info(1, &later, &total);
  EXPECT_GT(later, free);
  EXPECT_EQ(r.current_device(), 0);
}

TEST_F(CudaTables, SaysWhatTakesTheMemory) {
  void* b;
  EXPECT_EQ(message_of([&] { r.alloc(0, uint64_t(1) << 40, &b); }, CudaHost::kOutOfMemory).substr(0, 57),
            "CUDA out of memory: asked for 1.00 TiB on cuda:0, which h");
  r.set_memory_limit(0, 1);
  EXPECT_NE(message_of([&] { r.alloc(0, 1 << 20, &b); }, CudaHost::kOutOfMemory).find("and may hold 1 bytes"), std::string::npos);
  r.set_memory_limit(0, 0);
  EXPECT_EQ(cuda::in_child([&] {
    setenv("TAPEGRAD_CUDA_MEM_LIMIT", "some", 1);
    return message_of([&] { r.alloc(4, 1, &b); });
  }), "TAPEGRAD_CUDA_MEM_LIMIT=some is neither a number of bytes nor a fraction of the device's memory");
  EXPECT_EQ(cuda::in_child([&] {
    setenv("TAPEGRAD_CUDA_MEM_LIMIT", "0.25", 1);
    CudaMemory m;
    uint64_t free, total;
    r.memory(4, &m);
    r.memory_info(4, &free, &total);
    return std::to_string(double(m.limit) / double(total));
  }), "0.250000");
}

TEST_F(CudaTables, StreamsAreChosenByThreadAndDevice) {
  const CudaStream usual = r.current_stream(0), mine = r.new_stream(0, -1);
  EXPECT_EQ(usual, r.default_stream(0));
  r.set_stream(0, mine);
  EXPECT_EQ(r.current_stream(0), mine);
  EXPECT_EQ(r.current_stream(1), r.default_stream(1));
  EXPECT_EQ(cuda::current_stream(), mine);
  std::thread([&] { EXPECT_EQ(r.current_stream(0), usual); }).join();
  EXPECT_TRUE(r.stream_done(0, mine));
  r.set_stream(0, nullptr);
  EXPECT_EQ(r.current_stream(0), usual);
  r.synchronize(-1);
}

TEST_F(CudaTables, EventsMeasureTime) {
  const CudaEvent a = r.new_event(0, true), b = r.new_event(0, true);
  r.record_event(a, 0, nullptr);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  r.record_event(b, 0, nullptr);
  r.stream_wait(1, r.default_stream(1), b);
  r.event_synchronize(b);
  EXPECT_TRUE(r.event_done(b));
  EXPECT_GE(r.event_ms(a, b), 1.5f);
  const CudaEvent plain = r.new_event(0, false);
  r.record_event(plain, 0, nullptr);
  EXPECT_EQ(message_of([&] { r.event_ms(plain, b); }),
            "cudaEventElapsedTime(&ms, as_event(from), as_event(to)) failed: invalid resource handle (cudaErrorInvalidResourceHandle)");
  EXPECT_EQ(cuda::in_child([&] { return message_of([&] { r.event_ms(plain, b); }); }),
            "CUDA cannot be used in a forked child of a process that has used it; start children anew (start method 'spawn')");
  for (CudaEvent e : {a, b, plain}) r.free_event(e);
}

TEST_F(CudaTables, TextsAreGivenBack) {
  void* b;
  r.alloc(0, 1000, &b);
  char* json = r.snapshot();
  EXPECT_EQ(std::string(json).substr(0, 14), "[{\"device\": 0,");
  EXPECT_EQ(std::string(json).back(), ']');
  r.free_text(json);
  r.free(b);
  char* libraries = r.libraries();
  r.free_text(libraries);
  r.range_push("range");
  r.mark("mark");
  r.range_pop();
}
