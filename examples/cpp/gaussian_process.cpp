// A Gaussian process reads handwritten digits, and learns its own settings from the likelihood of the data. The likelihood is Eigen code,
// a Cholesky factorisation with the derivative of the whole matrix at once, made a differentiable op; the kernel before it and the
// optimiser are tapegrad's.
#include <tapegrad/data.h>
#include <tapegrad/eigen.h>
#include <tapegrad/optim.h>

#include <Eigen/Cholesky>
#include <cstdio>

using namespace tapegrad;
using Eigen::MatrixXd;

// -log p(Y | K) for each column of Y independently Gaussian with covariance K; n = rows, m = columns:
//   tr(Yᵀ K⁻¹ Y) / 2 + m log det K / 2 + n m log(2π) / 2
// With A = K⁻¹ Y its derivatives are (m K⁻¹ - A Aᵀ) / 2 by K and A by Y: O(n³) for all n² numbers of K.
static const auto negative_log_likelihood = custom_op<MatrixXd, MatrixXd>(
    "negative_log_likelihood",
    [](const auto& k, const auto& y) {
      const Eigen::LLT<MatrixXd> llt(k);
      TG_CHECK(llt.info() == Eigen::Success, LinAlgError, "the covariance is not positive definite");
      const MatrixXd half = llt.matrixL().solve(y);
      const double log_det = 2 * llt.matrixLLT().diagonal().array().log().sum();
      return 0.5 * (half.squaredNorm() + double(y.cols()) * (log_det + double(y.rows()) * std::log(2 * double(EIGEN_PI))));
    },
    [](const auto& k, const auto& y, double, double grad) {
      const Eigen::LLT<MatrixXd> llt(k);
      const MatrixXd a = llt.solve(y);
      MatrixXd dk = llt.solve(MatrixXd::Identity(k.rows(), k.cols())) * double(y.cols());
      dk.noalias() -= a * a.transpose();
      return std::tuple(MatrixXd(0.5 * grad * dk), MatrixXd(grad * a));
    });

struct Kernel : nn::Module {
  Tensor log_scale = register_parameter("log_scale", zeros({}, float64));  // of the covariance
  Tensor log_length = register_parameter("log_length", zeros({}, float64));
  Tensor log_noise = register_parameter("log_noise", full({}, -2.0, float64));
  Kernel() : Module("Kernel") {}
  Tensor operator()(const Tensor& a, const Tensor& b) const {
    const Tensor distance = a.square().sum(1).unsqueeze(1) + b.square().sum(1) - 2 * matmul(a, b.t());
    return exp(log_scale - 0.5 * distance * exp(-2 * log_length));
  }
  Tensor covariance(const Tensor& x) const { return (*this)(x, x) + exp(log_noise) * eye(x.size(0), {}, float64); }
};

static Tensor pixels(const data::TensorDataset& set) { return set.data.flatten(1).to(float64); }

int main() try {
  manual_seed(0);
  {
    const Tensor x = randn({5, 2}, float64).set_requires_grad(), y = randn({5, 3}, float64).set_requires_grad();
    const Kernel kernel;
    const std::string wrong = gradcheck([&](auto& in) { return negative_log_likelihood(kernel.covariance(in[0]), in[1]); }, {x, y});
    std::printf("gradcheck of the likelihood: %s\n", wrong.empty() ? "right" : wrong.c_str());
    if (!wrong.empty()) return 1;
  }

  const data::TensorDataset train = datasets::digits("train"), test = datasets::digits("test");
  const Tensor rows = randperm(train.size()).narrow(0, 0, 400);
  const Tensor x = pixels(train).index_select(0, rows), labels = train.target.index_select(0, rows);
  const Tensor y = one_hot(labels, 10).to(float64) - 0.1;  // ten functions, one for each digit

  const Kernel kernel;
  optim::Adam adam(kernel.parameters(), {.lr = 0.1});
  for (int step = 0; step <= 40; step++) {
    adam.zero_grad();
    const Tensor loss = negative_log_likelihood(kernel.covariance(x), y);
    loss.backward();
    adam.step();
    if (step % 10 == 0)
      std::printf("step %2d  -log p %9.2f  length %.3f  scale %.4f  noise %.4f\n", step, loss.item<double>(), kernel.log_length.exp().item<double>(),
                  kernel.log_scale.exp().item<double>(), kernel.log_noise.exp().item<double>());
  }

  const NoGrad no_grad;
  const Tensor mean = matmul(kernel(pixels(test), x), y.cholesky_solve(kernel.covariance(x).cholesky()));
  const double accuracy = 100 * (mean.argmax(1) == test.target).to(float64).mean().item<double>();
  std::printf("accuracy on %lld digits, having seen 400: %.1f %%\n", (long long)test.size(), accuracy);
  return accuracy > 95 ? 0 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 2;
}
