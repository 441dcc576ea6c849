// The table of all ops: what Python's functions and methods, help(), the stubs, the reference page and the tests are made of.
// Each family file fills its own rows; registry.cpp lists the families. An op that is not in the table does not exist.
//
//   void activation_ops(OpTable& t) {
//     t.add("relu(Tensor input)", &relu, "max(x, 0), element by element.").method().inplace(&relu_)
//         .samples({"T(2, 3)", "T()", "T(0, 3)"});
//   }
//
// Signatures are PyTorch's words. Types: Tensor, Tensor? (None -> undefined), Tensor|Number (a number becomes a wrapped 0-d
// tensor), Tensor[], Scalar, Scalar?, float, float?, int, int?, bool, bool?, int[] (also varargs in last position), int[]?
// (None -> empty), int[2] (an int stands for both), float[]?, str, str?, dtype?, device?, Generator?, memory_format?.
// "*" starts keyword-only parameters. Several rows of one name are overloads, tried in order.
// A sample is the argument list as a Python expression; T(shape…, lo=-2, hi=2, dtype=float) makes a differentiable input
// (tests/python/op_samples.py has the other makers: I(…) integers, B(…) bools, P(…) positive, Z(…) complex, …).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tapegrad/linalg.h"

namespace tapegrad {

/// One argument or result on its way between Python and a C++ function. Holds no ownership: the caller keeps things alive.
struct Value {
  bool none = false;               // for the optional kinds
  union {
    const Tensor* tensor;          // undefined tensor for None
    double number;
    int64_t integer;
    bool boolean;
    Dtype dtype;
    Device device;
    MemoryFormat format;
    const Generator* generator;
    TensorList tensors;
    IntList ints;
    std::span<const double> numbers;
    std::string_view text;
    Scalar scalar;
  };
  Value() : tensor(nullptr) {}
};

/// What an op gave back.
struct Result {
  enum class Kind : uint8_t { Tensor, Tensors, List, Boolean, Integer, Number, Nothing } kind = Kind::Nothing;
  Tensor tensor;                   // Tensor
  std::vector<Tensor> tensors;     // Tensors: a (named) tuple; List: a tuple of any length
  int64_t integer = 0;
  double number = 0;
};

enum class ArgKind : uint8_t {
  Tensor, Tensors, Scalar, OptionalScalar, Float, OptionalFloat, Int, OptionalInt, Bool, OptionalBool, Ints, OptionalFloats,
  Text, OptionalText, Dtype, OptionalDtype, OptionalDevice, Generator, MemoryFormat,
};

// How a Value becomes a C++ parameter of type T.
template <class T> struct Unbox;
template <> struct Unbox<Tensor> { static constexpr ArgKind kind = ArgKind::Tensor; static const Tensor& get(const Value& v) { return *v.tensor; } };
template <> struct Unbox<TensorList> { static constexpr ArgKind kind = ArgKind::Tensors; static TensorList get(const Value& v) { return v.tensors; } };
template <> struct Unbox<Scalar> { static constexpr ArgKind kind = ArgKind::Scalar; static Scalar get(const Value& v) { return v.scalar; } };
template <> struct Unbox<std::optional<Scalar>> { static constexpr ArgKind kind = ArgKind::OptionalScalar; static std::optional<Scalar> get(const Value& v) { return v.none ? std::nullopt : std::optional(v.scalar); } };
template <> struct Unbox<double> { static constexpr ArgKind kind = ArgKind::Float; static double get(const Value& v) { return v.number; } };
template <> struct Unbox<std::optional<double>> { static constexpr ArgKind kind = ArgKind::OptionalFloat; static std::optional<double> get(const Value& v) { return v.none ? std::nullopt : std::optional(v.number); } };
template <> struct Unbox<int64_t> { static constexpr ArgKind kind = ArgKind::Int; static int64_t get(const Value& v) { return v.integer; } };
template <> struct Unbox<std::optional<int64_t>> { static constexpr ArgKind kind = ArgKind::OptionalInt; static std::optional<int64_t> get(const Value& v) { return v.none ? std::nullopt : std::optional(v.integer); } };
template <> struct Unbox<bool> { static constexpr ArgKind kind = ArgKind::Bool; static bool get(const Value& v) { return v.boolean; } };
template <> struct Unbox<OnlyBool> : Unbox<bool> {};
template <> struct Unbox<std::optional<bool>> { static constexpr ArgKind kind = ArgKind::OptionalBool; static std::optional<bool> get(const Value& v) { return v.none ? std::nullopt : std::optional(v.boolean); } };
template <> struct Unbox<IntList> { static constexpr ArgKind kind = ArgKind::Ints; static IntList get(const Value& v) { return v.ints; } };
template <> struct Unbox<std::optional<IntList>> { static constexpr ArgKind kind = ArgKind::Ints; static std::optional<IntList> get(const Value& v) { return v.none ? std::nullopt : std::optional(v.ints); } };
template <> struct Unbox<std::span<const double>> { static constexpr ArgKind kind = ArgKind::OptionalFloats; static std::span<const double> get(const Value& v) { return v.numbers; } };
template <> struct Unbox<std::string_view> { static constexpr ArgKind kind = ArgKind::Text; static std::string_view get(const Value& v) { return v.text; } };
template <> struct Unbox<std::optional<std::string_view>> { static constexpr ArgKind kind = ArgKind::OptionalText; static std::optional<std::string_view> get(const Value& v) { return v.none ? std::nullopt : std::optional(v.text); } };
template <> struct Unbox<Dtype> { static constexpr ArgKind kind = ArgKind::Dtype; static Dtype get(const Value& v) { return v.dtype; } };
template <> struct Unbox<std::optional<Dtype>> { static constexpr ArgKind kind = ArgKind::OptionalDtype; static std::optional<Dtype> get(const Value& v) { return v.none ? std::nullopt : std::optional(v.dtype); } };
template <> struct Unbox<std::optional<Device>> { static constexpr ArgKind kind = ArgKind::OptionalDevice; static std::optional<Device> get(const Value& v) { return v.none ? std::nullopt : std::optional(v.device); } };
template <> struct Unbox<const Generator*> { static constexpr ArgKind kind = ArgKind::Generator; static const Generator* get(const Value& v) { return v.generator; } };
template <> struct Unbox<std::optional<MemoryFormat>> { static constexpr ArgKind kind = ArgKind::MemoryFormat; static std::optional<MemoryFormat> get(const Value& v) { return v.none ? std::nullopt : std::optional(v.format); } };

// How a C++ result becomes a Result.
inline void box(Result& r, Tensor t) { r.kind = Result::Kind::Tensor; r.tensor = static_cast<Tensor&&>(t); }
inline void box(Result& r, std::vector<Tensor> v) { r.kind = Result::Kind::List; r.tensors = static_cast<std::vector<Tensor>&&>(v); }
inline void box(Result& r, bool b) { r.kind = Result::Kind::Boolean; r.integer = b; }
inline void box(Result& r, int64_t i) { r.kind = Result::Kind::Integer; r.integer = i; }
inline void box(Result& r, double d) { r.kind = Result::Kind::Number; r.number = d; }
inline void box(Result& r, ValuesIndices v) { r.kind = Result::Kind::Tensors; r.tensors = {v.values, v.indices}; }
template <class... T> void box(Result& r, std::tuple<T...> t) {
  r.kind = Result::Kind::Tensors;
  std::apply([&](auto&... x) { (r.tensors.push_back(x), ...); }, t);
}

using AnyFunction = void (*)();
using Invoke = void (*)(AnyFunction, const Value*, Result&);
struct Callable {
  AnyFunction function = nullptr;
  Invoke invoke = nullptr;
  std::span<const ArgKind> kinds;  // C++'s view of the parameters; checked against the signature's text at import
};
template <class... A> inline constexpr ArgKind kArgKinds[sizeof...(A) + 1] = {Unbox<std::remove_cvref_t<A>>::kind..., ArgKind::Tensor};
template <class R, class... A> Callable callable(R (*f)(A...)) {
  return {reinterpret_cast<AnyFunction>(f),
          [](AnyFunction any, const Value* v, Result& r) {
            [&]<size_t... I>(std::index_sequence<I...>) {
              auto f = reinterpret_cast<R (*)(A...)>(any);
              if constexpr (std::is_void_v<R>) f(Unbox<std::remove_cvref_t<A>>::get(v[I])...), r.kind = Result::Kind::Nothing;
              else box(r, f(Unbox<std::remove_cvref_t<A>>::get(v[I])...));
            }(std::index_sequence_for<A...>());
          },
          {kArgKinds<A...>, sizeof...(A)}};
}

struct OpInfo {
  std::string_view name, signature, doc;
  Callable call;
  Callable in_place;                      // name + "_": the same parameters, writes into the first
  bool is_method = false, is_function = true;
  bool out = false;                       // accepts out=
  bool out_direct = false;                // the op itself writes into tls' out target (elementwise ops)
  bool in_functional = false;             // lives in nn.functional (also)
  bool differentiable = true;
  const char* fields = nullptr;           // names of a tuple result: "values indices"
  std::vector<std::string_view> samples_list;
  std::vector<std::string_view> aliases;  // other names: "multiply"
  std::string_view dtypes;                // of the tests: "float" (default), "number", "integer", "bool", "any", "float64"
  bool takes_complex = false;             // the tests run it on complex numbers too

  // Builder words, for the family files.
  OpInfo& method() { is_method = true; return *this; }
  OpInfo& method_only() { is_method = true; is_function = false; return *this; }
  OpInfo& functional() { in_functional = true; return *this; }             // torch.nn.functional.name, and torch.name
  OpInfo& functional_only() { in_functional = true; is_function = false; return *this; }
  template <class R, class... A> OpInfo& inplace(R (*f)(A...)) { in_place = callable(f); return *this; }
  OpInfo& with_out(bool direct = false) { out = true; out_direct = direct; return *this; }
  OpInfo& no_grad() { differentiable = false; return *this; }
  OpInfo& returns(const char* names) { fields = names; return *this; }
  OpInfo& alias(std::string_view n) { aliases.push_back(n); return *this; }
  OpInfo& on(std::string_view d) { dtypes = d; return *this; }
  OpInfo& complex() { takes_complex = true; return *this; }
  OpInfo& samples(std::initializer_list<std::string_view> s) { samples_list = s; return *this; }
};

class OpTable {
  std::vector<OpInfo> rows_;
 public:
  OpTable() { rows_.reserve(1024); }  // references handed out by add() stay good while a family fills its rows
  template <class R, class... A> OpInfo& add(std::string_view signature, R (*f)(A...), std::string_view doc) {
    OpInfo& o = rows_.emplace_back();
    o.signature = signature;
    o.name = signature.substr(0, signature.find('('));
    o.doc = doc;
    o.call = callable(f);
    return o;
  }
  std::span<const OpInfo> rows() const { return rows_; }
};
/// out=: the next elementwise op of this thread writes straight into *out when it has the result's sizes and its memory does
/// not partly overlap an input; it raises when a gradient is wanted or the dtype cannot be cast. Either way the target is spent.
/// For rows with out_direct only, each of which is one such op. Afterwards, unless the result is_same(*out), the caller resizes
/// *out and copies the result. Pass null when the op may have thrown before it looked.
TG_API void set_out_target(const Tensor* out);

/// All rows, built on first use.
TG_API std::span<const OpInfo> all_ops();

}  // namespace tapegrad
