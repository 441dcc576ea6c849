// Data sets and batches:
//   data::DataLoader loader(data::TensorDataset{images, labels}, {.batch_size = 64, .shuffle = true, .num_workers = 2});
//   for (const auto& [x, y] : loader) { … }
// A data set of your own has `int64_t size() const` and `get(int64_t i) const`, which several threads may call at once; a stream
// (any range: begin(), end()) is one too. transforms.h has functions for map_data().
#pragma once
#include <string>
#include <tuple>
#include <utility>

#include "tapegrad/ops.h"

namespace tapegrad {
namespace data {

// ---- data sets -----------------------------------------------------------------------------------------------------

/// One sample, or a batch of them: the columns of a loop over a data set.
struct Example {
  Tensor data, target;
};
using Batch = Example;

template <class D> concept Indexed = requires(const D& d) { d.size(); d.get(int64_t(0)); };
/// What get(i) returns, or what a stream yields.
template <class D> struct SampleOf { using type = std::remove_cvref_t<decltype(*std::declval<const D&>().begin())>; };
template <Indexed D> struct SampleOf<D> { using type = std::remove_cvref_t<decltype(std::declval<const D&>().get(int64_t(0)))>; };
template <class D> using Sample = typename SampleOf<D>::type;
/// A data set may also give a whole batch at once: get(rows) with int64[n] is get() of each row, collated.
template <class D> concept Batched = requires(const D& d, const Tensor& rows) { d.get(rows); };

/// Rows of two tensors of equal length.
struct TensorDataset {
  Tensor data, target;
  int64_t size() const { return data.size(0); }
  Example get(int64_t i) const { return {data[i], target[i]}; }
  Batch get(const Tensor& rows) const { return {index_select(data, 0, rows), index_select(target, 0, rows)}; }
};

/// The samples of a data set at these places, int64[n].
template <Indexed D> struct Subset {
  D dataset;
  Tensor indices;
  int64_t size() const { return indices.numel(); }
  auto get(int64_t i) const { return dataset.get(int64_t(indices(i))); }
  auto get(const Tensor& rows) const requires Batched<D> { return dataset.get(index_select(indices, 0, rows)); }
};
template <class D> Subset(D, Tensor) -> Subset<D>;

/// Data sets of one type, one after another.
template <Indexed D> struct ConcatDataset {
  std::vector<D> datasets;
  int64_t size() const {
    int64_t n = 0;
    for (const D& d : datasets) n += d.size();
    return n;
  }
  auto get(int64_t i) const {
    const D* d = datasets.data();
    for (const D* last = d + datasets.size() - 1; d != last && i >= d->size(); d++) i -= d->size();
    return d->get(i);
  }
};

/// f of each sample of a data set or stream.
template <class D, class F> struct Mapped {
  D dataset;
  F f;
  int64_t size() const requires Indexed<D> { return dataset.size(); }
  auto get(int64_t i) const requires Indexed<D> { return f(dataset.get(i)); }

  template <class I> struct Iterator {
    I at;
    const Mapped* mapped;
    auto operator*() const { return mapped->f(*at); }
    Iterator& operator++() { ++at; return *this; }
    template <class End> bool operator!=(const End& end) const { return at != end; }
  };
  auto begin() const requires(!Indexed<D>) { return Iterator<decltype(dataset.begin())>{dataset.begin(), this}; }
  auto end() const requires(!Indexed<D>) { return dataset.end(); }
};
template <class D, class F> Mapped<D, F> map(D dataset, F f) { return {std::move(dataset), std::move(f)}; }
/// f of the data of each Example.
template <class D, class F> auto map_data(D dataset, F f) {
  return map(std::move(dataset), [f = std::move(f)](const Example& e) { return Example{f(e.data), e.target}; });
}

namespace detail {
TG_API std::vector<Tensor> random_split(int64_t n, std::vector<double> lengths, const Generator& generator);
}
/// Disjoint random parts of these lengths, or of these fractions when they sum to 1; the same as Python's for the same generator.
template <Indexed D> std::vector<Subset<D>> random_split(const D& dataset, std::vector<double> lengths, const Generator& generator = default_generator()) {
  std::vector<Subset<D>> out;
  for (Tensor& rows : detail::random_split(dataset.size(), std::move(lengths), generator)) out.push_back({dataset, std::move(rows)});
  return out;
}

// ---- samplers ------------------------------------------------------------------------------------------------------

/// The order of a pass: f() gives int64[size] for each.
class Sampler {
  struct Body : Counted {
    virtual Tensor order() = 0;
    virtual ~Body() = default;
    static void destroy(Body* b) { delete b; }
  };
  Ref<Body> body_;
  int64_t size_ = 0;
 public:
  Sampler() = default;
  template <class F> Sampler(int64_t size, F f) : size_(size) {
    struct Call final : Body {
      F f;
      explicit Call(F x) : f(std::move(x)) {}
      Tensor order() override { return f(); }
    };
    body_ = Ref<Body>::steal(new Call(std::move(f)));
  }
  explicit operator bool() const { return bool(body_); }
  int64_t size() const { return size_; }
  Tensor operator()() const { return body_->order(); }
};
// Each as Python's sampler of the name, with the same numbers for the same generator.
TG_API Sampler sequential_sampler(int64_t n);
/// Without a generator, each pass seeds one from the default one.
TG_API Sampler random_sampler(int64_t n, std::optional<Generator> generator = {}, OnlyBool replacement = false, std::optional<int64_t> num_samples = {});
TG_API Sampler subset_random_sampler(Tensor indices, Generator generator = default_generator());
TG_API Sampler weighted_random_sampler(Tensor weights, int64_t num_samples, OnlyBool replacement = true, Generator generator = default_generator());

// ---- the loader ----------------------------------------------------------------------------------------------------

/// For random transforms: within a loader's batch a generator of its own, seeded from the loader's, so that the samples do not depend
/// on the number of workers. Elsewhere the default generator.
TG_API const Generator& generator();

/// Samples to one batch: stacks tensors, makes a tensor of numbers, goes into Example, pair and tuple; strings stay a vector.
class Collate {
  template <class S, class F> auto column(const std::vector<S>& samples, F part) const {
    std::vector<std::remove_cvref_t<decltype(part(samples[0]))>> out;
    for (const S& s : samples) out.push_back(part(s));
    return out;
  }
 public:
  Tensor operator()(const std::vector<Tensor>& samples) const { return stack(samples); }
  template <class T> requires std::is_arithmetic_v<T> Tensor operator()(const std::vector<T>& samples) const { return tensor(samples); }
  std::vector<std::string> operator()(const std::vector<std::string>& samples) const { return samples; }
  Batch operator()(const std::vector<Example>& samples) const {
    return {stack(column(samples, [](auto& s) { return s.data; })), stack(column(samples, [](auto& s) { return s.target; }))};
  }
  template <class A, class B> auto operator()(const std::vector<std::pair<A, B>>& samples) const {
    return std::pair((*this)(column(samples, [](auto& s) { return s.first; })), (*this)(column(samples, [](auto& s) { return s.second; })));
  }
  template <class... T> auto operator()(const std::vector<std::tuple<T...>>& samples) const {
    return [&]<size_t... i>(std::index_sequence<i...>) {
      return std::tuple((*this)(column(samples, [](auto& s) { return std::get<i>(s); }))...);
    }(std::index_sequence_for<T...>());
  }
};

struct LoaderOptions {
  int64_t batch_size = 1;
  bool shuffle = false, drop_last = false;
  std::optional<Generator> generator = {};  ///< what shuffles; the default one when missing. The same order as Python's DataLoader
  Sampler sampler = {};                     ///< the order instead of shuffle
  int num_workers = 0;                      ///< threads that make batches ahead; 0: made when they are asked for
  int prefetch_factor = 2;                  ///< batches ahead for each worker
  int64_t slots() const { return num_workers == 0 ? 1 : int64_t(num_workers) * prefetch_factor + 1; }  ///< batches alive at once
};

namespace detail {
/// The batches of one pass: fetch(k) is called for k = 0, 1, … one after another and returns false at the end; make(k) may run in
/// several threads at once, for k that were fetched.
struct TG_API LoaderJob {
  virtual bool fetch(int64_t k) = 0;
  virtual void make(int64_t k) = 0;
  virtual ~LoaderJob();
};
class TG_API Workers {
  struct State;
  State* state_;
 public:
  /// Batch k lies in slot k % options.slots() from its fetch until batch k + 1 is waited for.
  Workers(LoaderJob& job, const LoaderOptions& options, uint64_t seed);
  ~Workers();  // lets running batches end
  Workers(const Workers&) = delete;
  /// True when batch k is made, false when there is none; throws what fetch or make threw.
  bool wait(int64_t k);
};
/// Where a pass is.
struct TG_API LoaderPlace : Counted {
  uint64_t seed = 0;    // of the first batch's random numbers; each batch's is one more
  Tensor order;         // of a data set
  int64_t batches = 0;  // that it has given
  bool running = true;  // or it has ended
  bool resumed = false; // comes from load_state_dict; no pass has begun with it
  static void destroy(LoaderPlace* p);
};
/// The place in which a pass over n samples (-1: a stream) begins: `place` where that is resumed.
TG_API Ref<LoaderPlace> begin_pass(const Ref<LoaderPlace>& place, int64_t n, const LoaderOptions& options);
TG_API std::vector<std::pair<std::string, Tensor>> place_state(const Ref<LoaderPlace>& place);
TG_API Ref<LoaderPlace> place_from(const std::vector<std::pair<std::string, Tensor>>& state);
TG_API void check_options(const LoaderOptions& options, bool stream);
}  // namespace detail

/// The batches of a data set, always in the sampler's order, however many workers make them. An exception of a worker is thrown where
/// its batch would have come. Leaving a loop early stops the workers.
/// Example: int64_t rows = 0;
///   for (const auto& [x, y] : data::DataLoader(data::TensorDataset{randn({10, 3}), arange(10)}, {.batch_size = 4})) rows += x.size(0);
///   assert(rows == 10);
template <class Dataset, class CollateFn = Collate> class DataLoader {
  Dataset dataset_;
  LoaderOptions options_;
  CollateFn collate_;
  mutable Ref<detail::LoaderPlace> place_;  // of the pass that began last
  static constexpr bool indexed = Indexed<Dataset>, whole = Batched<Dataset> && std::is_same_v<CollateFn, Collate>;

  static auto batch_type(const Dataset& d, const CollateFn& f) {
    if constexpr (whole) return d.get(Tensor()); else return f(std::vector<Sample<Dataset>>());
  }
 public:
  using batch = decltype(batch_type(std::declval<const Dataset&>(), std::declval<const CollateFn&>()));

  explicit DataLoader(Dataset dataset, LoaderOptions options = {}, CollateFn collate = {})
      : dataset_(std::move(dataset)), options_(std::move(options)), collate_(std::move(collate)) {
    detail::check_options(options_, !indexed);
  }
  const Dataset& dataset() const { return dataset_; }
  /// Where the pass in progress is. With it, a loader like this one goes on with the batch that was to come, in the same order and with
  /// the same random transforms: {"loader." + name, t} belongs into Checkpoint::values.
  std::vector<std::pair<std::string, Tensor>> state_dict() const { return detail::place_state(place_); }
  /// The next pass goes on where state_dict() was called. A stream's batches before it are read and dropped.
  void load_state_dict(const std::vector<std::pair<std::string, Tensor>>& state) { place_ = detail::place_from(state); }
  /// Batches in one loop.
  int64_t size() const requires indexed {
    const int64_t n = options_.sampler ? options_.sampler.size() : dataset_.size(), b = options_.batch_size;
    return options_.drop_last ? n / b : (n + b - 1) / b;
  }

  class Iterator;
  struct End {};
  Iterator begin() const { return Iterator(*this); }
  End end() const { return {}; }
};
template <class D> DataLoader(D, LoaderOptions = {}) -> DataLoader<D>;

/// One pass. It holds on to the loader.
template <class Dataset, class CollateFn> class DataLoader<Dataset, CollateFn>::Iterator {
  struct Slot {
    Tensor rows;                           // of a data set
    std::vector<Sample<Dataset>> samples;  // of a stream
    std::optional<batch> made;
  };
  template <class D> struct Source {  // of a stream
    decltype(std::declval<const D&>().begin()) at;
    decltype(std::declval<const D&>().end()) end;
    explicit Source(const D& d) : at(d.begin()), end(d.end()) {}
  };
  template <Indexed D> struct Source<D> {
    Tensor order;
    int64_t at = 0;
    explicit Source(const D&) {}
  };
  struct Pass final : Counted, detail::LoaderJob {
    const DataLoader& loader;
    Source<Dataset> source;
    std::vector<Slot> slots;
    Ref<detail::LoaderPlace> place;
    std::optional<detail::Workers> workers;
    explicit Pass(const DataLoader& l) : loader(l), source(l.dataset_), slots(size_t(l.options_.slots())) {
      const int64_t b = l.options_.batch_size;
      if constexpr (indexed) {
        place = detail::begin_pass(l.place_, l.dataset_.size(), l.options_);
        source.order = place->order;
        source.at = place->batches <= source.order.numel() / b ? place->batches * b : source.order.numel();
      } else {
        place = detail::begin_pass(l.place_, -1, l.options_);
        for (int64_t k = 0; k < place->batches; k++)
          for (int64_t i = 0; i < b && source.at != source.end; i++, ++source.at) {}
      }
      l.place_ = place;
      workers.emplace(*this, l.options_, place->seed + uint64_t(place->batches));
    }
    bool wait(int64_t k) {
      const bool more = workers->wait(k);
      if (more) place->batches++;
      else place->running = false;
      return more;
    }
    bool fetch(int64_t k) override {
      Slot& slot = slots[size_t(k) % slots.size()];
      const int64_t b = loader.options_.batch_size;
      if constexpr (indexed) {
        const int64_t left = source.order.numel() - source.at, n = left < b ? left : b;
        if (n == 0 || (n < b && loader.options_.drop_last)) return false;
        slot.rows = narrow(source.order, 0, source.at, n);
        source.at += n;
      } else {
        slot.samples.clear();
        for (; int64_t(slot.samples.size()) < b && source.at != source.end; ++source.at) slot.samples.push_back(*source.at);
        if (slot.samples.empty() || (int64_t(slot.samples.size()) < b && loader.options_.drop_last)) return false;
      }
      return true;
    }
    void make(int64_t k) override {
      Slot& slot = slots[size_t(k) % slots.size()];
      if constexpr (whole) {
        slot.made = loader.dataset_.get(slot.rows);
      } else {
        if constexpr (indexed) {
          slot.samples.clear();
          for (const int64_t i : slot.rows.template span<const int64_t>()) slot.samples.push_back(loader.dataset_.get(i));
        }
        slot.made = loader.collate_(std::move(slot.samples));
      }
    }
    static void destroy(Pass* p) { delete p; }
  };
  Ref<Pass> pass_;
  int64_t k_ = 0;
  bool more_ = false;
 public:
  explicit Iterator(const DataLoader& loader) : pass_(Ref<Pass>::steal(new Pass(loader))), more_(pass_->wait(0)) {}
  batch& operator*() const { return *pass_->slots[size_t(k_) % pass_->slots.size()].made; }
  batch* operator->() const { return &**this; }
  Iterator& operator++() {
    more_ = pass_->wait(++k_);
    return *this;
  }
  bool operator!=(End) const { return more_; }
};

}  // namespace data

namespace datasets {
/// UCI handwritten digits: images float32 [n, 1, 8, 8] in [0, 1] and labels int64 [n]. `split` is "train" (1,437), "test" (360,
/// every fifth image) or "all". The file lies beside the library; TAPEGRAD_DATA names another folder.
TG_API data::TensorDataset digits(std::string_view split = "all");
}  // namespace datasets
}  // namespace tapegrad
