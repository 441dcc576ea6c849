// Kills a process at every point where it writes a file, and lets every such call fail: afterwards the file is the old one or the new one,
// whole, and where the writer lives nothing else is left behind. Each writer of tapegrad/io.h; more than 1,000 kills.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "faults.h"
#include "tapegrad/io.h"

using namespace tapegrad;

namespace {

std::string read(const std::string& path) {
  std::ifstream f(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(f), {}};
}
#define CHECK(condition) ((condition) ? void() : (std::printf("%s: %s: call %ld, fault %d (%d)\n", name, #condition, n, what, detail), std::exit(1)))

StateDict tensors(float value) {
  StateDict s;
  for (int k = 0; k < 6; k++) s.emplace_back("w" + std::to_string(k), full({40 * k + 1, 30}, value));
  return s;
}
const struct Writer {
  const char* name;
  void (*save)(float value, const std::string& path);
} kWriters[] = {
    {"safetensors", [](float v, const std::string& p) { save(tensors(v), p); }},
    {"npz", [](float v, const std::string& p) { save_npz(tensors(v), p); }},
    {"npy", [](float v, const std::string& p) { save_npy(full({300, 40}, v), p); }},
    {"checkpoint", [](float v, const std::string& p) { save_checkpoint({.model = tensors(v), .optimizer = tensors(v), .values = {}, .texts = {{"a", "b"}}}, p); }}};

/// Runs save(2) in a process of its own with a fault; the signal that ended it, 0 when it wrote the file, -1 when it threw an IoError.
int run(const Writer& w, const std::string& path, long n, int what, int detail) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    fault_arm(n, what, detail);
    try {
      w.save(2, path);
      ::_exit(0);
    } catch (const IoError&) {
      ::_exit(1);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) == 0 ? 0 : -1;
}

}  // namespace

int main() {
  set_num_threads(1);  // no threads that a fork leaves behind
  const std::filesystem::path memory = "/dev/shm", disk = std::filesystem::temp_directory_path();  // of which the first flushes in no time
  const std::string folder = ((std::filesystem::exists(memory) ? memory : disk) / ("tapegrad-crash-" + std::to_string(::getpid()))).string(), path = folder + "/file";
  std::mt19937 random(0);
  int kills = 0, failures = 0;
  for (const Writer& w : kWriters) {
    const char* name = w.name;
    long n = -1;
    int what = kFaultNone, detail = 0;
    const auto begin_anew = [&] {
      std::filesystem::remove_all(folder);
      std::filesystem::create_directories(folder);
      w.save(1, path);
    };
    begin_anew();
    const std::string old = read(path);
    fault_arm(-1, kFaultNone, 0);
    w.save(2, path);
    const std::string trace = fault_trace(), whole = read(path);
    const auto calls = long(trace.size());
    CHECK(trace.starts_with("CW") && trace.ends_with("WMSLRDL"));  // written, given its permissions, flushed, renamed, and the folder flushed
    CHECK(old != whole && old.size() == whole.size());
    const auto try_once = [&](long call, int fault, int how) {
      n = call, what = fault, detail = how;
      const int ended = run(w, path, n, what, detail);
      const std::string now = read(path);
      CHECK(now == old || now == whole);
      const bool killed = what == kFaultKillBefore || what == kFaultKillAfter;
      CHECK(ended == (killed ? SIGKILL : what == kFaultShort ? 0 : now == old ? -1 : 0));
      if (what == kFaultShort) CHECK(now == whole);
      if (killed) CHECK((now == whole) == (n > calls - 3 || (n == calls - 3 && what == kFaultKillAfter)));
      else CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 1);
      (killed ? kills : failures)++;
      if (killed || now != old) begin_anew();
    };
    begin_anew();
    for (long k = 0; k < calls; k++) {
      try_once(k, kFaultKillBefore, 0);
      try_once(k, kFaultKillAfter, 256);
      for (const int error : {EIO, ENOSPC, EDQUOT}) try_once(k, kFaultFail, error);
      try_once(k, kFaultShort, trace[size_t(k)] == 'W' ? 128 : 256);
    }
    for (int k = 0; k < 250; k++) try_once(long(random() % size_t(calls)), kFaultKillAfter, int(random() % 256));
    for (int k = 0; k < 50; k++) try_once(long(trace.find('W')), kFaultShort, 1 + int(random() % 255));
  }
  std::filesystem::remove_all(folder);
  std::printf("%d kills, %d failures: the file was the old one or the new one each time\n", kills, failures);
}
