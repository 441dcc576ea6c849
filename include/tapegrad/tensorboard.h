// Event files for TensorBoard, written without TensorBoard or protobuf; the same bytes as Python's tapegrad.utils.tensorboard, but for
// the compression of images.
//   tensorboard::SummaryWriter writer("runs/first");
//   writer.add_scalar("loss", loss.item<double>(), step);
#pragma once
#include <string>
#include <utility>

#include "tapegrad/tensor.h"

namespace tapegrad::tensorboard {

struct WriterOptions {
  std::string comment = {};  ///< end of the default folder's name
  int max_queue = 10;        ///< events that may wait in memory,
  double flush_secs = 120;   ///< and for how long
  std::string filename_suffix = {};
};
/// An event's place on the axes; the time is now when missing, in seconds since 1970.
struct At {
  std::optional<int64_t> step = {};
  std::optional<double> walltime = {};
  At() = default;
  At(int64_t s) : step(s) {}
  At(int64_t s, double time) : step(s), walltime(time) {}
};

class TG_API SummaryWriter {
  struct State;
  State* state_;
  void add(const std::string& value, At at);
 public:
  /// Makes the folder; runs/DATE_TIME_HOST and comment when it is "". Throws IoError.
  explicit SummaryWriter(std::string log_dir = "", WriterOptions options = {});
  ~SummaryWriter();
  SummaryWriter(const SummaryWriter&) = delete;
  const std::string& log_dir() const;
  const std::string& path() const;  ///< of the event file

  void add_scalar(const std::string& tag, double value, At at = {});
  /// Several numbers in one plot; each is a run of its own below the folder.
  void add_scalars(const std::string& main_tag, const std::vector<std::pair<std::string, double>>& values, At at = {});
  /// How the values are distributed, in TensorFlow's buckets.
  void add_histogram(const std::string& tag, const Tensor& values, At at = {});
  /// uint8, or floats from 0 to 1, of 1, 3 or 4 channels. `dataformats` names the dimensions: CHW, HWC, HW, NCHW, NHWC; several images
  /// are put side by side, 8 in a row.
  void add_image(const std::string& tag, const Tensor& image, At at = {}, std::string_view dataformats = "CHW");
  void add_text(const std::string& tag, const std::string& markdown, At at = {});
  /// Hands all that is waiting to the system; the destructor does it too.
  void flush();
};

}  // namespace tapegrad::tensorboard
