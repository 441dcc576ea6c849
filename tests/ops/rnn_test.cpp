// Recurrent networks against their formulas written with elementwise ops, gradients by finite differences, odd shapes, refusals.
// Comparison with PyTorch: tests/parity/test_rnn_parity.py.
#include <gtest/gtest.h>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {
Tensor numbers(IntList size, double phase) {
  Tensor t = arange(0, double(zeros(size).numel()), 1, float64);
  return reshape(sin(t * 1.7 + phase), size);
}
// One step of an LSTM, straight from its formulas.
std::pair<Tensor, Tensor> lstm_step(const Tensor& x, const Tensor& h, const Tensor& c, const std::vector<Tensor>& w) {
  const Tensor g = matmul(x, transpose(w[0], 0, 1)) + matmul(h, transpose(w[1], 0, 1)) + w[2] + w[3];
  const int64_t n = h.size(1);
  const Tensor next = sigmoid(narrow(g, 1, n, n)) * c + sigmoid(narrow(g, 1, 0, n)) * tanh(narrow(g, 1, 2 * n, n));
  return {sigmoid(narrow(g, 1, 3 * n, n)) * tanh(next), next};
}
bool near(const Tensor& a, const Tensor& b) { return allclose(a, b, 1e-12, 1e-12); }
}  // namespace

TEST(Rnn, LstmIsItsFormulas) {
  const std::vector<Tensor> w = {numbers({20, 3}, 0), numbers({20, 5}, 1), numbers(20, 2), numbers(20, 3)};
  const Tensor x = numbers({4, 2, 3}, 4), h0 = numbers({1, 2, 5}, 5), c0 = numbers({1, 2, 5}, 6);
  Tensor h = select(h0, 0, 0), c = select(c0, 0, 0);
  std::vector<Tensor> ys;
  for (int64_t t = 0; t < 4; t++) {
    std::tie(h, c) = lstm_step(select(x, 0, t), h, c, w);
    ys.push_back(h);
  }
  const auto [y, h_n, c_n] = lstm(x, {h0, c0}, w, true, 1, 0, false, false, false);
  EXPECT_TRUE(near(y, stack(ys, 0)) && near(h_n, unsqueeze(h, 0)) && near(c_n, unsqueeze(c, 0)));
  const auto [h1, c1] = lstm_cell(select(x, 0, 0), {select(h0, 0, 0), select(c0, 0, 0)}, w[0], w[1], w[2], w[3]);
  EXPECT_TRUE(near(h1, ys[0]));
}

TEST(Rnn, PackedSequencesAreTheirSequencesOneByOne) {
  const std::vector<Tensor> w = {numbers({6, 3}, 0), numbers({6, 2}, 1), numbers(6, 2), numbers(6, 3),
                                 numbers({6, 3}, 4), numbers({6, 2}, 5), numbers(6, 6), numbers(6, 7)};
  const Tensor rows = numbers({6, 3}, 8), h0 = numbers({2, 3, 2}, 9);  // lengths 3, 2, 1
  const auto [y, h_n] = gru(rows, tensor({3, 2, 1}, int64), h0, w, true, 1, 0, false, true);
  const Tensor places[] = {tensor({0, 3, 5}, int64), tensor({1, 4}, int64), tensor({2}, int64)};
  for (int64_t n = 0; n < 3; n++) {
    const Tensor& index = places[n];
    const Tensor alone = unsqueeze(index_select(rows, 0, index), 1);
    const auto [one, h_one] = gru(alone, narrow(h0, 1, n, 1), w, true, 1, 0, false, true, false);
    EXPECT_TRUE(near(index_select(y, 0, index), select(one, 1, 0)) && near(narrow(h_n, 1, n, 1), h_one));
  }
}

TEST(Rnn, Gradients) {
  auto leaf = [](IntList size, double phase) { return numbers(size, phase).set_requires_grad(); };
  const std::vector<Tensor> in = {leaf({3, 2, 2}, 0), leaf({2, 2, 2}, 1), leaf({2, 2, 3}, 2), leaf({12, 2}, 3), leaf({12, 2}, 4),
                                  leaf({2, 3}, 5), leaf({12, 2}, 6), leaf({12, 2}, 7), leaf({2, 3}, 8)};
  auto projected = [](const std::vector<Tensor>& v) -> std::vector<Tensor> {
    const auto [y, h, c] = lstm(v[0], {v[1], v[2]}, std::vector<Tensor>(v.begin() + 3, v.end()), false, 2, 0, false, false, true);
    return {y, h, c};
  };
  std::vector<Tensor> batch_first = in;
  batch_first[0] = leaf({2, 3, 2}, 0);
  EXPECT_EQ(gradcheck(projected, batch_first, {.second_order = true}), "");
  const std::vector<Tensor> small = {leaf({4, 2}, 0), leaf({2, 2, 2}, 1), leaf({2, 2}, 2), leaf({2, 2}, 3), leaf({2, 2}, 4), leaf({2, 2}, 5)};
  auto plain = [](const std::vector<Tensor>& v) -> std::vector<Tensor> {
    const auto [y, h] = rnn_tanh(v[0], tensor({2, 1, 1}, int64), v[1], std::vector<Tensor>(v.begin() + 2, v.end()), false, 1, 0, false, true);
    return {y, h};
  };
  EXPECT_EQ(gradcheck(plain, small, {.second_order = true}), "");
}

TEST(Rnn, NoSequencesAtAll) {
  const std::vector<Tensor> w = {numbers({8, 3}, 0).set_requires_grad(), numbers({8, 2}, 1)};
  const auto [y, h, c] = lstm(zeros({4, 0, 3}, float64), {zeros({1, 0, 2}, float64), zeros({1, 0, 2}, float64)}, w, false, 1, 0, false, false, false);
  EXPECT_EQ(y.sizes(), Shape({4, 0, 2}));
  sum(y).backward();
  EXPECT_TRUE(near(w[0].grad(), zeros({8, 3}, float64)));
}

TEST(Rnn, Refusals) {
  const std::vector<Tensor> w = {numbers({6, 3}, 0), numbers({6, 2}, 1)};
  const Tensor x = zeros({4, 1, 3}, float64), h = zeros({1, 1, 2}, float64);
  EXPECT_THROW(gru(zeros({0, 1, 3}, float64), h, w, false, 1, 0, false, false, false), ShapeError);
  EXPECT_THROW(gru(zeros({4, 1, 2}, float64), h, w, false, 1, 0, false, false, false), ShapeError);
  EXPECT_THROW(gru(x, h, w, true, 1, 0, false, false, false), ValueError);
  EXPECT_THROW(gru(x, h, w, false, 2, 0, false, false, false), ShapeError);
  EXPECT_THROW(gru(x, to(h, float32), w, false, 1, 0, false, false, false), DtypeError);
  EXPECT_THROW(gru(x, h, w, false, 1, 2, true, false, false), ValueError);
  EXPECT_THROW(lstm(x, h, w, false, 1, 0, false, false, false), ValueError);
  EXPECT_THROW(gru(zeros({3, 3}, float64), tensor({1, 2}, int64), h, w, false, 1, 0, false, false), ValueError);
  EXPECT_THROW(gru(zeros({3, 3}, float64), tensor({1, 1}, int64), h, w, false, 1, 0, false, false), ShapeError);
}
