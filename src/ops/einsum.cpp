// einsum: operands are multiplied from left to right; each pair becomes one batched product by permuting and folding dims.
#include <algorithm>

#include "src/ops/matmul.h"
#include "src/ops/op_info.h"

namespace tapegrad {
namespace {

// A label is a letter's number (0 to 51) or, for the dimensions behind "...", kEllipsis + its distance from the right.
constexpr int kEllipsis = 52, kLabels = kEllipsis + kMaxDims;
struct Term {
  Tensor x;
  std::vector<int> labels;  // one per dimension, no label twice
};

int letter(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1; }

// Splits "ij,jk" at commas.
std::vector<std::string> split_terms(std::string_view text) {
  std::vector<std::string> terms(1);
  for (char c : text) c == ',' ? void(terms.emplace_back()) : void(terms.back() += c);
  return terms;
}
// The labels of a term, with -1 in place of "...".
std::vector<int> parse(std::string_view term, const char* where) {
  std::vector<int> labels;
  bool dots = false;
  for (size_t i = 0; i < term.size(); i++) {
    if (term[i] == '.') {
      TG_CHECK(term.substr(i, 3) == "..." && !dots, ValueError,
          "'.' may only be part of one ellipsis '...' in each term, got '", term, "' ", where);
      dots = true, i += 2;
      labels.push_back(-1);
      continue;
    }
    TG_CHECK(letter(term[i]) >= 0, ValueError, "labels must be letters, got '", term.substr(i, 1), "' in '", term, "' ", where);
    labels.push_back(letter(term[i]));
  }
  return labels;
}
std::string text_of(int label) { return label >= kEllipsis ? "..." : std::string(1, char(label < 26 ? 'A' + label : 'a' + label - 26)); }

int find(const std::vector<int>& labels, int l) {
  const auto at = std::find(labels.begin(), labels.end(), l);
  return at == labels.end() ? -1 : int(at - labels.begin());
}

// Gives the ellipsis its labels and takes the diagonal where a letter stands twice.
Term operand(const Tensor& x, const std::vector<int>& parsed, std::string_view term) {
  const bool dots = find(parsed, -1) >= 0;
  const int64_t named = int64_t(parsed.size()) - dots, hidden = x.dim() - named;
  TG_CHECK(dots ? hidden >= 0 : hidden == 0, ShapeError, "'", term, "' names ", named, dots ? " or more" : "",
      " dimensions, got an operand with ", x.dim(), Named{"operand", x});
  Term t{x, {}};
  for (int l : parsed) {
    if (l >= 0) t.labels.push_back(l);
    else for (int64_t k = hidden; k-- > 0;) t.labels.push_back(kEllipsis + int(k));
  }
  for (size_t i = 0; i < t.labels.size(); i++)
    for (size_t j = i + 1; j < t.labels.size(); j++)
      if (t.labels[i] == t.labels[j]) {
        TG_CHECK(t.x.size(int64_t(i)) == t.x.size(int64_t(j)), ShapeError, "label '", text_of(t.labels[i]),
            "' stands twice in '", term, "' for dimensions of different size, got ",
                 t.x.size(int64_t(i)), " and ", t.x.size(int64_t(j)), Named{"operand", x});
        t.x = movedim(diagonal(t.x, 0, int64_t(i), int64_t(j)), -1, int64_t(i));
        t.labels.erase(t.labels.begin() + int(j));
        j = i;
      }
  return t;
}

// t's dimensions in the order of `labels`, with a dimension of size 1 where t lacks the label.
Tensor arrange(const Term& t, const std::vector<int>& labels) {
  Shape order, at;
  for (size_t i = 0; i < labels.size(); i++) {
    const int d = find(t.labels, labels[i]);
    if (d >= 0) order.push_back(d);
    else at.push_back(int64_t(i));
  }
  Tensor x = permute(t.x, order);
  for (int64_t i : at) x = unsqueeze(x, i);
  return x;
}

void sum_out(Term& t, const std::vector<int>& dropped) {
  Shape dims;
  std::vector<int> kept;
  for (size_t d = 0; d < t.labels.size(); d++)
    if (find(dropped, t.labels[d]) >= 0) dims.push_back(int64_t(d));
    else kept.push_back(t.labels[d]);
  if (dims.empty()) return;
  t.x = sum(t.x, dims);
  t.labels = kept;
}

// The product of two terms, summed over the labels for which needed[] is false.
Term multiply(Term a, Term b, const bool* needed) {
  std::vector<int> batch, left, right, summed, only_a, only_b;
  for (int l : a.labels) {
    if (find(b.labels, l) < 0) (needed[l] ? left : only_a).push_back(l);
    else (needed[l] ? batch : summed).push_back(l);
  }
  for (int l : b.labels) if (find(a.labels, l) < 0) (needed[l] ? right : only_b).push_back(l);
  // a summed dimension of size 1 meets the other's sum
  for (int l : summed) {
    const int64_t x = a.x.size(find(a.labels, l)), y = b.x.size(find(b.labels, l));
    if (x == 1 && y != 1) only_b.push_back(l);
    if (y == 1 && x != 1) only_a.push_back(l);
  }
  sum_out(a, only_a), sum_out(b, only_b);
  std::erase_if(summed, [&](int l) {
    const int p = find(a.labels, l), q = find(b.labels, l);
    if (p >= 0 && q >= 0) return false;
    if (p >= 0) a.x = squeeze(a.x, p), a.labels.erase(a.labels.begin() + p);
    if (q >= 0) b.x = squeeze(b.x, q), b.labels.erase(b.labels.begin() + q);
    return true;
  });

  Term out{{}, batch};
  out.labels.insert(out.labels.end(), left.begin(), left.end());
  out.labels.insert(out.labels.end(), right.begin(), right.end());
  if (summed.empty()) {
    out.x = mul(arrange(a, out.labels), arrange(b, out.labels));
    return out;
  }
  std::vector<int> a_order = batch, b_order = batch;
  a_order.insert(a_order.end(), left.begin(), left.end());
  a_order.insert(a_order.end(), summed.begin(), summed.end());
  b_order.insert(b_order.end(), summed.begin(), summed.end());
  b_order.insert(b_order.end(), right.begin(), right.end());
  const Tensor x = arrange(a, a_order), y = arrange(b, b_order);
  Shape x_size, y_size, size;
  int64_t m = 1, n = 1, k = 1;
  for (size_t d = 0; d < batch.size(); d++) {
    const int64_t p = x.size(int64_t(d)), q = y.size(int64_t(d));
    x_size.push_back(p), y_size.push_back(q), size.push_back(p == 1 ? q : p);
  }
  for (size_t d = 0; d < left.size(); d++) size.push_back(x.size(int64_t(batch.size() + d))), m *= size.back();
  for (size_t d = 0; d < summed.size(); d++) k *= x.size(int64_t(batch.size() + left.size() + d));
  for (size_t d = 0; d < right.size(); d++) size.push_back(y.size(int64_t(batch.size() + summed.size() + d))), n *= size.back();
  x_size.push_back(m), x_size.push_back(k);
  y_size.push_back(k), y_size.push_back(n);
  out.x = reshape(product(reshape(x, x_size), false, reshape(y, y_size), false), size);
  return out;
}

}  // namespace

Tensor einsum(std::string_view equation, TensorList operands) {
  OpScope op("einsum");
  TG_CHECK(!operands.empty(), ValueError, "at least one operand is needed, got none");
  std::string text;
  for (char c : equation) if (c != ' ') text += c;
  const size_t arrow = text.find("->");
  const std::vector<std::string> terms = split_terms(std::string_view(text).substr(0, arrow));
  TG_CHECK(terms.size() == operands.size(), ValueError, "the equation must name as many terms as there are operands, got ",
      terms.size(), " in '", equation, "' and ",
           operands.size());

  std::vector<Term> in;
  int count[kLabels] = {};
  int64_t extent[kLabels];
  std::fill(extent, extent + kLabels, int64_t(1));
  for (size_t i = 0; i < terms.size(); i++) {
    TG_CHECK(operands[i].dtype() == operands[0].dtype(), DtypeError, "operands must have the same dtype, got ",
        operands[0].dtype(), " and ", operands[i].dtype());
    const std::vector<int> parsed = parse(terms[i], "of the equation");
    for (int l : parsed) if (l >= 0) count[l]++;
    in.push_back(operand(operands[i], parsed, terms[i]));
    for (size_t d = 0; d < in[i].labels.size(); d++) {
      const int l = in[i].labels[d];
      const int64_t n = in[i].x.size(int64_t(d));
      TG_CHECK(n == extent[l] || n == 1 || extent[l] == 1, ShapeError, "label '", text_of(l),
          "' must have one size in all operands, got ", extent[l], " and ", n, " (operand ", i, ")",
               Named{"operand", operands[i]});
      if (n != 1) extent[l] = n;
      if (l >= kEllipsis) count[l]++;
    }
  }

  std::vector<int> result;
  const auto add_ellipsis = [&] { for (int l = kLabels; l-- > kEllipsis;) if (count[l]) result.push_back(l); };
  if (arrow != std::string::npos) {
    for (int l : parse(std::string_view(text).substr(arrow + 2), "of the output")) {
      if (l < 0) { add_ellipsis(); continue; }
      TG_CHECK(count[l] > 0, ValueError, "output label '", text_of(l), "' does not stand in any input of '", equation, "'");
      TG_CHECK(find(result, l) < 0, ValueError, "output label '", text_of(l), "' stands twice in '", equation, "'");
      result.push_back(l);
    }
  } else {  // the ellipsis, then letters that stand once, upper case first
    add_ellipsis();
    for (int l = 0; l < kEllipsis; l++) if (count[l] == 1) result.push_back(l);
  }

  Term total = in[0];
  for (size_t i = 1; i <= in.size(); i++) {
    bool needed[kLabels] = {};
    for (int l : result) needed[l] = true;
    for (size_t j = i + 1; j < in.size(); j++) for (int l : in[j].labels) needed[l] = true;
    if (i < in.size()) {
      total = multiply(total, in[i], needed);
      continue;
    }
    std::vector<int> dropped;
    for (int l : total.labels) if (!needed[l]) dropped.push_back(l);
    sum_out(total, dropped);
  }
  return arrange(total, result);
}

void einsum_ops(OpTable& t) {
  t.add("einsum(str equation, Tensor[] operands)", &einsum,
        "Sums of products in Einstein's notation: \"ij,jk->ik\" is a matrix product. Letters that the output lacks are summed "
        "over; a letter "
        "twice in one term takes the diagonal; \"...\" stands for broadcast leading dimensions; without \"->\" the output has "
        "the letters that stand once, sorted.")
      .complex().samples({"'ij,jk->ik', [T(2, 3), T(3, 4)]", "'bij,bjk', [T(2, 3, 4), T(2, 4, 2)]", "'ii->i', [T(3, 3)]",
      "'ij->', [T(2, 3)]", "'...ij,...jk->...ik', [T(2, 1, 2, 3), T(3, 3, 2)]",
                "'i,j,k->kji', [T(2), T(3), T(2)]", "'ij,kj,jl->il', [T(2, 3), T(4, 3), T(3, 2)]",
                "'bn,anm,bm->ba', [T(2, 5), T(3, 5, 4), T(2, 4)]"});
}

}  // namespace tapegrad
