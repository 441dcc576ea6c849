// A line that tells how far a loop is, as tqdm's:
//   ProgressBar bar(loader.size(), "epoch 1");
//   for (const auto& [x, y] : loader) { …; bar.set_postfix("loss=0.12"); bar.update(); }
#pragma once
#include <string>

#include "tapegrad/types.h"

namespace tapegrad {

class TG_API ProgressBar {
  struct State;
  State* state_;
  void draw(bool last);
 public:
  /// total < 0: unknown. Without `out` it draws on the standard error stream, on a terminal ten times a second, elsewhere once at the end.
  explicit ProgressBar(int64_t total, std::string description = "", std::ostream* out = nullptr);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  void update(int64_t steps = 1);
  void set_postfix(std::string text);
  void close();  ///< draws the last state and ends the line; the destructor does it too
  int64_t steps() const;
};

}  // namespace tapegrad
