#include "src/autograd/watch.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>

namespace tapegrad {

namespace {
struct Watchers {
  std::shared_mutex lock;
  std::vector<Watcher*> all;
};
Watchers& watchers() {
  static Watchers& w = *new Watchers;  // ops may run after static destructors
  return w;
}
}  // namespace

void add_watcher(Watcher* w) {
  detail::meet_thread();
  std::lock_guard guard(watchers().lock);
  watchers().all.push_back(w);
  detail::set_watched(true);
}
void remove_watcher(Watcher* w) {
  std::lock_guard guard(watchers().lock);
  std::erase(watchers().all, w);
  if (watchers().all.empty()) detail::set_watched(false);
}

void OpScope::opened() noexcept {
  std::shared_lock guard(watchers().lock);
  for (Watcher* w : watchers().all) w->opened(*this);
}
void OpScope::closed() noexcept {
  std::shared_lock guard(watchers().lock);
  for (Watcher* w : watchers().all) w->closed(*this);
}

}  // namespace tapegrad
