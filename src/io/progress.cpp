#include "tapegrad/progress.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>

namespace tapegrad {

using Clock = std::chrono::steady_clock;

struct ProgressBar::State {
  int64_t total, done = 0;
  std::string description, postfix;
  std::ostream& out;
  bool live;  // drawn while it runs
  size_t width = 0;
  bool closed = false;
  Clock::time_point start = Clock::now(), drawn = {};
};

static std::string clock_text(double seconds) {
  const auto s = int64_t(seconds);
  char text[64];
  if (s >= 3600) std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", (long long)(s / 3600), (long long)(s / 60 % 60), (long long)(s % 60));
  else std::snprintf(text, sizeof text, "%02lld:%02lld", (long long)(s / 60), (long long)(s % 60));
  return text;
}
static std::string fixed(double v, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, v);
  return text;
}

ProgressBar::ProgressBar(int64_t total, std::string description, std::ostream* out)
    : state_(new State{.total = total, .description = std::move(description), .postfix = {}, .out = out ? *out : std::cerr, .live = out || ::isatty(2)}) {}
ProgressBar::~ProgressBar() {
  close();
  delete state_;
}
int64_t ProgressBar::steps() const { return state_->done; }

void ProgressBar::update(int64_t steps) {
  state_->done += steps;
  const auto now = Clock::now();
  if (!state_->live || now - state_->drawn < std::chrono::milliseconds(100)) return;
  state_->drawn = now;
  draw(false);
}
void ProgressBar::set_postfix(std::string text) { state_->postfix = std::move(text); }
void ProgressBar::close() {
  if (state_->closed) return;
  state_->closed = true;
  draw(true);
}

// epoch 1:  45%|####5     | 45/100 [00:01<00:02, 30.1it/s, loss=0.12]
void ProgressBar::draw(bool last) {
  State& s = *state_;
  const double seconds = std::chrono::duration<double>(Clock::now() - s.start).count(), rate = seconds > 0 ? double(s.done) / seconds : 0;
  std::string text = s.description.empty() ? "" : s.description + ": ";
  if (s.total >= 0) {
    const double share = s.total == 0 ? 1 : std::fmax(0, std::fmin(1, double(s.done) / double(s.total)));
    std::string bar(size_t(share * 20) / 2, '#');
    if (size_t(share * 20) % 2) bar += '-';
    bar.resize(10, ' ');
    std::string percent = std::to_string(int(share * 100));
    percent.insert(0, 3 - percent.size(), ' ');
    text += percent + "%|" + bar + "| " + std::to_string(s.done) + "/" + std::to_string(s.total);
  } else {
    text += std::to_string(s.done);
  }
  text += " [" + clock_text(seconds);
  if (s.total >= 0) text += "<" + (rate > 0 ? clock_text(double(s.total - s.done) / rate) : "?");
  text += rate >= 1 || rate == 0 ? ", " + fixed(rate, rate < 100 ? 2 : 0) + "it/s" : ", " + fixed(1 / rate, 2) + "s/it";
  text += s.postfix.empty() ? "]" : ", " + s.postfix + "]";
  const size_t used = text.size();
  if (used < s.width) text.append(s.width - used, ' ');  // covers what was longer before
  s.width = used;
  s.out << (s.live ? "\r" : "") << text << (last ? "\n" : "") << std::flush;
}

}  // namespace tapegrad
