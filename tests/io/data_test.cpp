// Data sets, samplers, the loader with and without threads, transforms.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tapegrad/progress.h"
#include "tapegrad/transforms.h"

using namespace tapegrad;

namespace {

struct Squares {  // numbers by index; slow for some, so that workers overtake each other
  int64_t n;
  int64_t size() const { return n; }
  int64_t get(int64_t i) const {
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (i == 1000) throw std::runtime_error("sample 1000");
    return i * i;
  }
};
struct Counting {  // a stream
  int64_t n;
  struct Iterator {
    int64_t i;
    int64_t operator*() const { return i; }
    Iterator& operator++() { i++; return *this; }
    bool operator!=(const Iterator& o) const { return i != o.i; }
  };
  Iterator begin() const { return {0}; }
  Iterator end() const { return {n}; }
};

template <class Loader> std::vector<int64_t> all(const Loader& loader) {
  std::vector<int64_t> out;
  for (const Tensor& batch : loader)
    for (const int64_t v : batch.template span<const int64_t>()) out.push_back(v);
  return out;
}

}  // namespace

TEST(Data, BatchesOfTensors) {
  const Tensor x = arange(10).view({5, 2}), y = arange(5);
  const data::DataLoader loader(data::TensorDataset{x, y}, {.batch_size = 2});
  EXPECT_EQ(loader.size(), 3);
  int64_t at = 0;
  for (const auto& [a, b] : loader) {
    EXPECT_TRUE(equal(a, x[Slice(at, at + 2)]));
    EXPECT_TRUE(equal(b, y[Slice(at, at + 2)]));
    at += 2;
  }
  const data::DataLoader dropping(data::TensorDataset{x, y}, {.batch_size = 2, .drop_last = true});
  EXPECT_EQ(dropping.size(), 2);
  int batches = 0;
  for ([[maybe_unused]] const auto& batch : dropping) batches++;
  EXPECT_EQ(batches, 2);
}

TEST(Data, WorkersKeepTheOrder) {
  for (const bool shuffle : {false, true}) {
    std::vector<int64_t> expected;
    for (const int workers : {0, 1, 2, 5}) {
      const data::DataLoader loader(Squares{100}, {.batch_size = 7, .shuffle = shuffle, .generator = Generator(3), .num_workers = workers});
      const std::vector<int64_t> got = all(loader);
      if (workers == 0) expected = got;
      EXPECT_EQ(got, expected) << workers;
      EXPECT_NE(all(loader) == expected, shuffle) << "the second pass";
    }
    EXPECT_EQ(expected.size(), 100u);
  }
}

TEST(Data, ExceptionsComeWhereTheirBatchWould) {
  for (const int workers : {0, 3}) {
    int batches = 0;
    try {
      for ([[maybe_unused]] const Tensor& batch : data::DataLoader(Squares{2000}, {.batch_size = 100, .num_workers = workers})) batches++;
      FAIL();
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "sample 1000");
    }
    EXPECT_EQ(batches, 10);
  }
}

TEST(Data, LeavingEarlyStopsTheWorkers) {
  std::atomic<int> calls = 0;
  const auto counted = data::map(Squares{1000}, [&](int64_t v) { calls++; return v; });
  {
    for (const Tensor& batch : data::DataLoader(counted, {.batch_size = 5, .num_workers = 2}))
      if (batch(0) == 100) break;
  }
  EXPECT_LT(calls, 100);
}

// A pass that is left and goes on from the loader's state, in another loader, has the batches of one that was not.
TEST(Data, GoesOnWhereAnotherLoaderWas) {
  const auto noisy = data::map(Squares{26}, [](int64_t v) { return randn({3}, {}, {}, false, &data::generator()) + double(v); });
  const auto stream = data::map(Counting{26}, [](int64_t v) { return randn({3}, {}, {}, false, &data::generator()) + double(v); });
  const auto check = [](auto make) {
    std::vector<Tensor> whole, parts;
    manual_seed(7);
    auto loader = make();
    EXPECT_EQ(loader.state_dict().size(), 1);
    for (int pass = 0; pass < 2; pass++)
      for (const Tensor& batch : loader) whole.push_back(batch);
    EXPECT_EQ(loader.state_dict().size(), 1);
    manual_seed(7);
    auto first = make();
    for (const Tensor& batch : first) {
      parts.push_back(batch);
      if (parts.size() == 3) break;
    }
    const auto state = first.state_dict();
    const Tensor numbers = default_generator().get_state();
    manual_seed(99);
    auto second = make();
    second.load_state_dict(state);
    default_generator().set_state(numbers);
    for (int pass = 0; pass < 2; pass++)
      for (const Tensor& batch : second) parts.push_back(batch);
    ASSERT_EQ(parts.size(), whole.size());
    for (size_t k = 0; k < whole.size(); k++) EXPECT_TRUE(equal(parts[k], whole[k])) << k;
  };
  for (const int workers : {0, 2}) {
    check([&] { return data::DataLoader(noisy, {.batch_size = 4, .shuffle = true, .num_workers = workers}); });
    check([&] { return data::DataLoader(stream, {.batch_size = 4, .num_workers = workers}); });
  }
  data::DataLoader loader(Squares{5}, {.batch_size = 2});
  loader.load_state_dict({{"batches", tensor(int64_t(1))}, {"seed", tensor(int64_t(0))}, {"order", tensor({0, 5})}});
  EXPECT_THROW(all(loader), ValueError);
  EXPECT_THROW(loader.load_state_dict({{"batches", tensor(int64_t(-1))}}), ValueError);
}

TEST(Data, GoesOnWithTheLastBatchThoughItIsNotFull) {
  data::DataLoader first(Squares{10}, {.batch_size = 4}), second(Squares{10}, {.batch_size = 4});
  int seen = 0;
  for (const Tensor& batch : first)
    if (++seen == 2 && batch.defined()) break;
  second.load_state_dict(first.state_dict());
  EXPECT_EQ(all(second), (std::vector<int64_t>{64, 81}));
}

TEST(Data, StreamsHaveBatchesToo) {
  for (const int workers : {0, 2}) {
    const data::DataLoader loader(data::map(Counting{10}, [](int64_t i) { return 2 * i; }), {.batch_size = 4, .num_workers = workers});
    EXPECT_EQ(all(loader), (std::vector<int64_t>{0, 2, 4, 6, 8, 10, 12, 14, 16, 18}));
  }
  EXPECT_EQ(all(data::DataLoader(Counting{10}, {.batch_size = 4, .drop_last = true})).size(), 8u);
  EXPECT_EQ(all(data::DataLoader(Counting{0}, {.num_workers = 2})).size(), 0u);
  EXPECT_THROW(data::DataLoader(Counting{1}, {.shuffle = true}), ValueError);
}

TEST(Data, PartsOfDataSets) {
  const data::TensorDataset set{arange(10), arange(10)};
  const data::ConcatDataset<data::TensorDataset> twice{{set, set}};
  EXPECT_EQ(twice.size(), 20);
  EXPECT_EQ(twice.get(13).data.item(), 3);
  const auto parts = data::random_split(set, {0.75, 0.25}, Generator(1));
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].size(), 8);
  EXPECT_EQ(parts[1].size(), 2);
  EXPECT_TRUE(equal(sort(cat({parts[0].get(arange(8)).data, parts[1].get(arange(2)).data}).view(-1)).values, arange(10)));
  EXPECT_THROW(data::random_split(set, {3, 3}), ValueError);
}

TEST(Data, SamplesOfSeveralParts) {
  const auto set = data::map(Squares{4}, [](int64_t v) { return std::tuple(v, std::pair(double(v), std::to_string(v))); });
  for (const auto& [number, rest] : data::DataLoader(set, {.batch_size = 4})) {
    EXPECT_EQ(number.dtype(), int64);
    EXPECT_EQ(rest.first.dtype(), float64);
    EXPECT_EQ(rest.second, (std::vector<std::string>{"0", "1", "4", "9"}));
  }
  const data::DataLoader own(Squares{4}, {.batch_size = 2}, [](const std::vector<int64_t>& v) { return v[0] + v[1]; });
  std::vector<int64_t> sums;
  for (const int64_t sum : own) sums.push_back(sum);
  EXPECT_EQ(sums, (std::vector<int64_t>{1, 13}));
}

TEST(Data, SamplersGiveTheOrder) {
  const data::DataLoader loader(Squares{10}, {.batch_size = 3, .sampler = data::subset_random_sampler(tensor({2, 4, 6}), Generator(0))});
  EXPECT_EQ(loader.size(), 1);
  std::vector<int64_t> got = all(loader);
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (std::vector<int64_t>{4, 16, 36}));
  const data::Sampler heavy = data::weighted_random_sampler(tensor({0.0, 1.0, 0.0}), 5);
  EXPECT_TRUE(equal(heavy(), ones({5}, int64)));
  EXPECT_EQ(data::random_sampler(3, Generator(0), true, 10)().numel(), 10);
  const data::DataLoader nowhere(Squares{3}, {.sampler = data::Sampler(3, [] { return Tensor(); })});
  EXPECT_THROW(nowhere.begin(), ValueError);
  const data::Sampler backwards(3, [] { return arange(2, -1, -1); });
  EXPECT_EQ(all(data::DataLoader(Squares{3}, {.sampler = backwards})), (std::vector<int64_t>{4, 1, 0}));
}

TEST(Data, EachBatchDrawsNumbersOfItsOwn) {
  const auto drawn = data::map(Squares{20}, [](int64_t) { return randint(0, int64_t(1) << 40, {}, int64, {}, &data::generator()).item<int64_t>(); });
  for (int workers : {0, 2}) {
    std::vector<int64_t> got = all(data::DataLoader(drawn, {.batch_size = 1, .generator = Generator(5), .num_workers = workers}));
    std::sort(got.begin(), got.end());
    EXPECT_EQ(std::unique(got.begin(), got.end()) - got.begin(), 20);
  }
}
TEST(Data, RandomTransformsDoNotDependOnWorkers) {
  const auto noisy = data::map(Squares{40}, [](int64_t v) { return v + randint(0, 1000, {}, int64, {}, &data::generator()).item<int64_t>(); });
  const auto run = [&](int workers) { return all(data::DataLoader(noisy, {.batch_size = 4, .shuffle = true, .generator = Generator(5), .num_workers = workers})); };
  EXPECT_EQ(run(0), run(3));
  const auto images = data::map_data(data::TensorDataset{arange(80).view({40, 1, 1, 2}), zeros({40})}, transforms::RandomHorizontalFlip{0.5});
  const auto flipped = [&](int workers) {
    std::vector<Tensor> out;
    for (const auto& [x, y] : data::DataLoader(images, {.batch_size = 4, .generator = Generator(5), .num_workers = workers})) out.push_back(x);
    return cat(out);
  };
  EXPECT_TRUE(equal(flipped(0), flipped(3)));
}

TEST(Transforms, OfImages) {
  using namespace transforms;
  const Tensor image = to(arange(24), uint8).view({2, 4, 3});
  const Tensor x = ToTensor()(image);
  EXPECT_EQ(x.sizes(), IntList({3, 2, 4}));
  EXPECT_FLOAT_EQ(float(x(2, 1, 3)), 23 / 255.0f);
  EXPECT_TRUE(allclose(Normalize{{0.5}, {0.25}}(x), (x - 0.5) / 0.25));
  EXPECT_TRUE(allclose(Compose(ToTensor(), [](const Tensor& t) { return 2 * t; })(image), 2 * x));
  EXPECT_TRUE(equal(CenterCrop{2}(x), x[{Ellipsis, Slice(0, 2), Slice(1, 3)}]));
  EXPECT_EQ((RandomCrop{4, 1}(x).sizes()), IntList({3, 4, 4}));
  EXPECT_TRUE(equal(RandomHorizontalFlip{1}(x), flip(x, {2})));
  EXPECT_TRUE(equal(RandomHorizontalFlip{0}(x), x));
  EXPECT_THROW((CenterCrop{5}(x)), ShapeError);
  EXPECT_THROW((Normalize{{1, 2}, {1}}(x)), ValueError);
  const auto set = data::map_data(data::TensorDataset{x.unsqueeze(0), zeros({1})}, Compose(Normalize{{0}, {2}}));
  EXPECT_TRUE(allclose(set.get(0).data, x / 2));
}

TEST(ProgressBar, CountsBackBelowZero) {
  std::ostringstream out;
  {
    ProgressBar bar(10, "x", &out);
    bar.update(-300);
  }
  EXPECT_NE(out.str().find("x:   0%|          | -300/10"), std::string::npos) << out.str();
}
