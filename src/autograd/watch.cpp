#include "src/autograd/watch.h"

#include <pthread.h>

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
  static Watchers& w = *[] {  // never destroyed: ops may run after static destructors
    // A fork cannot wait for those who are inside: they may wait for Python's lock. They are not in the child.
    pthread_atfork(nullptr, nullptr, [] { new (&watchers().lock) std::shared_mutex; });
    return new Watchers;
  }();
  return w;
}
[[maybe_unused]] const Watchers& at_load = watchers();  // a fork while a thread makes them would leave the child waiting for it
template <class... P, class... A> void tell(void (Watcher::*what)(P...), A&&... about) {
  std::shared_lock guard(watchers().lock);
  for (Watcher* w : watchers().all) (w->*what)(about...);
}
template <class P> void tell_noexcept(void (Watcher::*what)(P) noexcept, P about) {
  std::shared_lock guard(watchers().lock);
  for (Watcher* w : watchers().all) (w->*what)(about);
}
thread_local const Call* innermost = nullptr;
}  // namespace

void add_watcher(Watcher* w) {
  detail::meet_thread();
  std::lock_guard guard(watchers().lock);
  watchers().all.push_back(w);
  detail::set_watched(true);
}
void remove_watcher(Watcher* w) {
  {
    std::shared_lock guard(watchers().lock);
    if (watchers().all.size() == 1) detail::set_watched(false);  // or threads that take turns inside would keep the lock for ever
  }
  std::lock_guard guard(watchers().lock);
  std::erase(watchers().all, w);
  detail::set_watched(!watchers().all.empty());
}

void OpScope::opened() noexcept { tell_noexcept<const OpScope&>(&Watcher::opened, *this); }
void OpScope::closed() noexcept { tell_noexcept<const OpScope&>(&Watcher::closed, *this); }
void detail::tell_recorded(const Node& n, const Tensor& out) { tell(&Watcher::recorded, n, out); }
void detail::tell_node_opened(const Node& n, const Tensor* g) { tell(&Watcher::node_opened, n, g); }
void detail::tell_node_closed(const Node& n, const Tensor* dx) { tell(&Watcher::node_closed, n, dx); }

Call::Call(const char* n, std::span<const Argument> a, const Tensor* t) : name(n), arguments(a), outer(innermost), scope(tls.scope), target(t) {
  for (const Argument& v : a) versions.push_back(!v.list && v.count && v.tensors->defined() ? v.tensors->version() : 0);
  if (target) tell(&Watcher::will_write, *this);
  innermost = this;
}
Call::~Call() { innermost = outer; }
void Call::returned(std::span<const Tensor> results) const { tell(&Watcher::returned, *this, results); }
const Call* running_call() { return innermost; }

}  // namespace tapegrad
