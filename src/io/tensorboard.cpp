// TensorBoard's event files by hand: protobuf's wire format within records that have checksums. A message is its fields one after
// another: key = number * 8 + kind (0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes). A record is its length, the masked
// crc32c of the length, the data, and the masked crc32c of the data. Field numbers are those of TensorFlow's event.proto, summary.proto.
#include "tapegrad/tensorboard.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>

#include "src/io/checksum.h"
#include "src/io/file.h"
#include "src/io/png.h"
#include "tapegrad/ops.h"

namespace tapegrad::tensorboard {
namespace {

template <class T> std::string bytes(T v) { return {reinterpret_cast<const char*>(&v), sizeof v}; }
std::string bare(uint64_t n) {
  std::string s;
  for (; n > 127; n >>= 7) s += char((n & 127) | 128);
  return s + char(n);
}
std::string integer(uint64_t field, int64_t v) { return bare(field << 3) + bare(uint64_t(v)); }
std::string number(uint64_t field, double v) { return bare(field << 3 | 1) + bytes(v); }
std::string single(uint64_t field, float v) { return bare(field << 3 | 5) + bytes(v); }
std::string message(uint64_t field, std::string_view data) { return bare(field << 3 | 2) + bare(data.size()) + std::string(data); }
std::string numbers(uint64_t field, const std::vector<double>& v) {
  return message(field, {reinterpret_cast<const char*>(v.data()), 8 * v.size()});
}

std::string record(const std::string& data) {
  const auto masked = [](std::string_view s) {
    const uint32_t c = io::crc32c(s);
    return bytes((c >> 15 | c << 17) + 0xA282EAD8u);
  };
  const std::string length = bytes(uint64_t(data.size()));
  return length + masked(length) + data + masked(data);
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }
std::string host() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}
void make_folders(const std::string& path) {
  for (size_t at = 1; at <= path.size(); at++)
    if ((at == path.size() || path[at] == '/') && ::mkdir(path.substr(0, at).c_str(), 0777) != 0 && errno != EEXIST)
      detail::fail<IoError>(path, ": cannot make the folder: ", std::strerror(errno));
}

/// One event file.
class EventFile {
  const WriterOptions options_;
  std::string waiting_;
  int events_ = 0;
  double flushed_ = now();
  std::unique_ptr<io::File> file_;
 public:
  std::string path;
  EventFile(const std::string& folder, const WriterOptions& options) : options_(options) {
    static std::atomic<int> counter{0};
    make_folders(folder);
    path = folder + "/events.out.tfevents." + std::to_string(int64_t(flushed_)) + "." + host() + "." + std::to_string(::getpid()) + "." +
           std::to_string(counter++) + options_.filename_suffix;
    file_ = std::make_unique<io::File>(path, O_WRONLY | O_CREAT | O_APPEND, "create");
    put(number(1, flushed_) + message(3, "brain.Event:2"));
    flush();
  }
  void put(const std::string& event) {
    waiting_ += record(event);
    if (++events_ >= options_.max_queue || now() - flushed_ > options_.flush_secs) flush();
  }
  void add(const std::string& value, const At& at) {
    put(number(1, at.walltime.value_or(now())) + (at.step ? integer(2, *at.step) : "") + message(5, message(1, value)));
  }
  void flush() {
    std::string data;
    data.swap(waiting_);
    events_ = 0, flushed_ = now();
    file_->write(data);
  }
};

std::string scalar(const std::string& tag, double value) { return message(1, tag) + single(2, float(value)); }

// Zero, and powers of 1.1 from 1e-12 to 1e20 on both sides.
const std::vector<double>& bucket_edges() {
  static const std::vector<double> edges = [] {
    std::vector<double> up;
    for (double v = 1e-12; v < 1e20; v *= 1.1) up.push_back(v);
    std::vector<double> all;
    for (size_t k = up.size(); k-- > 0;) all.push_back(-up[k]);
    all.push_back(0);
    all.insert(all.end(), up.begin(), up.end());
    return all;
  }();
  return edges;
}

std::string histogram(const std::string& tag, const Tensor& values) {
  const Tensor v = to(detach(values), float64).flatten().contiguous();
  TG_CHECK(v.numel() > 0, ValueError, "\"", tag, "\" has no values");
  const std::vector<double>& edges = bucket_edges();
  std::vector<double> counts(edges.size() - 1);
  for (const double x : v.span<const double>()) {
    if (!(x >= edges.front() && x <= edges.back())) continue;
    const auto k = size_t(std::upper_bound(edges.begin(), edges.end(), x) - edges.begin()) - 1;
    counts[std::min(k, counts.size() - 1)]++;  // the last bucket has both its edges
  }
  size_t first = 0, last = counts.size();
  while (first < counts.size() && counts[first] == 0) first++;
  TG_CHECK(first < counts.size(), ValueError, "\"", tag, "\" has no values between -1e20 and 1e20");
  while (counts[last - 1] == 0) last--;
  std::vector<double> limits(edges.begin() + int64_t(first), edges.begin() + int64_t(last) + 1), shown = {0};  // drawn from an empty bucket's limit on
  shown.insert(shown.end(), counts.begin() + int64_t(first), counts.begin() + int64_t(last));
  return message(1, tag) + message(5, number(1, min(v).item<double>()) + number(2, max(v).item<double>()) + number(3, double(v.numel())) +
                                          number(4, sum(v).item<double>()) + number(5, dot(v, v).item<double>()) + numbers(6, limits) + numbers(7, shown));
}

// uint8 (h, w, 3 or 4) of an image or several.
Tensor as_image(const Tensor& image, std::string_view formats) {
  std::string order;
  for (const char c : formats) order += char(c & ~32);
  std::string sorted = order;
  std::sort(sorted.begin(), sorted.end());
  TG_CHECK((sorted == "HW" || sorted == "CHW" || sorted == "CHNW") && int64_t(order.size()) == image.dim(), ValueError, "dataformats \"", formats,
           "\" must name each dimension N, C, H, W of the image once", Named{"image", image});
  Tensor x = detach(image);
  x = to(x.is_floating_point() ? clamp(x * 255, Scalar(0), Scalar(255)) : x, uint8);
  if (order.size() == 2) x = unsqueeze(x, 0), order = "C" + order;
  Shape dims;
  for (const char d : std::string_view(order.size() == 4 ? "NCHW" : "CHW")) dims.push_back(int64_t(order.find(d)));
  x = permute(x, dims);
  if (order.size() == 4) {
    const int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3), columns = std::min<int64_t>(n, 8);
    TG_CHECK(n > 0, ValueError, "there is no image", Named{"image", image});
    const Tensor grid = zeros({c, (n + columns - 1) / columns * h, columns * w}, uint8);
    for (int64_t i = 0; i < n; i++) narrow(narrow(grid, 1, i / columns * h, h), 2, i % columns * w, w).copy_(x[i]);
    x = grid;
  }
  if (x.size(0) == 1) x = expand(x, {3, -1, -1});
  TG_CHECK(x.size(0) == 3 || x.size(0) == 4, ValueError, "an image has 1, 3 or 4 channels, got ", x.size(0), " (dataformats \"", formats, "\")", Named{"image", image});
  return contiguous(permute(x, {1, 2, 0}));
}

}  // namespace

struct SummaryWriter::State {
  std::string folder;
  WriterOptions options;
  std::mutex mutex;  // of the files: any thread may add
  std::unique_ptr<EventFile> own;
  std::map<std::string, std::unique_ptr<EventFile>> below;
};

SummaryWriter::SummaryWriter(std::string log_dir, WriterOptions options) {
  OpScope op("SummaryWriter");
  if (log_dir.empty()) {
    char date[64];
    const std::time_t seconds = std::time(nullptr);
    std::tm local;
    std::strftime(date, sizeof date, "%b%d_%H-%M-%S", ::localtime_r(&seconds, &local));
    log_dir = std::string("runs/") + date + "_" + host() + options.comment;
  }
  auto state = std::make_unique<State>();
  state->own = std::make_unique<EventFile>(log_dir, options);
  state->folder = std::move(log_dir);
  state->options = std::move(options);
  state_ = state.release();
}
SummaryWriter::~SummaryWriter() {
  try {
    flush();
  } catch (const Error&) {  // the disk is full: a destructor cannot say so, flush() can
  }
  delete state_;
}
const std::string& SummaryWriter::log_dir() const { return state_->folder; }
const std::string& SummaryWriter::path() const { return state_->own->path; }
void SummaryWriter::add(const std::string& value, At at) {
  const std::lock_guard lock(state_->mutex);
  state_->own->add(value, at);
}

void SummaryWriter::add_scalar(const std::string& tag, double value, At at) { add(scalar(tag, value), at); }
void SummaryWriter::add_scalars(const std::string& main_tag, const std::vector<std::pair<std::string, double>>& values, At at) {
  OpScope op("add_scalars");
  const std::lock_guard lock(state_->mutex);
  for (auto& [name, value] : values) {
    std::string folder = main_tag + "_" + name;
    std::replace(folder.begin(), folder.begin() + int64_t(main_tag.size()), '/', '_');
    auto& file = state_->below[folder];
    if (!file) file = std::make_unique<EventFile>(state_->folder + "/" + folder, state_->options);
    file->add(scalar(main_tag, value), at);
  }
}
void SummaryWriter::add_histogram(const std::string& tag, const Tensor& values, At at) {
  OpScope op("add_histogram");
  NoGrad no_grad;
  add(histogram(tag, values), at);
}
void SummaryWriter::add_image(const std::string& tag, const Tensor& image, At at, std::string_view dataformats) {
  OpScope op("add_image");
  NoGrad no_grad;
  const Tensor x = as_image(image, dataformats);
  add(message(1, tag) + message(4, integer(1, x.size(0)) + integer(2, x.size(1)) + integer(3, x.size(2)) + message(4, io::png(x))), at);
}
void SummaryWriter::add_text(const std::string& tag, const std::string& markdown, At at) {
  const std::string shape = message(2, message(2, integer(1, 1))), metadata = message(9, message(1, message(1, "text")));
  add(message(1, tag + "/text_summary") + message(8, integer(1, 7) + shape + message(8, markdown)) + metadata, at);
}
void SummaryWriter::flush() {
  const std::lock_guard lock(state_->mutex);
  state_->own->flush();
  for (auto& [folder, file] : state_->below) file->flush();
}

}  // namespace tapegrad::tensorboard
