// What data loaders share: the worker threads, samplers, the generators of batches.
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "tapegrad/data.h"

namespace tapegrad::data {

// ---- random numbers ------------------------------------------------------------------------------------------------

static thread_local const Generator* batch_generator = nullptr;
const Generator& generator() { return batch_generator ? *batch_generator : default_generator(); }

static uint64_t random_seed(const Generator* generator) {
  return uint64_t(empty({}, int64).random_({}, {}, generator).item<int64_t>());
}

// ---- samplers ------------------------------------------------------------------------------------------------------

Sampler sequential_sampler(int64_t n) {
  return Sampler(n, [n] { return arange(n); });
}

Sampler random_sampler(int64_t n, std::optional<Generator> generator, OnlyBool replacement, std::optional<int64_t> num_samples) {
  const int64_t wanted = num_samples.value_or(n);
  TG_CHECK(wanted > 0 || (!num_samples && n == 0), ValueError, "random_sampler: num_samples must be positive, got ", wanted);
  return Sampler(n == 0 ? 0 : wanted, [n, generator, replacement, wanted] {
    const Generator g = generator ? *generator : Generator(random_seed(nullptr));
    std::vector<Tensor> parts;
    for (int64_t left = n == 0 ? 0 : wanted; left > 0; left -= parts.back().numel()) {
      if (replacement) parts.push_back(randint(0, n, {left < 4096 ? left : 4096}, int64, {}, &g));
      else parts.push_back(narrow(randperm(n, {}, {}, &g), 0, 0, left < n ? left : n));
    }
    return parts.empty() ? empty({0}, int64) : cat(parts);
  });
}

Sampler subset_random_sampler(Tensor indices, Generator generator) {
  TG_CHECK(indices.dim() == 1, ShapeError, "subset_random_sampler: expected one dimension of indices", Named{"indices", indices});
  return Sampler(indices.numel(), [indices, generator] { return index_select(indices, 0, randperm(indices.numel(), {}, {}, &generator)); });
}

Sampler weighted_random_sampler(Tensor weights, int64_t num_samples, OnlyBool replacement, Generator generator) {
  TG_CHECK(weights.dim() == 1, ShapeError, "weighted_random_sampler: expected one dimension of weights", Named{"weights", weights});
  TG_CHECK(num_samples > 0, ValueError, "weighted_random_sampler: num_samples must be positive, got ", num_samples);
  return Sampler(num_samples, [weights = to(weights, float64), num_samples, replacement, generator] {
    return weights.multinomial(num_samples, replacement, &generator);
  });
}

std::vector<Tensor> detail::random_split(int64_t n, std::vector<double> lengths, const Generator& generator) {
  OpScope op("random_split");
  double sum = 0;
  for (const double x : lengths) sum += x;
  if (sum <= 1 && sum > 1 - 1e-9) {
    int64_t rest = n;
    for (double& x : lengths) {
      TG_CHECK(x >= 0 && x <= 1, ValueError, "a fraction must lie between 0 and 1, got ", x);
      x = double(int64_t(double(n) * x));
      rest -= int64_t(x);
    }
    for (int64_t i = 0; i < rest; i++) lengths[size_t(i) % lengths.size()]++;
    sum = double(n);
  }
  TG_CHECK(sum == double(n), ValueError, "the lengths must sum to the ", n, " samples, or fractions to 1; they sum to ", sum);
  const Tensor order = randperm(n, {}, {}, &generator);
  std::vector<Tensor> parts;
  int64_t at = 0;
  for (const double x : lengths) {
    TG_CHECK(x >= 0 && x == double(int64_t(x)), ValueError, "a length must be a whole number, got ", x);
    parts.push_back(narrow(order, 0, at, int64_t(x)));
    at += int64_t(x);
  }
  return parts;
}

// ---- the loader ----------------------------------------------------------------------------------------------------

void detail::check_options(const LoaderOptions& o, bool stream) {
  OpScope op("DataLoader");
  TG_CHECK(o.batch_size > 0, ValueError, "batch_size must be positive, got ", o.batch_size);
  TG_CHECK(o.num_workers >= 0, ValueError, "num_workers must not be negative, got ", o.num_workers);
  TG_CHECK(o.prefetch_factor > 0, ValueError, "prefetch_factor must be positive, got ", o.prefetch_factor);
  TG_CHECK(!(o.shuffle && o.sampler), ValueError, "shuffle and sampler exclude each other");
  TG_CHECK(!stream || !(o.shuffle || o.sampler), ValueError, "a stream has its own order: leave shuffle and sampler out");
}

static Tensor pass_order(int64_t n, const LoaderOptions& o) {
  const Sampler sampler = o.sampler ? o.sampler : o.shuffle ? random_sampler(n, o.generator) : sequential_sampler(n);
  const Tensor order = sampler();
  TG_CHECK(order.defined() && order.dim() == 1 && order.dtype() == int64, ValueError, "DataLoader: a sampler must give int64[n]", Named{"order", order});
  return order.contiguous();
}

void detail::LoaderPlace::destroy(LoaderPlace* p) { delete p; }

Ref<detail::LoaderPlace> detail::begin_pass(const Ref<LoaderPlace>& place, int64_t n, const LoaderOptions& o) {
  OpScope op("DataLoader");
  if (place && place->resumed) {
    const bool fits = n < 0 ? !place->order.defined() : place->order.defined() && (place->order.numel() == 0 || (min(place->order).item<int64_t>() >= 0 && max(place->order).item<int64_t>() < n));
    TG_CHECK(fits, ValueError, "load_state_dict: the state is of another data set: this one has ", n < 0 ? std::string("no places") : std::to_string(n) + " samples");
    place->resumed = false;
    return place;
  }
  const auto fresh = Ref<LoaderPlace>::steal(new LoaderPlace);
  fresh->seed = random_seed(o.generator ? &*o.generator : nullptr);
  if (n >= 0) fresh->order = pass_order(n, o);
  return fresh;
}

std::vector<std::pair<std::string, Tensor>> detail::place_state(const Ref<LoaderPlace>& place) {
  if (!place || !place->running) return {{"batches", tensor(int64_t(0))}};
  std::vector<std::pair<std::string, Tensor>> state = {{"batches", tensor(place->batches)}, {"seed", tensor(int64_t(place->seed))}};
  if (place->order.defined()) state.emplace_back("order", place->order);
  return state;
}

Ref<detail::LoaderPlace> detail::place_from(const std::vector<std::pair<std::string, Tensor>>& state) {
  OpScope op("DataLoader");
  auto place = Ref<LoaderPlace>::steal(new LoaderPlace);
  for (auto& [name, t] : state) {
    TG_CHECK(t.defined() && t.dtype() == int64 && (name == "order" ? t.dim() == 1 : t.numel() == 1), ValueError, "load_state_dict: \"", name, "\" is no part of a loader's state", Named{"it", t});
    if (name == "batches") place->batches = t.item<int64_t>();
    if (name == "seed") place->seed = uint64_t(t.item<int64_t>()), place->resumed = true;
    if (name == "order") place->order = contiguous(t);
  }
  TG_CHECK(place->batches >= 0, ValueError, "load_state_dict: ", place->batches, " batches");
  place->running = place->resumed;
  return place;
}

detail::LoaderJob::~LoaderJob() = default;

namespace {
/// Makes g the batch's generator while it lives.
struct WithGenerator {
  const Generator* before = batch_generator;
  explicit WithGenerator(const Generator& g) { batch_generator = &g; }
  ~WithGenerator() { batch_generator = before; }
};
}  // namespace

struct detail::Workers::State {
  LoaderJob& job;
  const uint64_t seed;
  const int64_t slots;
  const bool no_grad = tls.no_grad;
  struct Slot {
    bool made = false;
    std::exception_ptr error;
    Generator generator;
  };
  std::vector<Slot> slot;
  std::mutex fetching;  // held by the worker whose turn it is
  std::mutex mutex;     // of all below
  std::condition_variable room, news;
  int64_t next = 0, wanted = 0, end = INT64_MAX;  // to be fetched; waited for; the first that does not come
  bool stop = false;
  std::vector<std::thread> threads;

  State(LoaderJob& j, const LoaderOptions& o, uint64_t s) : job(j), seed(s), slots(o.slots()), slot(size_t(slots)) {}

  Slot& at(int64_t k) { return slot[size_t(k % slots)]; }

  bool fetch(int64_t k) {
    at(k).generator.manual_seed(seed + uint64_t(k));
    const WithGenerator g(at(k).generator);
    return job.fetch(k);
  }
  void make(int64_t k) {
    const WithGenerator g(at(k).generator);
    job.make(k);
  }

  /// Fetches the next batch once there is room for it; -1 when none is to come.
  int64_t take() {
    const std::lock_guard turn(fetching);
    std::unique_lock lock(mutex);
    room.wait(lock, [&] { return stop || next >= end || next < wanted + slots; });
    if (stop || next >= end) return -1;
    const int64_t k = next++;
    at(k).made = false;
    lock.unlock();
    std::exception_ptr error;
    bool more = false;
    try {
      more = fetch(k);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    at(k).error = error;
    if (more) return k;
    end = error ? k + 1 : k;
    at(k).made = true;
    room.notify_all();
    news.notify_all();
    return -1;
  }
  void work() {
    tls.no_grad = no_grad;
    for (int64_t k; (k = take()) >= 0;) {
      std::exception_ptr error;
      try {
        make(k);
      } catch (...) {
        error = std::current_exception();
      }
      const std::lock_guard lock(mutex);
      at(k).error = error;
      at(k).made = true;
      news.notify_all();
    }
  }
};

detail::Workers::Workers(LoaderJob& job, const LoaderOptions& options, uint64_t seed) : state_(new State(job, options, seed)) {
  try {
    for (int i = 0; i < options.num_workers; i++) state_->threads.emplace_back([this] { state_->work(); });
  } catch (...) {
    this->~Workers();
    throw;
  }
}
detail::Workers::~Workers() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
    state_->room.notify_all();
  }
  for (std::thread& t : state_->threads) t.join();
  delete state_;
}

bool detail::Workers::wait(int64_t k) {
  State& s = *state_;
  if (s.threads.empty()) {
    if (!s.fetch(k)) return false;
    s.make(k);
    return true;
  }
  std::unique_lock lock(s.mutex);
  s.wanted = k;
  s.room.notify_all();
  s.news.wait(lock, [&] { return k >= s.end || (s.next > k && s.at(k).made); });
  if (k >= s.end) return false;
  if (s.at(k).error) std::rethrow_exception(s.at(k).error);
  return true;
}

}  // namespace tapegrad::data
