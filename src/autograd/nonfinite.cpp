#include "src/autograd/nonfinite.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>

#include "src/tensor/float_flags.h"
#include "src/tensor/half.h"
#include "src/tensor/ledger.h"
#include "tapegrad/ops.h"

namespace tapegrad {

namespace {

// ---- looking

struct Range {
  double min = std::numeric_limits<double>::infinity(), max = -min;
  int64_t nans = 0, infs = 0, count = 0;
  bool finite() const { return !nans && !infs; }
  void add(double v) {
    count++;
    if (std::isnan(v)) nans++;
    else if (std::isinf(v)) infs++;
    else min = std::min(min, v), max = std::max(max, v);
  }
};

// All exponent bits set: NaN or infinity. Without branches, so that compilers make it a loop over vectors.
template <class Bits> bool any_nonfinite(const void* data, int64_t n, Bits exponent) {
  const auto* p = static_cast<const Bits*>(data);
  for (int64_t k = 0; k < n;) {
    Bits found = 0;
    for (const int64_t end = std::min(n, k + 4096); k < end; k++) found |= Bits((p[k] & exponent) == exponent);
    if (found) return true;
  }
  return false;
}
bool any_nonfinite(const Tensor& t) {
  const bool complex = is_complex(t.dtype());
  const int64_t n = t.numel() * (complex ? 2 : 1);
  switch (t.dtype()) {
    case Dtype::Float64: case Dtype::Complex128: return any_nonfinite(t->data, n, uint64_t(0x7ff) << 52);
    case Dtype::Float32: case Dtype::Complex64: return any_nonfinite(t->data, n, uint32_t(0xff) << 23);
    case Dtype::Float16: return any_nonfinite(t->data, n, uint16_t(0x7c00));
    case Dtype::BFloat16: return any_nonfinite(t->data, n, uint16_t(0x7f80));
    default: return false;
  }
}
// What can be looked at: floating numbers in the CPU's memory. Those with gaps are copied.
bool seen(const Tensor& t) { return t.defined() && t.numel() && is_differentiable(t.dtype()) && !t.is_cuda(); }
struct Quiet {  // looking runs ops, too
  NoGrad off;
  bool watched = is_watched();
  Node* differentiating = tls.differentiating;
  Quiet() { set_watched(false), tls.differentiating = nullptr; }
  ~Quiet() { set_watched(watched), tls.differentiating = differentiating; }
  static void set_watched(bool on) { __atomic_store_n(&tls.watched, on, __ATOMIC_RELAXED); }  // remove_watcher() does, too
};
bool has_nonfinite(const Tensor& t) {
  if (!seen(t)) return false;
  if (t->contiguous) return any_nonfinite(t);
  Quiet quiet;
  return any_nonfinite(contiguous(t));
}
Range range_of(const Tensor& t) {
  Range r;
  if (!seen(t)) return r;
  Quiet quiet;
  const Tensor x = contiguous(to(is_complex(t.dtype()) ? view_as_real(t) : t, Dtype::Float64));
  for (int64_t k = 0; k < x.numel(); k++) r.add(x->host<const double>()[k]);
  return r;
}
std::string text_of(const Tensor& t) {
  std::string s;
  detail::put(s, t);
  if (!seen(t)) return s;
  const Range r = range_of(t);
  char text[96];
  if (r.count > r.nans + r.infs) {
    std::snprintf(text, sizeof text, ", from %.6g to %.6g", r.min, r.max);
    s += text;
  }
  if (r.nans) s += ", " + std::to_string(r.nans) + " nan";
  if (r.infs) s += ", " + std::to_string(r.infs) + " inf";
  if (!r.finite()) s += " of " + std::to_string(r.count);
  return s;
}
std::string in_module(uint16_t module) { return module ? ", in " + module_path_text(module) : ""; }

// ---- which ops

/// Make such values without a flag (tests/python/test_nonfinite.py finds them): always looked through. Special functions and linear
/// algebra are, too: what they cost hides it.
bool silent(std::string_view op) {
  static constexpr std::string_view names[] = {"acosh", "atanh", "digamma", "erfinv", "igamma", "igammac", "kl_div", "log", "log10", "log1p", "log2", "logdet", "logit", "pow",
                                               "poisson_nll_loss", "polygamma", "slogdet", "xlogy",
                                               "PolygammaBackward0", "PowBackward0", "PowBackward1", "SpecialEntrBackward0"};
  if (op.ends_with('_')) op.remove_suffix(1);
  return op.starts_with("special_") || op.starts_with("linalg") || std::find(std::begin(names), std::end(names), op) != std::end(names);
}
/// Numbers that are rounded or combined by hand.
bool silent(Dtype d) { return d == Dtype::Float16 || d == Dtype::BFloat16 || is_complex(d); }

std::atomic<NonfiniteHit> innermost_hit = nullptr;  // of those who watch, the one who came last

struct Given {  // to a node that runs
  const Node* node;
  std::vector<Tensor> gradients;
};
thread_local std::vector<Given> given_to_nodes;  // the innermost is the last

class Search final : public Watcher {
  static inline thread_local const char* last_op = "";  // the outermost that began last: calls of operators have no name

  static bool in_target(const Tensor& t, const Call& call) { return call.target && t.defined() && t->storage == (*call.target)->storage; }
  /// Number k of the call's arguments, or a tensor of that list: by the op's result, or because the op keeps something there.
  static bool overwritten(const Tensor& t, const Call& call, size_t k) {
    return in_target(t, call) || (!call.arguments[k].list && t.version() != call.versions[k]);
  }
  static bool given_nonfinite(const Call& call) {
    if (!call.target_was_finite) return true;
    for (size_t k = 0; k < call.arguments.size(); k++) {
      const Argument& a = call.arguments[k];
      if (!std::isfinite(a.number)) return true;
      for (const Tensor& t : std::span(a.tensors, a.count))
        if (t.defined() && !overwritten(t, call, k) && has_nonfinite(t)) return true;
    }
    return false;
  }
  void check(std::string_view op, const Tensor& out) const {  // leaves the flags: there may be more outputs
    if (!float_flags() && !silent(op) && !silent(out.dtype())) return;
    if (!has_nonfinite(out)) return;
    const Call* call = running_call();
    if (call && given_nonfinite(*call)) return;
    std::string text = std::string(op) + " made " + text_of(out) + "\n  at " + describe(place_now()) + in_module(tls.module);
    if (call) {
      for (size_t k = 0; k < call->arguments.size(); k++) {
        const Argument& a = call->arguments[k];
        for (size_t n = 0; n < a.count; n++)
          if (const Tensor& t = a.tensors[n]; t.defined())
            text += "\n  argument " + std::to_string(k + 1) + (a.list ? "[" + std::to_string(n) + "]" : "") + ": " +
                    (overwritten(t, *call, k) ? "overwritten" : text_of(t));
      }
    }
    clear_float_flags();
    innermost_hit.load()(text);
  }

 public:
  void opened(const OpScope& scope) noexcept override {
    if (scope.outer) return;
    last_op = scope.name;
    given_to_nodes.clear();  // what an exception has left
    clear_float_flags();
  }
  void will_write(Call& call) override {
    for (const Argument& a : call.arguments)
      for (const Tensor& t : std::span(a.tensors, a.count))
        if (in_target(t, call) && has_nonfinite(t)) call.target_was_finite = false;
  }
  void returned(const Call& call, std::span<const Tensor> results) override {
    for (const Tensor& r : results)
      if (r.defined()) check(*call.name ? call.name : last_op, r);
  }
  void recorded(const Node&, const Tensor& out) override { check(tls.scope ? tls.scope->name : "", out); }
  void node_opened(const Node& n, const Tensor* g) override {
    clear_float_flags();
    given_to_nodes.push_back({&n, {g, g + n.output_count}});
  }
  void node_closed(const Node& n, const Tensor* dx) override {
    std::vector<Tensor> given;
    while (!given_to_nodes.empty()) {  // above it are nodes whose backwards threw
      const Given last = std::move(given_to_nodes.back());
      given_to_nodes.pop_back();
      if (last.node != &n) continue;
      given = std::move(last.gradients);
      break;
    }
    int k = 0;
    while (k < n.edge_count && !dx[k].defined()) k++;
    if (k == n.edge_count || (!float_flags() && !silent(n.name()) && !silent(dx[k].dtype()))) return;
    for (k = 0; k < n.edge_count && !has_nonfinite(dx[k]);) k++;
    clear_float_flags();
    if (k == n.edge_count) return;
    for (const Tensor& g : given) if (has_nonfinite(g)) return;
    std::string text = std::string("the backward of ") + n.name() + " made " + text_of(dx[k]) + " for its input " + std::to_string(k) +
                       "\n  its forward was called at " + describe(n.place) + in_module(n.module);
    for (const Tensor& g : given) if (g.defined()) text += "\n  gradient that it got: " + text_of(g);
    clear_float_flags();
    innermost_hit.load()(text);
  }
};

std::mutex lock;  // of hits; a fork cannot wait for its holder, who may wait for a watcher: in the child it is free
[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] { new (&lock) std::mutex; });
auto& hits = *new std::vector<NonfiniteHit>;  // of all that watch; ops may run after static destructors
Search& search = *new Search;

}  // namespace

void watch_nonfinite(NonfiniteHit h) {
  std::lock_guard guard(lock);
  hits.reserve(hits.size() + 1);
  innermost_hit = h;
  if (hits.empty()) add_watcher(&search);
  hits.push_back(h);
  collect_float_flags = true;
}
void unwatch_nonfinite(NonfiniteHit h) {
  std::lock_guard guard(lock);
  const auto at = std::find(hits.rbegin(), hits.rend(), h);
  if (at == hits.rend()) return;
  hits.erase(at.base() - 1);
  if (!hits.empty()) {
    innermost_hit = hits.back();
    return;
  }
  remove_watcher(&search);
  collect_float_flags = false;
  given_to_nodes.clear();
}

void raise_nonfinite(const std::string& text) { detail::fail<GradError>("detect_nonfinite: ", text); }
DetectNonfinite::DetectNonfinite() { watch_nonfinite(raise_nonfinite); }
DetectNonfinite::~DetectNonfinite() { unwatch_nonfinite(raise_nonfinite); }

}  // namespace tapegrad
