// The C++ half of test_cpp_files.py: cpp_files WHAT FOLDER
#include <tapegrad/data.h>
#include <tapegrad/io.h>
#include <tapegrad/optim.h>
#include <tapegrad/progress.h>
#include <tapegrad/tensorboard.h>

#include <cstdio>
#include <iostream>

using namespace tapegrad;

static StateDict samples() {
  StateDict out;
  for (const Dtype d : {bool_, uint8, int8, int16, int32, int64, float16, float32, float64, complex64, complex128, uint16, uint32, uint64})
    out.emplace_back(name(d), to(arange(6).view({2, 3}), d));
  out.emplace_back("scalar", tensor(2.5));
  out.emplace_back("empty", empty({0, 3}, float32));
  out.emplace_back("vector", arange(12345));
  return out;
}

static void numpy(const std::string& folder) {
  for (auto& [name, t] : samples()) save_npy(t, folder + "/" + name + ".npy");
  save_npz(samples(), folder + "/all.npz");
}

// Reads what Python wrote, and writes it again as .npz.
static void read(const std::string& folder) {
  for (const char* name : {"packed.npz", "model.pt", "model.safetensors"}) save_npz(load(folder + "/" + name), folder + "/" + name + ".npz");
  save_npz({{"swapped", load_npy(folder + "/swapped.npy")}, {"columns", load_npy(folder + "/columns.npy")}}, folder + "/npy.npz");
}

struct Net : nn::Module {
  nn::Linear a = register_module("a", nn::Linear(3, 4)), b = register_module("b", nn::Linear(4, 2));
  Tensor operator()(const Tensor& x) const { return b(a(x).tanh()); }
};
static void train(const Net& net, optim::Optimizer& optimizer, int steps) {
  const Tensor x = arange(12).to(float32).view({4, 3}) / 10, y = tensor({0, 1, 1, 0});
  for (int k = 0; k < steps; k++) {
    optimizer.zero_grad();
    cross_entropy(net(x), y).backward();
    optimizer.step();
  }
}
template <class O, class Options> void checkpoint(const std::string& folder, const std::string& name, Options options) {
  manual_seed(3);
  const Net net;
  O optimizer(net.parameters(), options);
  train(net, optimizer, 3);
  save_checkpoint({.model = net.state_dict(), .optimizer = optimizer.state_dict(), .values = {{"epoch", tensor(3)}, {"best", tensor(0.25, float64)}, {"done", tensor(false)}},
                   .texts = {{"note", "größer \"\n\t\x01"}, {"a", "b"}}}, folder + "/" + name + ".cpp.safetensors");
  const Checkpoint c = load_checkpoint(folder + "/" + name + ".python.safetensors");  // the same, and goes on
  net.load_state_dict(c.model);
  optimizer.load_state_dict(c.optimizer);
  train(net, optimizer, 2);
  save_checkpoint({.model = net.state_dict(), .optimizer = optimizer.state_dict(), .values = {}, .texts = {}}, folder + "/" + name + ".cpp5.safetensors");
}
static void checkpoints(const std::string& folder) {
  checkpoint<optim::Adam>(folder, "adam", optim::AdamOptions{.lr = 0.05});
  checkpoint<optim::SGD>(folder, "momentum", optim::SGDOptions{.lr = 0.05, .momentum = 0.9});
  checkpoint<optim::SGD>(folder, "plain", optim::SGDOptions{.lr = 0.05});
}

static void events(const std::string& folder) {
  tensorboard::SummaryWriter writer(folder + "/cpp");
  for (int step = 0; step < 20; step++) writer.add_scalar("loss", 1.0 / (step + 1), {step, 100.0 + step});
  writer.add_histogram("weights", linspace(-3, 5, 1000).square(), {7, 200.0});
  writer.add_text("note", "**hello** ü", {8, 201.0});
  writer.add_image("image", to(arange(60), uint8).view({3, 4, 5}), {9, 202.0});
  writer.add_image("grid", linspace(0, 1, 10 * 3 * 4).view({10, 1, 3, 4}), {10, 203.0}, "NCHW");
  writer.add_scalars("group/x", {{"a", 1}, {"b", 2}}, {11, 204.0});
}

// Prints the orders in which loaders go through ten samples.
static void orders() {
  struct Numbers10 {
    int64_t size() const { return 10; }
    int64_t get(int64_t i) const { return i; }
  };
  const auto print = [](const data::LoaderOptions& o) {
    const data::DataLoader loader(Numbers10(), o);
    for (int pass = 0; pass < 2; pass++) {
      for (const Tensor& batch : loader)
        for (const int64_t i : batch.span<const int64_t>()) std::printf("%d ", int(i));
      std::printf("\n");
    }
  };
  print({.batch_size = 3, .shuffle = true, .generator = Generator(5)});
  print({.batch_size = 3, .shuffle = true, .generator = Generator(5), .num_workers = 2});
  manual_seed(11);
  print({.batch_size = 4, .shuffle = true, .drop_last = true});
  print({.batch_size = 2, .sampler = data::random_sampler(10, Generator(2), true, 7)});
  print({.batch_size = 2, .sampler = data::random_sampler(10, Generator(2), false, 13)});
  print({.batch_size = 2, .sampler = data::subset_random_sampler(tensor({3, 5, 7, 9}), Generator(2))});
  print({.batch_size = 2, .sampler = data::weighted_random_sampler(tensor({0.0, 0.5, 2, 1, 0, 0, 0, 0, 0, 3}), 6, true, Generator(4))});
  for (const auto& part : data::random_split(Numbers10(), {0.5, 0.25, 0.25}, Generator(9))) {
    for (int64_t i = 0; i < part.size(); i++) std::printf("%d ", int(part.get(i)));
    std::printf("\n");
  }
  ProgressBar bar(8, "eight", &std::cerr);
  bar.set_postfix("loss=0.5");
  for (int k = 0; k < 8; k++) bar.update();
}

int main(int, char** argv) try {
  const std::string what = argv[1], folder = argv[2];
  if (what == "numpy") numpy(folder);
  if (what == "read") read(folder);
  if (what == "checkpoints") checkpoints(folder);
  if (what == "events") events(folder);
  if (what == "orders") orders();
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
