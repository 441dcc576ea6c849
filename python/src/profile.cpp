// The profiler's recorder: a Watcher that keeps one event for each op, node and named range, in a list of its own for each thread.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <map>
#include <set>
#include <thread>
#include <unordered_map>

#include "py.h"
#include "src/autograd/watch.h"
#include "src/tensor/fork.h"
#include "src/tensor/ledger.h"

namespace tapegrad::py {
namespace {

enum class Kind : uint8_t { Op, Node, Range };
struct Event {
  const char* name;
  int64_t start, end = 0;  // nanoseconds, CLOCK_MONOTONIC
  int64_t bytes;           // first those of the thread at the start, then those that came to it
  int32_t parent;          // the event that it runs in, of the same thread; -1 for none
  int32_t shapes = 0, stack = 0;  // numbers of texts, 0: none
  uint64_t sequence = 0;   // of the node that it recorded last, or that it runs; 0 for none
  const Event* maker = nullptr;  // of a node: the op that recorded it
  int64_t number = 0;      // its place in the list for Python
  const void* key;         // what ends it: its scope, node or range
  Place place;
  uint16_t module;
  Kind kind;
};
struct Lane {  // a thread's events
  int64_t thread = syscall(SYS_gettid);
  std::deque<Event> events;
  std::vector<int32_t> open;
};

int64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

class Recorder final : public Watcher {
  const bool shapes_, stacks_;
  const uint64_t id_ = ++last_id_;
  ForkSafeMutex lock_;
  std::map<std::thread::id, Lane> lanes_;
  std::set<std::string> names_;                       // of nodes and ranges: what events point to
  std::map<std::string, int32_t> texts_;
  std::vector<const std::string*> text_of_{nullptr};
  std::unordered_map<const Node*, const Event*> makers_;
  static inline std::atomic<uint64_t> last_id_ = 0;
  static inline thread_local uint64_t lane_of_ = 0;   // the recorder that lane_ is of
  static inline thread_local Lane* lane_ = nullptr;

  Lane& lane() {
    if (lane_of_ != id_) {
      std::lock_guard guard(lock_);
      lane_ = &lanes_[std::this_thread::get_id()], lane_of_ = id_;
    }
    return *lane_;
  }
  const char* kept(const char* name) {
    std::lock_guard guard(lock_);
    return names_.emplace(name).first->c_str();
  }
  int32_t number(const std::string& text) {
    std::lock_guard guard(lock_);
    auto [it, fresh] = texts_.try_emplace(text, int32_t(text_of_.size()));
    if (fresh) text_of_.push_back(&it->first);
    return it->second;
  }
  Event& begin(const char* name, const void* key, Kind kind, const Place& place, uint16_t module) {
    Lane& l = lane();
    const int32_t stack = stacks_ && tls.in_python && kind == Kind::Op ? number(python_stack()) : 0;
    const int32_t parent = l.open.empty() ? -1 : l.open.back();
    l.open.reserve(l.open.size() + 1);
    Event& e = l.events.emplace_back(Event{.name = name, .start = 0, .bytes = bytes_of_thread(), .parent = parent, .stack = stack,
                                           .key = key, .place = place, .module = module, .kind = kind});
    l.open.push_back(int32_t(l.events.size() - 1));
    e.start = now();
    return e;
  }
  void end(const void* key) {
    const int64_t t = now();
    Lane& l = lane();
    size_t k = l.open.size();
    while (k && l.events[size_t(l.open[k - 1])].key != key) k--;
    if (!k) return;  // it began before the recording
    for (; l.open.size() >= k; l.open.pop_back()) close(l.events[size_t(l.open.back())], t);  // those inside were left by an exception
  }
  static void close(Event& e, int64_t t) { e.end = t, e.bytes = bytes_of_thread() - e.bytes; }
  // "[[2, 3], [], [[3], [4]]]"
  static std::string shapes_of(std::span<const Argument> arguments) {
    std::string s = "[";
    for (const Argument& a : arguments) {
      if (s.size() > 1) s += ", ";
      if (a.list) s += '[';
      for (size_t k = 0; k < a.count; k++) {
        if (k) s += ", ";
        s += a.tensors[k].defined() ? to_string(a.tensors[k].sizes()) : "[]";
      }
      if (a.list) s += ']';
      else if (!a.count) s += "[]";
    }
    return s + "]";
  }
  static std::string python_stack() {
    std::string text;
    PyFrameObject* f = PyThreadState_GetFrame(PyThreadState_Get());
    for (int depth = 0; f && depth < 64; depth++) {
      PyCodeObject* code = PyFrame_GetCode(f);
      text += (text.empty() ? "" : "\n") + text_of(code->co_filename) + "(" + std::to_string(PyFrame_GetLineNumber(f)) + "): " + text_of(code->co_name);
      Py_DECREF(code);
      PyFrameObject* outer = PyFrame_GetBack(f);
      Py_DECREF(f);
      f = outer;
    }
    Py_XDECREF(f);
    return text;
  }

 public:
  Recorder(bool shapes, bool stacks) : shapes_(shapes), stacks_(stacks) {}

  void opened(const OpScope& scope) noexcept override {
    try {
      Event& e = begin(scope.name, &scope, Kind::Op, place_now(), tls.module);
      if (!shapes_) return;
      if (const Call* call = running_call(); call && call->scope == scope.outer) e.shapes = number(shapes_of(call->arguments));
    } catch (const std::bad_alloc&) {}  // what memory does not suffice for is left out
  }
  void closed(const OpScope& scope) noexcept override {
    try {
      end(&scope);
    } catch (const std::bad_alloc&) {}
  }
  void recorded(const Node& n, const Tensor&) override {
    Lane& l = lane();
    if (l.open.empty()) return;
    Event& e = l.events[size_t(l.open.back())];
    e.sequence = n.sequence;
    std::lock_guard guard(lock_);
    makers_[&n] = &e;  // a deque's elements stay where they are
  }
  void node_opened(const Node& n, const Tensor* g) override {
    int32_t shapes = 0;
    if (shapes_) {
      std::vector<Argument> given;
      for (int k = 0; k < n.output_count; k++) given.push_back({g + k, 1});
      shapes = number(shapes_of(given));
    }
    Event& e = begin(kept(n.name()), &n, Kind::Node, n.place, n.module);
    e.sequence = n.sequence, e.shapes = shapes;
    std::lock_guard guard(lock_);
    if (const auto it = makers_.find(&n); it != makers_.end()) e.maker = it->second;
  }
  void node_closed(const Node& n, const Tensor*) override { end(&n); }
  void range_opened(const char* name, const void* key) { begin(kept(name), key, Kind::Range, place_now(), tls.module); }
  void range_closed(const void* key) { end(key); }

  void finish() {
    const int64_t t = now();
    for (auto& [_, lane] : lanes_)
      for (; !lane.open.empty(); lane.open.pop_back()) {
        Event& e = lane.events[size_t(lane.open.back())];
        e.end = t, e.bytes = 0;
      }
  }
  PyObject* events();
};

// [(name, start, end, bytes, parent, thread, sequence, kind, place, module, shapes, stack, maker)]; parents and makers are numbers in
// this list.
PyObject* Recorder::events() {
  Obj list = Obj::take(PyList_New(0));
  std::map<std::pair<const void*, int32_t>, Obj> places;
  std::map<uint16_t, Obj> modules;
  std::map<const char*, Obj> names;
  std::map<int32_t, Obj> texts;
  const auto text = [](const std::string& s) { return Obj::take(PyUnicode_DecodeUTF8(s.data(), Py_ssize_t(s.size()), "replace")); };
  const auto known = [](auto& map, const auto& key, auto&& make) {
    Obj& o = map[key];
    if (!o) o = make();
    return o.get();
  };
  const auto numbered = [&](int32_t n) {
    return n ? known(texts, n, [&] { return text(*text_of_[size_t(n)]); }) : Py_None;
  };
  int64_t count = 0;
  for (auto& [_, lane] : lanes_)
    for (Event& e : lane.events) e.number = count++;
  for (auto& [_, lane] : lanes_) {
    const Py_ssize_t first = PyList_GET_SIZE(list.get());
    for (const Event& e : lane.events) {
      PyObject* place = known(places, std::pair(e.place.where, e.place.offset), [&] { return text(e.place.where ? describe(e.place) : ""); });
      PyObject* module = known(modules, e.module, [&] { return text(module_path_text(e.module)); });
      const Obj r = Obj::take(Py_BuildValue("(OLLLnLKiOOOOL)", known(names, e.name, [&] { return text(e.name); }), (long long)e.start, (long long)e.end,
                                            (long long)e.bytes, e.parent < 0 ? Py_ssize_t(-1) : first + e.parent, (long long)lane.thread,
                                            (unsigned long long)e.sequence, int(e.kind), place, module, numbered(e.shapes), numbered(e.stack),
                                            (long long)(e.maker ? e.maker->number : -1)));
      checked(PyList_Append(list.get(), r.get()));
    }
  }
  return list.release();
}

// ---- from Python: a recorder is a capsule

void delete_recorder(PyObject* capsule) { delete static_cast<Recorder*>(PyCapsule_GetPointer(capsule, nullptr)); }
Recorder& recorder_of(PyObject* capsule) {
  auto* r = static_cast<Recorder*>(PyCapsule_GetPointer(capsule, nullptr));
  if (!r) throw PythonError();
  return *r;
}
/// Those that listen, owned: nobody may hold another reference. record_function tells them. Under the GIL.
std::vector<Obj>& running() {
  static auto& capsules = *new std::vector<Obj>;
  return capsules;
}
PyObject* py_new(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return guarded([&]() -> PyObject* {
    if (nargs != 2) raise(PyExc_TypeError, "_profile_new(shapes, stacks)");
    auto r = std::make_unique<Recorder>(args[0] == Py_True, args[1] == Py_True);
    PyObject* capsule = checked(PyCapsule_New(r.get(), nullptr, delete_recorder));
    r.release();
    return capsule;
  });
}
PyObject* py_start(PyObject*, PyObject* capsule) {
  return guarded([&]() -> PyObject* {
    Recorder& r = recorder_of(capsule);
    running().push_back(Obj::keep(capsule));
    {
      const WithoutPython free;  // see remove_watcher()
      add_watcher(&r);
    }
    Py_RETURN_NONE;
  });
}
PyObject* py_stop(PyObject*, PyObject* capsule) {
  return guarded([&]() -> PyObject* {
    Recorder& r = recorder_of(capsule);
    std::erase_if(running(), [&](const Obj& o) { return o.get() == capsule; });
    {
      const WithoutPython free;
      remove_watcher(&r);
    }
    r.finish();
    return r.events();
  });
}
PyObject* py_enter_range(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return guarded([&]() -> PyObject* {
    const char* name = nargs == 2 ? PyUnicode_AsUTF8(args[0]) : nullptr;
    if (!name) raise(PyExc_TypeError, "record_function() takes a name");
    for (const Obj& o : running()) recorder_of(o.get()).range_opened(name, args[1]);
    Py_RETURN_NONE;
  });
}
PyObject* py_exit_range(PyObject*, PyObject* key) {
  return guarded([&]() -> PyObject* {
    for (const Obj& o : running()) recorder_of(o.get()).range_closed(key);
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {
    {"_profile_new", function_pointer(py_new), METH_FASTCALL, "A recorder: (shapes, stacks)."},
    {"_profile_start", py_start, METH_O, nullptr},
    {"_profile_stop", py_stop, METH_O, "What it has kept: [(name, start, end, bytes, parent, thread, sequence, kind, place, module, shapes, stack, maker), ...]."},
    {"_profile_enter", function_pointer(py_enter_range), METH_FASTCALL, "(name, key): a named range begins."},
    {"_profile_exit", py_exit_range, METH_O, nullptr},
    {}};

}  // namespace

PyMethodDef* profile_functions() { return functions; }

}  // namespace tapegrad::py
