// Linear algebra in PyTorch's names: those of torch.linalg in namespace linalg, those of torch below.
// A is a batch of matrices (…, m, n), float32, float64, complex64 or complex128, for which Aᵀ below is conjugated; leading
// dimensions of several arguments broadcast. All is differentiable, any number of times, unless said otherwise. Where a
// factorization does not exist a LinAlgError names the batch element; the _ex forms return an int32 `info` instead, 0 for success.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

/// Example: const Tensor a = tensor({{4.0, 1.0}, {1.0, 3.0}}); assert(allclose(matmul(a, linalg::inv(a)), eye(2), 0, 1e-6));
///   assert(linalg::svdvals(a).size(0) == 2);
namespace linalg {

// ## linalg_solve: LU and what is made of it
TG_API std::tuple<Tensor, Tensor> lu_factor(const Tensor& A, bool pivot = true);                                    ///< LU, pivots (from 1)
TG_API std::tuple<Tensor, Tensor, Tensor> lu_factor_ex(const Tensor& A, bool pivot = true, bool check_errors = false);  ///< LU, pivots, info
TG_API std::tuple<Tensor, Tensor, Tensor> lu(const Tensor& A, bool pivot = true);                                   ///< P, L, U: A = P L U
TG_API Tensor lu_solve(const Tensor& LU, const Tensor& pivots, const Tensor& B, bool left = true, bool adjoint = false);
/// X with A X = B (X A = B when !left); B may be a batch of vectors.
TG_API Tensor solve(const Tensor& A, const Tensor& B, bool left = true);
TG_API std::tuple<Tensor, Tensor> solve_ex(const Tensor& A, const Tensor& B, bool left = true, bool check_errors = false);
TG_API Tensor solve_triangular(const Tensor& A, const Tensor& B, bool upper, bool left = true, bool unitriangular = false);
TG_API Tensor inv(const Tensor& A);
TG_API std::tuple<Tensor, Tensor> inv_ex(const Tensor& A, bool check_errors = false);
TG_API Tensor det(const Tensor& A);
TG_API std::tuple<Tensor, Tensor> slogdet(const Tensor& A);  ///< sign, logabsdet
TG_API Tensor tensorinv(const Tensor& A, int64_t ind = 2);
TG_API Tensor tensorsolve(const Tensor& A, const Tensor& B, IntList dims = {});

// ## linalg_cholesky
TG_API Tensor cholesky(const Tensor& A, bool upper = false);
TG_API std::tuple<Tensor, Tensor> cholesky_ex(const Tensor& A, bool upper = false, bool check_errors = false);  ///< L, info
/// Bunch and Kaufman's factorization of symmetric matrices, packed as LAPACK's sytrf; not differentiable.
TG_API std::tuple<Tensor, Tensor> ldl_factor(const Tensor& A, bool hermitian = false);  ///< LD, pivots
TG_API std::tuple<Tensor, Tensor, Tensor> ldl_factor_ex(const Tensor& A, bool hermitian = false, bool check_errors = false);
TG_API Tensor ldl_solve(const Tensor& LD, const Tensor& pivots, const Tensor& B, bool hermitian = false);

// ## linalg_qr
TG_API std::tuple<Tensor, Tensor> qr(const Tensor& A, std::string_view mode = "reduced");  ///< Q, R; mode "reduced", "complete", "r"
/// The first columns of H1 H2 … Hk, Hj = I - tau_j v_j v_jᵀ, v_j below the diagonal of A's column j and 1 on it.
TG_API Tensor householder_product(const Tensor& A, const Tensor& tau);

// ## linalg_svd and linalg_eigen: vectors are unique up to sign
TG_API std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& A, bool full_matrices = true);  ///< U, S, Vh: A = U diag(S) Vh
TG_API Tensor svdvals(const Tensor& A);
/// Of symmetric matrices, of which only the triangle UPLO ("L" or "U") is read.
TG_API std::tuple<Tensor, Tensor> eigh(const Tensor& A, std::string_view UPLO = "L");  ///< eigenvalues, eigenvectors
TG_API Tensor eigvalsh(const Tensor& A, std::string_view UPLO = "L");
/// Complex, also of real matrices; eigenvectors of length 1 are unique up to a complex factor.
TG_API std::tuple<Tensor, Tensor> eig(const Tensor& A);  ///< eigenvalues, eigenvectors
TG_API Tensor eigvals(const Tensor& A);
/// Singular values not above max(atol, rtol · the largest) count as 0; rtol is max(m, n) · epsilon when neither is given.
TG_API Tensor pinv(const Tensor& A, std::optional<double> atol = {}, std::optional<double> rtol = {}, bool hermitian = false);
TG_API Tensor pinv(const Tensor& A, const Tensor& atol, const Tensor& rtol, bool hermitian = false);
TG_API Tensor matrix_rank(const Tensor& A, std::optional<double> atol = {}, std::optional<double> rtol = {}, bool hermitian = false);
TG_API Tensor matrix_rank(const Tensor& A, const Tensor& atol, const Tensor& rtol, bool hermitian = false);
/// solution, residuals, rank, singular_values of min ‖A X - B‖.
TG_API std::tuple<Tensor, Tensor, Tensor, Tensor> lstsq(const Tensor& A, const Tensor& B, std::optional<double> rcond = {}, std::optional<std::string_view> driver = {});

// ## linalg_functions
TG_API Tensor matrix_exp(const Tensor& A);
TG_API Tensor matrix_power(const Tensor& A, int64_t n);
TG_API Tensor multi_dot(TensorList tensors);
TG_API Tensor cross(const Tensor& a, const Tensor& b, int64_t dim = -1);
TG_API Tensor vecdot(const Tensor& x, const Tensor& y, int64_t dim = -1);
TG_API Tensor diagonal(const Tensor& A, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);
TG_API Tensor vander(const Tensor& x, std::optional<int64_t> N = {});
TG_API Tensor vector_norm(const Tensor& x, Scalar ord = 2, IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {});
/// ord: "fro", "nuc", or 2, -2 (singular values), 1, -1 (column sums), inf, -inf (row sums).
TG_API Tensor matrix_norm(const Tensor& A, std::string_view ord = "fro", IntList dim = {-2, -1}, bool keepdim = false, std::optional<Dtype> dtype = {});
TG_API Tensor matrix_norm(const Tensor& A, Scalar ord, IntList dim = {-2, -1}, bool keepdim = false, std::optional<Dtype> dtype = {});
/// vector_norm, or matrix_norm when dim names two dimensions or ord needs them.
TG_API Tensor norm(const Tensor& A, std::optional<Scalar> ord = {}, IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {});
TG_API Tensor norm(const Tensor& A, std::string_view ord, IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {});
TG_API Tensor cond(const Tensor& A, std::optional<Scalar> p = {});
TG_API Tensor cond(const Tensor& A, std::string_view p);
// A literal would otherwise be as good a Scalar (a bool) as a string_view.
inline Tensor matrix_norm(const Tensor& A, const char* ord, IntList dim = {-2, -1}, bool keepdim = false, std::optional<Dtype> dtype = {}) { return matrix_norm(A, std::string_view(ord), dim, keepdim, dtype); }
inline Tensor norm(const Tensor& A, const char* ord, IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {}) { return norm(A, std::string_view(ord), dim, keepdim, dtype); }
inline Tensor cond(const Tensor& A, const char* p) { return cond(A, std::string_view(p)); }

}  // namespace linalg

// ## the older names, each in the file of its family
TG_API Tensor cholesky(const Tensor& A, bool upper = false);
TG_API Tensor cholesky_inverse(const Tensor& L, bool upper = false);                  ///< (L Lᵀ)⁻¹
TG_API Tensor cholesky_solve(const Tensor& B, const Tensor& L, bool upper = false);   ///< (L Lᵀ)⁻¹ B
TG_API Tensor det(const Tensor& A);
TG_API Tensor logdet(const Tensor& A);                                                ///< NaN where the determinant is negative
TG_API std::tuple<Tensor, Tensor> slogdet(const Tensor& A);
TG_API Tensor inverse(const Tensor& A);
TG_API Tensor pinverse(const Tensor& A, double rcond = 1e-15);
TG_API std::tuple<Tensor, Tensor> qr(const Tensor& A, bool some = true);
TG_API std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& A, bool some = true, bool compute_uv = true);  ///< U, S, V: A = U diag(S) Vᵀ
TG_API std::tuple<Tensor, Tensor> triangular_solve(const Tensor& B, const Tensor& A, bool upper = true, bool transpose = false, bool unitriangular = false);
TG_API std::tuple<Tensor, Tensor, Tensor> lu_unpack(const Tensor& LU, const Tensor& pivots, bool unpack_data = true, bool unpack_pivots = true);
TG_API Tensor lu_solve(const Tensor& B, const Tensor& LU, const Tensor& pivots);
TG_API Tensor matrix_exp(const Tensor& A);
TG_API Tensor matrix_power(const Tensor& A, int64_t n);
TG_API Tensor orgqr(const Tensor& A, const Tensor& tau);
TG_API std::tuple<Tensor, Tensor> geqrf(const Tensor& A);                             ///< a, tau; not differentiable
/// Q other, other Q, or with Qᵀ; Q is the square product of A's Householder reflections.
TG_API Tensor ormqr(const Tensor& A, const Tensor& tau, const Tensor& other, bool left = true, bool transpose = false);

// ## numeric: traces, products, differences, integrals, covariances
TG_API Tensor trace(const Tensor& A);
TG_API Tensor cross(const Tensor& a, const Tensor& b, std::optional<int64_t> dim = {});  ///< dim: the first of size 3
TG_API Tensor kron(const Tensor& a, const Tensor& b);
TG_API Tensor vander(const Tensor& x, std::optional<int64_t> N = {}, bool increasing = false);
TG_API Tensor cov(const Tensor& x, int64_t correction = 1, const Tensor& fweights = {}, const Tensor& aweights = {});
TG_API Tensor corrcoef(const Tensor& x);
TG_API Tensor diff(const Tensor& x, int64_t n = 1, int64_t dim = -1, const Tensor& prepend = {}, const Tensor& append = {});
TG_API Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim = -1);
TG_API Tensor trapezoid(const Tensor& y, Scalar dx = 1, int64_t dim = -1);
TG_API Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int64_t dim = -1);
TG_API Tensor cumulative_trapezoid(const Tensor& y, Scalar dx = 1, int64_t dim = -1);
/// Second order differences along each of dim (all when empty); spacing: steps, one or one for each dim, or the coordinates.
TG_API std::vector<Tensor> gradient(const Tensor& x, Scalar spacing = 1, IntList dim = {}, int64_t edge_order = 1);
TG_API std::vector<Tensor> gradient(const Tensor& x, std::span<const double> spacing, IntList dim = {}, int64_t edge_order = 1);
TG_API std::vector<Tensor> gradient(const Tensor& x, TensorList spacing, IntList dim = {}, int64_t edge_order = 1);

// ## distance
TG_API Tensor dist(const Tensor& a, const Tensor& b, Scalar p = 2);  ///< p-norm of a - b
/// Distances of all rows of x1 (…, m, k) to all of x2 (…, n, k): (…, m, n).
TG_API Tensor cdist(const Tensor& x1, const Tensor& x2, double p = 2);
TG_API Tensor pdist(const Tensor& x, double p = 2);                  ///< of all pairs of rows of a matrix
/// Each slice along dim scaled down to p-norm maxnorm where it is larger.
TG_API Tensor renorm(const Tensor& x, Scalar p, int64_t dim, Scalar maxnorm);
TG_API const Tensor& renorm_(const Tensor& self, Scalar p, int64_t dim, Scalar maxnorm);

}  // namespace tapegrad
