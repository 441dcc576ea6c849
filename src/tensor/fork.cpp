#include "src/tensor/fork.h"

#include <pthread.h>

#include <algorithm>
#include <vector>

namespace tapegrad {

namespace {
struct Mutexes {
  std::mutex lock;
  std::vector<std::mutex*> all;
};
Mutexes& mutexes();
void take_all() {
  mutexes().lock.lock();
  for (std::mutex* m : mutexes().all) m->lock();
}
void free_all() {
  for (std::mutex* m : mutexes().all) m->unlock();
  mutexes().lock.unlock();
}
Mutexes& mutexes() {
  static Mutexes& m = *[] {
    auto* made = new Mutexes;
    pthread_atfork(take_all, free_all, free_all);
    return made;
  }();
  return m;
}
}  // namespace

ForkSafeMutex::ForkSafeMutex() {
  std::lock_guard guard(mutexes().lock);
  mutexes().all.push_back(this);
}
ForkSafeMutex::~ForkSafeMutex() {
  std::lock_guard guard(mutexes().lock);
  std::erase(mutexes().all, this);
}

}  // namespace tapegrad
