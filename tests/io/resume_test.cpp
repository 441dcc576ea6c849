// A run that is stopped in the middle of a pass and goes on from its checkpoint has the losses of one that was not stopped, to the bit.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tapegrad/data.h"
#include "tapegrad/io.h"
#include "tapegrad/optim.h"

using namespace tapegrad;

namespace {

struct Training {
  nn::Sequential net;
  optim::AdamW adam;
  optim::StepLR schedule;
  data::DataLoader<data::TensorDataset> loader;
  static nn::Sequential seeded() {
    manual_seed(11);
    return nn::Sequential(nn::Linear(4, 8), nn::BatchNorm1d(8), nn::ReLU(), nn::Dropout(0.3), nn::Linear(8, 3));
  }
  explicit Training(int workers) : net(seeded()), adam(net.parameters(), {.lr = 0.05}), schedule(adam, 5, 0.5), loader(samples(), {.batch_size = 4, .shuffle = true, .num_workers = workers}) {}

  static data::TensorDataset samples() {
    const Generator g(3);
    return {randn({28, 4}, {}, {}, false, &g), remainder(arange(28), Tensor(3))};
  }
  Checkpoint checkpoint(int64_t passes_left) {
    Checkpoint c{.model = net.state_dict(), .optimizer = adam.state_dict(), .values = {{"passes_left", tensor(passes_left)}, {"rng", default_generator().get_state()}}, .texts = {}};
    for (auto& [name, t] : schedule.state_dict()) c.values.emplace_back("schedule." + name, t);
    for (auto& [name, t] : loader.state_dict()) c.values.emplace_back("loader." + name, t);
    return c;
  }
  int64_t restore(const Checkpoint& c) {
    net.load_state_dict(c.model);
    adam.load_state_dict(c.optimizer);
    StateDict parts[2];
    int64_t passes_left = 0;
    for (auto& [name, t] : c.values) {
      if (name == "passes_left") passes_left = t.item<int64_t>();
      if (name == "rng") default_generator().set_state(t);
      if (name.starts_with("schedule.")) parts[0].emplace_back(name.substr(9), t);
      if (name.starts_with("loader.")) parts[1].emplace_back(name.substr(7), t);
    }
    schedule.load_state_dict(parts[0]);
    loader.load_state_dict(parts[1]);
    return passes_left;
  }
  /// Trains for so many passes, or so many steps, after which it writes its state.
  std::vector<float> train(int64_t passes, size_t stop = SIZE_MAX, const std::string& path = "") {
    std::vector<float> losses;
    for (; passes > 0; passes--)
      for (const auto& [x, y] : loader) {
        adam.zero_grad();
        const Tensor loss = cross_entropy(net(x), y);
        loss.backward();
        adam.step();
        schedule.step();
        losses.push_back(loss.item<float>());
        if (losses.size() < stop) continue;
        save_checkpoint(checkpoint(passes), path);
        return losses;
      }
    return losses;
  }
};

}  // namespace

TEST(Resume, LossesGoOnToTheBit) {
  const std::string path = (std::filesystem::temp_directory_path() / ("tapegrad-resume-" + std::to_string(::getpid()))).string();
  for (const int workers : {0, 2}) {
    const auto whole = Training(workers).train(3);
    for (const size_t stop : {size_t(3), size_t(7), size_t(9)}) {
      auto losses = Training(workers).train(3, stop, path);
      Training again(workers);
      manual_seed(99);  // where the new process stands does not matter
      for (const float loss : again.train(again.restore(load_checkpoint(path)))) losses.push_back(loss);
      EXPECT_EQ(losses, whole) << workers << " workers, stopped after " << stop;
    }
  }
  std::filesystem::remove(path);
}
