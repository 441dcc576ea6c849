// The C interface: what it gives, and what it says of wrong use.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tapegrad/c.h"

namespace {

struct Freed {  // a handle that frees itself
  tg_tensor* p = nullptr;
  Freed() = default;
  explicit Freed(tg_tensor* t) : p(t) {}
  Freed(Freed&& o) : p(o.p) { o.p = nullptr; }
  ~Freed() { tg_tensor_free(p); }
  operator tg_tensor*() const { return p; }
};
Freed make(const std::vector<float>& values, const std::vector<int64_t>& shape) {
  Freed t;
  EXPECT_EQ(tg_tensor_copy(values.data(), TG_FLOAT32, int32_t(shape.size()), shape.data(), &t.p), TG_OK) << tg_last_error();
  return t;
}
Freed call(const char* op, const std::vector<tg_value>& args) {
  Freed r;
  EXPECT_EQ(tg_call(op, args.data(), int32_t(args.size()), &r.p), TG_OK) << tg_last_error();
  return r;
}
std::vector<float> floats(const tg_tensor* t) {
  std::vector<float> v(size_t(tg_tensor_numel(t)));
  EXPECT_EQ(tg_tensor_read(t, v.data(), int64_t(4 * v.size())), TG_OK) << tg_last_error();
  return v;
}
std::string failed(tg_status wanted, tg_status got) {
  EXPECT_EQ(wanted, got) << tg_last_error();
  return tg_last_error();
}
tg_value tensor(const tg_tensor* t) { return tg_arg_tensor(t); }

TEST(CApi, TensorsKeepShapeStridesAndValues) {
  const Freed t = make({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(tg_tensor_dtype(t), TG_FLOAT32);
  EXPECT_EQ(tg_tensor_ndim(t), 2);
  EXPECT_EQ(tg_tensor_numel(t), 6);
  EXPECT_EQ(tg_tensor_shape(t)[1], 3);
  EXPECT_EQ(tg_tensor_strides(t)[0], 3);
  EXPECT_EQ(static_cast<float*>(tg_tensor_data(t))[5], 6);
  const Freed turned = call("transpose", {tensor(t), tg_arg_int(0), tg_arg_int(1)});
  EXPECT_EQ(floats(turned), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  const float other[] = {6, 5, 4, 3, 2, 1};
  EXPECT_EQ(tg_tensor_write(turned, other, sizeof other), TG_OK);
  EXPECT_EQ(floats(t), (std::vector<float>{6, 4, 2, 5, 3, 1}));
  char text[32];
  int64_t length = 0;
  EXPECT_EQ(tg_tensor_text(t, text, sizeof text, &length), TG_OK);
  EXPECT_GT(length, 31);
  EXPECT_EQ(std::string(text), std::string("tensor([[6., 4., 2.],\n        [5., 3., 1.]])").substr(0, 31));
  const Freed none = make({}, {0, 4});
  EXPECT_EQ(floats(none).size(), 0u);
}

TEST(CApi, BorrowedMemoryIsSharedAndHandedBack) {
  static int handed_back = 0;
  double columns[] = {1, 2, 3, 4, 5, 6};  // 3 rows, 2 columns, as Fortran keeps them
  const int64_t shape[] = {3, 2}, strides[] = {1, 3};
  Freed t;
  ASSERT_EQ(tg_tensor_borrow(columns, TG_FLOAT64, 2, shape, strides, [](void* n) { ++*static_cast<int*>(n); }, &handed_back, &t.p), TG_OK);
  EXPECT_EQ(tg_tensor_data(t), columns);
  call("mul_", {tensor(t), tg_arg_float(10)});
  EXPECT_EQ(columns[3], 40);
  double sum = 0;
  EXPECT_EQ(tg_tensor_item(call("sum", {tensor(t)}), &sum), TG_OK);
  EXPECT_EQ(sum, 210);
  const Freed second(tg_tensor_share(t));
  tg_tensor_free(t.p);
  t.p = nullptr;
  EXPECT_EQ(handed_back, 0);
  tg_tensor_free(second.p);
  const_cast<Freed&>(second).p = nullptr;
  EXPECT_EQ(handed_back, 1);
}

TEST(CApi, ArgumentsByPositionByNameAndByDefault) {
  const Freed a = make({1, 2, 3, 4}, {2, 2}), b = make({10, 20, 30, 40}, {2, 2});
  EXPECT_EQ(floats(call("add", {tensor(a), tensor(b)}))[3], 44);
  EXPECT_EQ(floats(call("add", {tensor(a), tensor(b), tg_named("alpha", tg_arg_float(2))}))[3], 84);
  EXPECT_EQ(floats(call("add", {tensor(a), tg_arg_int(5)}))[3], 9);
  EXPECT_EQ(floats(call("sum", {tensor(a), tg_named("dim", tg_arg_int(1))})), (std::vector<float>{3, 7}));
  const int64_t both[] = {0, 1};
  EXPECT_EQ(floats(call("sum", {tensor(a), tg_named("keepdim", tg_arg_bool(1)), tg_named("dim", tg_arg_ints(both, 2))})), (std::vector<float>{10}));
  const Freed wide = call("sum", {tensor(a), tg_named("dtype", tg_arg_dtype(TG_FLOAT64))});
  EXPECT_EQ(tg_tensor_dtype(wide), TG_FLOAT64);
  EXPECT_EQ(tg_tensor_dtype(call("zeros", {tg_arg_ints(both, 2), tg_named("device", tg_arg_text("cpu"))})), TG_FLOAT32);
  EXPECT_EQ(floats(call("clamp", {tensor(a), tg_arg_none(), tg_arg_float(2.5)}))[3], 2.5);
  const tg_tensor* all[] = {a, b};
  EXPECT_EQ(tg_tensor_numel(call("cat", {tg_arg_tensors(all, 2), tg_named("dim", tg_arg_int(1))})), 8);
  EXPECT_EQ(floats(call("div", {tensor(b), tg_arg_int(7), tg_named("rounding_mode", tg_arg_text("floor"))}))[0], 1);
  double equal = 0;
  EXPECT_EQ(tg_tensor_item(call("equal", {tensor(a), tensor(a)}), &equal), TG_OK);  // a bool: a 0-d tensor
  EXPECT_EQ(equal, 1);
  EXPECT_EQ(tg_tensor_dtype(call("mul", {tensor(a), tg_arg_complex(0, 1)})), TG_COMPLEX64);
}

TEST(CApi, SeveralResultsHaveTheirNames) {
  const Freed a = make({3, 1, 2}, {3});
  const tg_value args[] = {tensor(a)};
  tg_list* list = nullptr;
  ASSERT_EQ(tg_call_list("sort", args, 1, &list), TG_OK) << tg_last_error();
  EXPECT_EQ(tg_list_count(list), 2);
  EXPECT_STREQ(tg_list_name(list, 0), "values");
  EXPECT_STREQ(tg_list_name(list, 1), "indices");
  EXPECT_EQ(floats(Freed(tg_list_tensor(list, 0))), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(tg_tensor_dtype(Freed(tg_list_find(list, "indices"))), TG_INT64);
  EXPECT_EQ(tg_list_find(list, "nothing"), nullptr);
  EXPECT_EQ(tg_list_tensor(list, 2), nullptr);
  EXPECT_EQ(tg_list_name(list, -1), nullptr);
  tg_list_free(list);
  tg_tensor* one = nullptr;
  EXPECT_NE(failed(TG_VALUE_ERROR, tg_call("sort", args, 1, &one)).find("2 results; use tg_call_list"), std::string::npos);
  EXPECT_EQ(one, nullptr);
}

TEST(CApi, GradientsFlowAndRecordingStops) {
  const Freed w = make({1, 2}, {2}), x = make({3, 4}, {2});
  ASSERT_EQ(tg_set_requires_grad(w, 1), TG_OK);
  EXPECT_EQ(tg_requires_grad(w), 1);
  tg_tensor* none = w.p;
  EXPECT_EQ(tg_grad(w, &none), TG_OK);
  EXPECT_EQ(none, nullptr);
  const Freed loss = call("sum", {tensor(call("mul", {tensor(w), tensor(x)}))});
  ASSERT_EQ(tg_backward(loss, nullptr, 0, 0), TG_OK) << tg_last_error();
  Freed g;
  ASSERT_EQ(tg_grad(w, &g.p), TG_OK);
  EXPECT_EQ(floats(g), (std::vector<float>{3, 4}));
  failed(TG_GRAD_ERROR, tg_backward(loss, nullptr, 0, 0));  // the graph is gone
  EXPECT_EQ(tg_set_grad(w, nullptr), TG_OK);
  const int32_t before = tg_no_grad_enter();
  call("sub_", {tensor(w), tensor(g), tg_named("alpha", tg_arg_float(0.5))});
  EXPECT_EQ(tg_requires_grad(call("exp", {tensor(w)})), 0);
  tg_no_grad_leave(before);
  EXPECT_EQ(floats(w), (std::vector<float>{-0.5, 0}));
  EXPECT_EQ(tg_requires_grad(call("exp", {tensor(w)})), 1);
}

TEST(CApi, FilesGoOutAndIn) {
  const std::string path = (std::filesystem::temp_directory_path() / ("c_api_" + std::to_string(getpid()) + ".safetensors")).string();
  const Freed a = make({1, 2}, {2}), b = make({3}, {1});
  const char* names[] = {"a", "b.weight"};
  const tg_tensor* tensors[] = {a, b};
  ASSERT_EQ(tg_save(path.c_str(), names, tensors, 2), TG_OK) << tg_last_error();
  tg_list* list = nullptr;
  ASSERT_EQ(tg_load(path.c_str(), &list), TG_OK) << tg_last_error();
  EXPECT_EQ(tg_list_count(list), 2);
  EXPECT_EQ(floats(Freed(tg_list_find(list, "b.weight"))), (std::vector<float>{3}));
  tg_list_free(list);
  std::filesystem::remove(path);
  list = nullptr;
  EXPECT_NE(failed(TG_IO_ERROR, tg_load(path.c_str(), &list)).find(path), std::string::npos);
  EXPECT_EQ(list, nullptr);
}

TEST(CApi, SeedThreadsVersion) {
  const int64_t shape[] = {4};
  EXPECT_EQ(tg_manual_seed(7), TG_OK);
  const std::vector<float> first = floats(call("rand", {tg_arg_ints(shape, 1)}));
  EXPECT_EQ(tg_manual_seed(7), TG_OK);
  EXPECT_EQ(first, floats(call("rand", {tg_arg_ints(shape, 1)})));
  const int32_t threads = tg_num_threads();
  EXPECT_EQ(tg_set_num_threads(1), TG_OK);
  EXPECT_EQ(tg_num_threads(), 1);
  EXPECT_EQ(tg_set_num_threads(threads), TG_OK);
  failed(TG_VALUE_ERROR, tg_set_num_threads(0));
  EXPECT_EQ(tg_abi_version(), TG_ABI_VERSION);
  EXPECT_STREQ(tg_version(), TG_VERSION);
  EXPECT_NE(std::string(tg_op_signature(0)).find('('), std::string::npos);
  EXPECT_NE(tg_op_doc(0), nullptr);
  EXPECT_EQ(tg_op_signature(-1), nullptr);
  EXPECT_EQ(tg_op_signature(1 << 20), nullptr);
}

TEST(CApi, WrongUseIsToldAndNothingElse) {
  const Freed a = make({1, 2, 3, 4}, {2, 2}), b = make({1, 2, 3}, {3});
  tg_tensor* out = nullptr;
  auto called = [&](const char* op, const std::vector<tg_value>& args) { return tg_call(op, args.data(), int32_t(args.size()), &out); };
  auto says = [](const std::string& text, const char* part) { EXPECT_NE(text.find(part), std::string::npos) << text; };
  says(failed(TG_UNKNOWN_OP, called("no_such_op", {tensor(a)})), "\"no_such_op\"");
  says(failed(TG_NULL_ARGUMENT, tg_call(nullptr, nullptr, 0, &out)), "the op's name is NULL");
  says(failed(TG_NULL_ARGUMENT, tg_call("exp", nullptr, 1, &out)), "args is NULL");
  says(failed(TG_SHAPE_ERROR, called("matmul", {tensor(a), tensor(b)})), "matmul: ");
  says(failed(TG_ARGUMENT_ERROR, called("exp", {tensor(nullptr)})), "argument 'input' cannot be none");
  says(failed(TG_ARGUMENT_ERROR, called("exp", {})), "argument 'input' is missing");
  says(failed(TG_ARGUMENT_ERROR, called("exp", {tensor(a), tensor(a)})), "takes fewer arguments by position");
  says(failed(TG_ARGUMENT_ERROR, called("exp", {tensor(a), tg_named("dim", tg_arg_int(1))})), "has no argument 'dim'");
  says(failed(TG_ARGUMENT_ERROR, called("exp", {tensor(a), tg_named("input", tensor(a))})), "is given twice");
  says(failed(TG_ARGUMENT_ERROR, called("exp", {tg_arg_text("x")})), "cannot be \"x\"");
  says(failed(TG_ARGUMENT_ERROR, called("add", {tg_named("input", tensor(a)), tg_arg_int(1)})), "before those by name");
  says(failed(TG_ARGUMENT_ERROR, called("sum", {tensor(a), tg_named("dtype", tg_arg_dtype(99))})), "dtype 99");
  says(failed(TG_ARGUMENT_ERROR, called("dropout", {tensor(a), tg_arg_text("a lot")})), "takes");
  says(failed(TG_NULL_ARGUMENT, called("cat", {tg_arg_tensors(nullptr, 2)})), "NULL");
  const tg_tensor* hole[] = {a, nullptr};
  says(failed(TG_NULL_ARGUMENT, called("cat", {tg_arg_tensors(hole, 2)})), "a tensor of the list is NULL");
  says(failed(TG_ARGUMENT_ERROR, called("cat", {tg_arg_tensors(hole, -1)})), "-1");
  says(failed(TG_NULL_ARGUMENT, called("div", {tensor(a), tensor(a), tg_named("rounding_mode", tg_arg_text(nullptr))})), "NULL");
  tg_value strange = tg_arg_int(1);
  strange.kind = 77;
  says(failed(TG_ARGUMENT_ERROR, called("add", {tensor(a), strange})), "kind of value 77");
  says(failed(TG_DEVICE_ERROR, called("zeros", {tg_arg_int(2), tg_named("device", tg_arg_text("abacus"))})), "abacus");
  EXPECT_EQ(out, nullptr);

  const int64_t shape[] = {2, 2}, negative[] = {2, -2}, huge[] = {int64_t(1) << 40, int64_t(1) << 40};
  const float values[4] = {};
  says(failed(TG_DTYPE_ERROR, tg_tensor_copy(values, 55, 2, shape, &out)), "tg_tensor_copy: there is no dtype 55");
  failed(TG_DTYPE_ERROR, tg_tensor_copy(values, -1, 2, shape, &out));
  failed(TG_SHAPE_ERROR, tg_tensor_copy(values, TG_FLOAT32, 2, negative, &out));
  failed(TG_SHAPE_ERROR, tg_tensor_copy(values, TG_FLOAT32, 2, huge, &out));
  failed(TG_SHAPE_ERROR, tg_tensor_copy(values, TG_FLOAT32, 1000, shape, &out));
  failed(TG_SHAPE_ERROR, tg_tensor_copy(values, TG_FLOAT32, -1, shape, &out));
  failed(TG_NULL_ARGUMENT, tg_tensor_copy(nullptr, TG_FLOAT32, 2, shape, &out));
  failed(TG_NULL_ARGUMENT, tg_tensor_copy(values, TG_FLOAT32, 2, nullptr, &out));
  failed(TG_NULL_ARGUMENT, tg_tensor_copy(values, TG_FLOAT32, 2, shape, nullptr));
  failed(TG_NULL_ARGUMENT, tg_tensor_borrow(nullptr, TG_FLOAT32, 2, shape, nullptr, nullptr, nullptr, &out));
  float small[4];
  failed(TG_VALUE_ERROR, tg_tensor_read(a, small, 15));
  failed(TG_NULL_ARGUMENT, tg_tensor_read(a, nullptr, 16));
  double item;
  failed(TG_VALUE_ERROR, tg_tensor_item(a, &item));
  failed(TG_NULL_ARGUMENT, tg_tensor_item(nullptr, &item));
  failed(TG_NULL_ARGUMENT, tg_tensor_text(a, nullptr, 10, nullptr));
  EXPECT_EQ(tg_tensor_ndim(nullptr), -1);
  EXPECT_EQ(tg_tensor_numel(nullptr), -1);
  EXPECT_EQ(tg_tensor_shape(nullptr), nullptr);
  EXPECT_EQ(tg_tensor_data(nullptr), nullptr);
  EXPECT_EQ(tg_tensor_share(nullptr), nullptr);
  EXPECT_EQ(tg_list_count(nullptr), -1);
  EXPECT_EQ(tg_list_tensor(nullptr, 0), nullptr);
  EXPECT_EQ(tg_list_find(nullptr, "a"), nullptr);
  EXPECT_EQ(tg_requires_grad(nullptr), -1);
  tg_tensor_free(nullptr);
  tg_list_free(nullptr);
  says(failed(TG_NULL_ARGUMENT, tg_backward(nullptr, nullptr, 0, 0)), "tg_backward: the tensor is NULL");
  failed(TG_GRAD_ERROR, tg_backward(a, nullptr, 0, 0));
  failed(TG_NULL_ARGUMENT, tg_grad(nullptr, &out));
  failed(TG_NULL_ARGUMENT, tg_set_requires_grad(nullptr, 1));
  failed(TG_SHAPE_ERROR, tg_set_grad(a, b));
  failed(TG_NULL_ARGUMENT, tg_save(nullptr, nullptr, nullptr, 0));
  failed(TG_NULL_ARGUMENT, tg_save("x", nullptr, nullptr, 1));
  failed(TG_NULL_ARGUMENT, tg_load(nullptr, nullptr));
  failed(TG_IO_ERROR, tg_save("/no/such/folder/x", nullptr, nullptr, 0));
}

TEST(CApi, ErrorsAreOfTheThread) {
  tg_tensor* out = nullptr;
  failed(TG_UNKNOWN_OP, tg_call("first", nullptr, 0, &out));
  std::thread([&] {
    EXPECT_STREQ(tg_last_error(), "");
    failed(TG_UNKNOWN_OP, tg_call("second", nullptr, 0, &out));
  }).join();
  EXPECT_NE(std::strstr(tg_last_error(), "first"), nullptr);
}

}  // namespace
