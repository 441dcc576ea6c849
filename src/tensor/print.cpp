// Tensors as text, character for character as PyTorch prints them.
// First the numbers that will be shown decide one width and one of three notations (integral "2.", fixed "2.5000", scientific
// "2.5000e+00"); then the nested brackets are written, with "..." for what lies between the edges of a big tensor.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "src/tensor/cuda.h"
#include "src/tensor/half.h"
#include "tapegrad/autograd.h"
#include "tapegrad/tensor.h"

namespace tapegrad {

PrintOptions& print_options() {
  static PrintOptions options;
  return options;
}

namespace {

double read_float(const char* p, Dtype d) {
  switch (d) {
    case Dtype::Float16: return half_to_float(*reinterpret_cast<const uint16_t*>(p));
    case Dtype::BFloat16: return bfloat_to_float(*reinterpret_cast<const uint16_t*>(p));
    case Dtype::Float32: return *reinterpret_cast<const float*>(p);
    default: return *reinterpret_cast<const double*>(p);
  }
}
int64_t read_int(const char* p, Dtype d) {
  switch (d) {
    case Dtype::UInt8: return *reinterpret_cast<const uint8_t*>(p);
    case Dtype::Int8: return *reinterpret_cast<const int8_t*>(p);
    case Dtype::Int16: return *reinterpret_cast<const int16_t*>(p);
    case Dtype::Int32: return *reinterpret_cast<const int32_t*>(p);
    case Dtype::UInt16: return *reinterpret_cast<const uint16_t*>(p);
    case Dtype::UInt32: return *reinterpret_cast<const uint32_t*>(p);
    default: return *reinterpret_cast<const int64_t*>(p);
  }
}

std::string print(const char* format, int precision, double v) {
  std::string s(32, '\0');
  const int n = std::snprintf(s.data(), s.size() + 1, format, precision, v);
  s.resize(size_t(n));
  if (n > 32) std::snprintf(s.data(), s.size() + 1, format, precision, v);
  return s;
}

class Printer {
  const Tensor& x_;
  const Tensor values_ = host_copy(x_);  // with x_'s strides
  const PrintOptions options_ = print_options();
  const bool summarize_ = x_.numel() > options_.threshold;
  // How one part of the numbers is written; complex numbers have two, each with a width and a notation of its own.
  struct Part {
    Dtype dtype;
    int64_t offset;  // bytes from the element's first
    enum { integral, fixed, scientific } notation = integral;
    size_t width = 1;
  };
  const bool complex_ = x_.is_complex();
  Part first_{real_dtype(x_.dtype()), 0}, imag_{first_.dtype, int64_t(item_size(first_.dtype))};
  std::string out_;

  size_t edge() const { return size_t(options_.edgeitems); }
  bool cut(size_t d) const { return summarize_ && x_->sizes[d] > 2 * int64_t(edge()); }

  // Calls f(pointer) for every element that will be shown.
  template <class F> void each_shown(F&& f, size_t d, const char* p) const {
    if (d == size_t(x_.dim())) return f(p);
    const int64_t n = x_->sizes[d], step = x_->strides[d] * int64_t(item_size(x_.dtype()));
    for (int64_t i = 0; i < n; i++) {
      if (cut(d) && i == int64_t(edge())) i = n - int64_t(edge());
      if (i < n) each_shown(f, d + 1, p + i * step);
    }
  }

  std::string text(const char* p, const Part& part) const {
    const Dtype d = part.dtype;
    if (d == Dtype::Bool) return *p ? "True" : "False";
    if (d == Dtype::UInt64) return std::to_string(*reinterpret_cast<const uint64_t*>(p));
    if (!is_floating(d)) return std::to_string(read_int(p, d));
    const double v = read_float(p + part.offset, d);
    if (std::isnan(v)) return "nan";  // never "-nan"
    switch (part.notation) {
      case Part::integral: return print("%.*f", 0, v) + (std::isfinite(v) ? "." : "");
      case Part::fixed: return print("%.*f", options_.precision, v);
      default: return print("%.*e", options_.precision, v);
    }
  }

  void choose_format(Part& part) {
    if (is_floating(part.dtype)) {
      double most = 0, least = INFINITY;
      bool whole = true;
      each_shown([&](const char* p) {
        const double v = std::fabs(read_float(p + part.offset, part.dtype));
        if (v == 0 || !std::isfinite(v)) return;
        most = std::max(most, v), least = std::min(least, v);
        whole = whole && v == std::ceil(v);
      }, 0, values_->data);
      if (most == 0) return;  // zeros, infinities and NaN only: as short as can be
      const bool wide = most / least > 1000 || most > 1e8 || (!whole && least < 1e-4);
      part.notation = options_.sci_mode.value_or(wide) ? Part::scientific : whole ? Part::integral : Part::fixed;
      each_shown([&](const char* p) {
        const double v = read_float(p + part.offset, part.dtype);
        if (v != 0 && std::isfinite(v)) part.width = std::max(part.width, text(p, part).size());
      }, 0, values_->data);
    } else {
      each_shown([&](const char* p) { part.width = std::max(part.width, text(p, part).size()); }, 0, values_->data);
    }
  }

  void put_number(const char* p) {
    const std::string s = text(p, first_);
    if (s.size() < first_.width) out_.append(first_.width - s.size(), ' ');
    out_ += s;
    if (!complex_) return;
    const std::string i = text(p, imag_);
    out_ += (i[0] == '-' ? "" : "+") + i + 'j';
  }

  void put_row(const char* p, size_t indent) {
    const size_t d = size_t(x_.dim()) - 1;
    const int64_t n = x_->sizes[d], step = x_->strides[d] * int64_t(item_size(x_.dtype()));
    const int64_t room = options_.linewidth - int64_t(indent);
    const int64_t per_line = std::max<int64_t>(1, room / int64_t(first_.width + 2 + (complex_ ? imag_.width + 1 : 0)));
    int64_t shown = 0;
    auto separate = [&] {
      if (shown) out_ += shown % per_line ? ", " : ",\n" + std::string(indent + 1, ' ');
      shown++;
    };
    out_ += '[';
    for (int64_t i = 0; i < n; i++) {
      if (cut(d) && i == int64_t(edge())) {
        separate();
        out_ += " ...";
        i = n - int64_t(edge());
        if (i == n) break;
      }
      separate();
      put_number(p + i * step);
    }
    out_ += ']';
  }

  void put_values(size_t d, const char* p, size_t indent) {
    const size_t dims = size_t(x_.dim());
    if (dims == 0) return put_number(p);
    if (d + 1 == dims) return put_row(p, indent);
    const int64_t n = x_->sizes[d], step = x_->strides[d] * int64_t(item_size(x_.dtype()));
    const std::string separator = "," + std::string(dims - d - 1, '\n') + std::string(indent + 1, ' ');
    out_ += '[';
    for (int64_t i = 0; i < n; i++) {
      if (i) out_ += separator;
      if (cut(d) && i == int64_t(edge())) {
        out_ += "...";
        i = n - int64_t(edge());
        if (i == n) break;
        out_ += separator;
      }
      put_values(d + 1, p + i * step, indent + 1);
    }
    out_ += ']';
  }

  // PyTorch counts two columns more for the line that ends in numbers than for one that ends in a suffix.
  void put_suffixes(const std::vector<std::string>& suffixes, size_t indent) {
    const size_t newline = out_.rfind('\n');
    size_t line = out_.size() + 1 - newline;  // npos + 1 == 0
    for (const std::string& s : suffixes) {
      if (line + s.size() + 2 > size_t(options_.linewidth)) {
        out_ += ",\n" + std::string(indent, ' ') + s;
        line = indent + s.size();
      } else {
        out_ += ", " + s;
        line += s.size() + 2;
      }
    }
  }

 public:
  explicit Printer(const Tensor& x) : x_(x) {}

  std::string run(std::string prefix) {
    const size_t indent = prefix.size();
    const Dtype d = x_.dtype();
    out_ = std::move(prefix);
    std::vector<std::string> suffixes;
    if (x_.is_cuda()) suffixes.push_back("device='" + to_string(x_.device()) + "'");
    bool dtype_goes_without_saying = d == default_dtype();
    if (x_.numel() == 0) {
      out_ += "[]";
      if (x_.dim() != 1) {
        std::string size = to_string(x_.sizes());
        size.front() = '(', size.back() = ')';
        suffixes.push_back("size=" + size);
      }
    } else {
      dtype_goes_without_saying |= d == Dtype::Int64 || d == Dtype::Bool || (complex_ && d == complex_dtype(default_dtype()));
      choose_format(first_);
      if (complex_) choose_format(imag_);
      put_values(0, values_->data, indent);
    }
    if (!dtype_goes_without_saying) suffixes.push_back(std::string("dtype=tapegrad.") + name(d));
    if (const Node* node = grad_fn(x_)) suffixes.push_back("grad_fn=<" + std::string(node->name()) + ">");
    else if (x_.requires_grad()) suffixes.push_back("requires_grad=True");
    put_suffixes(suffixes, indent);
    return out_ + ")";
  }
};

}  // namespace

std::string to_string(const Tensor& x) {
  if (!x.defined()) return "tensor(undefined)";
  return Printer(x).run("tensor(");
}

}  // namespace tapegrad
