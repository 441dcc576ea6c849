// A machine for Python's pickles that runs nothing: protocols 2 to 5, binary opcodes only. Names become values through name(), calls
// of them through call(), both of which the reader's user answers; nothing else in a pickle does anything.
#pragma once
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "tapegrad/tensor.h"

namespace tapegrad::io {

struct PickleError {
  std::string what;
  size_t at;
};

struct Value {
  enum class Kind : uint8_t { None, Bool, Int, Float, Text, Bytes, Tuple, List, Dict, Name, Dtype, Storage, Tensor, Other } kind = Kind::None;
  int64_t integer = 0;        // Int, Bool, Dtype
  double real = 0;            // Float
  std::string text;           // Text, Bytes, Name
  std::vector<Value*> items;  // Tuple, List; Dict: keys and values in turn
  tapegrad::Tensor tensor;    // Tensor; Storage: its elements
  bool is(Kind k) const { return kind == k; }
};

class Pickle {
  std::string_view data_;
  size_t at_ = 0;
  std::deque<Value> values_;  // owns all; a deque does not move them
  std::vector<Value*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, Value*> memo_;

  std::string_view take(uint64_t n);
  template <class T> T number();
  std::string_view line();
  Value* pop();
  std::vector<Value*> pop_many(size_t n);
  std::vector<Value*> pop_mark();
  Value* top();
  void push(Value* v) { stack_.push_back(v); }
  void push_items(Value::Kind kind, std::vector<Value*> items);
  void push_text(Value::Kind kind, uint64_t n);
  void push_long(uint64_t n);
  void add(Value::Kind kind, std::vector<Value*> items);
  void step(uint8_t code);

 protected:
  explicit Pickle(std::string_view data, size_t at = 0) : data_(data), at_(at) {}
  ~Pickle() = default;
  [[noreturn]] void bad(const std::string& what) const { throw PickleError{what, at_}; }
  Value* make(Value::Kind kind);
  virtual Value* name(const std::string& module, const std::string& name) = 0;
  virtual Value* call(const Value& f, const std::vector<Value*>& args) = 0;
  virtual Value* persistent(const Value& id) = 0;

 public:
  /// The object, which lives as long as the machine. Throws PickleError. Called again, it reads the next pickle.
  Value* read();
  size_t at() const { return at_; }
};

}  // namespace tapegrad::io
