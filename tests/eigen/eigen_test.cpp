// Tensors and Eigen matrices in the same memory, and ops made of Eigen code.
#include "tapegrad/eigen.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>

using namespace tapegrad;
using Eigen::MatrixXd, Eigen::VectorXd;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

static Tensor numbers(IntList size) { return arange(size[0] * size[1]).to(float64).view(size); }

TEST(Eigen, MapsShareMemory) {
  const Tensor x = numbers({2, 3});
  const auto a = eigen::map<const MatrixXd>(x);
  EXPECT_EQ(a.data(), x.data_ptr<double>());
  EXPECT_EQ(a(1, 0), 3);
  EXPECT_EQ(eigen::map<const RowMatrix>(x)(1, 2), 5);
  EXPECT_EQ(eigen::map<const MatrixXd>(x.t())(2, 1), 5);
  EXPECT_EQ(eigen::map<const MatrixXd>(x[{Slice(), Slice({}, {}, 2)}])(1, 1), 5);
  EXPECT_EQ((eigen::map<const Eigen::Matrix<double, 2, 3>>(x)(0, 2)), 2);
  const uint32_t before = x.version();
  eigen::map<MatrixXd>(x)(0, 1) = 7;
  EXPECT_EQ(x(0, 1), 7);
  EXPECT_GT(x.version(), before);
  const Eigen::Ref<const MatrixXd, 0, eigen::Strides> ref = a;
  EXPECT_EQ(ref.data(), a.data());
  EXPECT_EQ(eigen::map<const VectorXd>(x[1]).size(), 3);
  EXPECT_EQ(eigen::map<const Eigen::RowVectorXd>(x.select(1, 1))(1), 4);
  EXPECT_EQ(eigen::map<const VectorXd>(x.narrow(1, 0, 1))(1), 3);
  EXPECT_EQ(eigen::map<const Eigen::MatrixXcf>(ones({1, 1}, complex64))(0, 0), std::complex<float>(1));
  EXPECT_EQ(eigen::map<const MatrixXd>(empty({0, 3}, float64)).size(), 0);
}

TEST(Eigen, DenseMapsAreOfOneOrder) {
  const Tensor x = numbers({2, 3});
  EXPECT_EQ(eigen::dense_map<const RowMatrix>(x)(1, 1), 4);
  EXPECT_EQ(eigen::dense_map<const MatrixXd>(x.t())(1, 1), 4);
  EXPECT_EQ(eigen::dense_map<const VectorXd>(x[1])(1), 4);
  EXPECT_THROW(eigen::dense_map<const MatrixXd>(x), ValueError);
  EXPECT_THROW(eigen::dense_map<const RowMatrix>(x[{Slice(), Slice(0, 2)}]), ValueError);
}

TEST(Eigen, WrongTensorsAreNamed) {
  const auto message = [](auto f) -> std::string {
    try {
      f();
      return "";
    } catch (const Error& e) {
      return e.what();
    }
  };
  EXPECT_EQ(message([] { eigen::map<const MatrixXd>(ones({2, 2})); }), "eigen::map: a matrix of float64 cannot show float32\n  x: float32[2, 2] cpu");
  EXPECT_EQ(message([] { eigen::map<const Eigen::Matrix3d>(ones({2, 3}, float64)); }), "eigen::map: expected a matrix of 3 x 3, got 2 x 3\n  x: float64[2, 3] cpu");
  EXPECT_THROW(eigen::map<const MatrixXd>(ones({2, 2, 2}, float64)), ShapeError);
  EXPECT_THROW(eigen::map<const VectorXd>(ones({2, 2}, float64)), ShapeError);
}

TEST(Eigen, MatricesBecomeTensors) {
  MatrixXd m = MatrixXd::Random(3, 2);
  const double* data = m.data();
  const double corner = m(2, 1);
  const Tensor seen = eigen::view(m);
  EXPECT_EQ(seen.strides(), IntList({1, 3}));
  m(0, 0) = 5;
  EXPECT_EQ(seen(0, 0), 5);
  const Tensor block = eigen::view(m.bottomRows(2));
  EXPECT_EQ(block(1, 1), corner);
  block.fill_(1);
  EXPECT_EQ(m(2, 1), 1);
  EXPECT_NE(eigen::tensor(m)->data, seen->data);
  Tensor owned = eigen::tensor(std::move(m));
  EXPECT_EQ(owned.data_ptr<double>(), data);
  EXPECT_EQ(eigen::tensor(Eigen::Matrix2f::Identity()).dtype(), float32);
  EXPECT_EQ(eigen::tensor(Eigen::Vector4i(1, 2, 3, 4)).sizes(), IntList({4}));
  const Tensor part = owned[{Slice(1, 3)}];
  owned = Tensor();
  EXPECT_EQ(part(1, 1), 1);  // the matrix lives as long as a tensor looks at it
  EXPECT_TRUE(equal(matmul(eigen::tensor(RowMatrix(RowMatrix::Identity(2, 2))), numbers({2, 2})), numbers({2, 2})));
}

TEST(Eigen, OpsOfLambdas) {
  const auto logdet = custom_op<MatrixXd>(
      "logdet", [](const auto& a) { return std::log(a.determinant()); },
      [](const auto& a, double, double grad) { return (grad * a.inverse().transpose()).eval(); });
  const Tensor x = (numbers({3, 3}).sin() + 4 * eye(3, {}, float64)).set_requires_grad();
  EXPECT_TRUE(allclose(logdet(x), x.logdet()));
  EXPECT_EQ(gradcheck([&](auto& in) { return 2 * logdet(in[0]); }, {x}), "");
  EXPECT_EQ(gradcheck([&](auto& in) { return logdet(in[0].t()); }, {x}), "");
  try {
    const Tensor g = grad({logdet(x)}, {x}, {}, {.create_graph = true})[0];
    g.sum().backward();
    FAIL();
  } catch (const NotImplementedError& e) {
    EXPECT_NE(std::string(e.what()).find("logdet: its backward works on Eigen matrices"), std::string::npos) << e.what();
  }
}

TEST(Eigen, OpsOfSeveralInputs) {
  const auto solve = custom_op<MatrixXd, VectorXd, double>(
      "solve", [](const auto& a, const auto& b, double s) { return (s * a.partialPivLu().solve(b)).eval(); },
      [](const auto& a, const auto&, double s, const auto& x, const auto& g) {
        const VectorXd u = a.transpose().partialPivLu().solve(g);
        return std::tuple(MatrixXd(-u * x.transpose()), VectorXd(s * u), x.dot(g) / s);
      });
  const Tensor a = (numbers({3, 3}).sin() + 4 * eye(3, {}, float64)).set_requires_grad(), b = numbers({3, 1}).cos().view({3}).set_requires_grad(),
               s = tensor(1.5, float64).set_requires_grad();
  EXPECT_EQ(gradcheck([&](auto& in) { return solve(in[0], in[1], in[2]); }, {a, b, s}), "");
  EXPECT_EQ(gradcheck([&](auto& in) { return solve(in[0], in[1].view({3, 1}), in[2]); }, {a, b, s}), "");
  EXPECT_THROW(solve(a, b, tensor(1.5, float32)), DtypeError);
}

TEST(Eigen, BackwardOfTensorsCanBeDifferentiatedAgain) {
  const auto cube = custom_op<MatrixXd>(
      "cube", [](const auto& x) { return MatrixXd(x.array().cube()); }, eigen::of_tensors([](const Tensor& x, const Tensor&, const Tensor& g) { return 3 * x * x * g; }));
  EXPECT_EQ(gradcheck([&](auto& in) { return cube(in[0]); }, {numbers({2, 2}).sin().set_requires_grad()}, {.second_order = true}), "");
}
