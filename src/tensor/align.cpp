#include "src/tensor/align.h"

#include <algorithm>
#include <cstring>

namespace tapegrad {

std::string right(const std::string& text, size_t width) { return std::string(width - std::min(width, text.size()), ' ') + text; }

std::string aligned(const std::vector<ShapeRow>& rows, const std::vector<int>& marks) {
  size_t label = 9, columns = 0;  // most names fit, so that pictures look alike
  for (const ShapeRow& r : rows) label = std::max(label, std::strlen(r.name)), columns = std::max(columns, size_t(r.column) + r.sizes.size());
  std::vector<size_t> width(columns, 1);
  for (const ShapeRow& r : rows)
    for (size_t k = 0; k < r.sizes.size(); k++) width[size_t(r.column) + k] = std::max(width[size_t(r.column) + k], std::to_string(r.sizes[k]).size());
  std::string text;
  for (const ShapeRow& r : rows) {
    std::string line = std::string("    ") + r.name + std::string(label - std::strlen(r.name), ' ');
    for (size_t c = 0; c < size_t(r.column) + r.sizes.size(); c++)
      line += "  " + right(c < size_t(r.column) ? "" : std::to_string(r.sizes[c - size_t(r.column)]), width[c]);
    text += "\n" + line;
  }
  std::string line(4 + label, ' ');
  for (size_t c = 0; c < columns; c++)
    line += "  " + right(std::find(marks.begin(), marks.end(), int(c)) == marks.end() ? "" : "^", width[c]);
  line.erase(line.find_last_not_of(' ') + 1);
  return line.empty() ? text : text + "\n" + line;
}

std::string aligned_at_end(std::vector<ShapeRow> rows) {
  size_t columns = 0;
  for (const ShapeRow& r : rows) columns = std::max(columns, r.sizes.size());
  std::vector<int64_t> seen(columns, 1);
  std::vector<int> marks;
  for (ShapeRow& r : rows) {
    r.column = int(columns - r.sizes.size());
    for (size_t k = 0; k < r.sizes.size(); k++) {
      int64_t& other = seen[size_t(r.column) + k];
      if (r.sizes[k] != 1 && other != 1 && r.sizes[k] != other) marks.push_back(r.column + int(k));
      if (other == 1) other = r.sizes[k];
    }
  }
  return aligned(rows, marks);
}

std::string aligned_at_start(const std::vector<ShapeRow>& rows, int except) {
  std::vector<int> marks;
  for (const ShapeRow& r : rows)
    for (int c = 0; c < int(std::max(r.sizes.size(), rows[0].sizes.size())); c++)
      if (c != except && (c >= int(r.sizes.size()) || c >= int(rows[0].sizes.size()) || r.sizes[size_t(c)] != rows[0].sizes[size_t(c)])) marks.push_back(c);
  return aligned(rows, marks);
}

}  // namespace tapegrad
