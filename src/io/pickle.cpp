#include "src/io/pickle.h"

#include <bit>
#include <cstring>

namespace tapegrad::io {

using Kind = Value::Kind;

std::string_view Pickle::take(uint64_t n) {
  if (n > data_.size() - at_) bad("it is cut short");
  at_ += n;
  return data_.substr(at_ - n, n);
}
template <class T> T Pickle::number() {
  T v;
  std::memcpy(&v, take(sizeof(T)).data(), sizeof(T));
  return v;
}
std::string_view Pickle::line() {
  const size_t end = data_.substr(at_, 1000).find('\n');
  if (end == data_.npos) bad("a name without an end");
  const std::string_view s = take(end);
  at_++;
  return s;
}

Value* Pickle::make(Kind kind) {
  values_.emplace_back().kind = kind;
  return &values_.back();
}
Value* Pickle::top() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) bad("nothing on the stack");
  return stack_.back();
}
Value* Pickle::pop() {
  Value* v = top();
  stack_.pop_back();
  return v;
}
std::vector<Value*> Pickle::pop_many(size_t n) {
  std::vector<Value*> items(n);
  while (n-- > 0) items[n] = pop();
  return items;
}
std::vector<Value*> Pickle::pop_mark() {
  if (marks_.empty()) bad("no mark on the stack");
  const auto first = stack_.begin() + std::ptrdiff_t(marks_.back());
  std::vector<Value*> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}
void Pickle::push_items(Kind kind, std::vector<Value*> items) {
  Value* v = make(kind);
  v->items = std::move(items);
  push(v);
}
void Pickle::push_text(Kind kind, uint64_t n) {
  const std::string_view s = take(n);
  Value* v = make(kind);
  v->text = s;
  push(v);
}
void Pickle::push_long(uint64_t n) {
  const std::string_view s = take(n);
  Value* v = make(n > 8 ? Kind::Other : Kind::Int);  // numbers beyond 64 bits are nothing that a tensor holds
  if (n <= 8 && n > 0) {
    v->integer = s.back() < 0 ? -1 : 0;  // the sign goes on for ever
    std::memcpy(&v->integer, s.data(), n);
  }
  push(v);
}
void Pickle::add(Kind kind, std::vector<Value*> items) {
  Value* target = top();
  if (!target->is(kind)) bad("items for what is no container");
  if (kind == Kind::Dict && items.size() % 2) bad("a key without a value");
  target->items.insert(target->items.end(), items.begin(), items.end());
}

Value* Pickle::read() {
  stack_.clear(), marks_.clear(), memo_.clear();
  for (;;) {
    const auto code = number<uint8_t>();
    if (code == '.') break;
    step(code);
  }
  Value* result = pop();
  if (!stack_.empty() || !marks_.empty()) bad("objects are left over at the end");
  return result;
}

void Pickle::step(uint8_t code) {
  const auto flag = [&](bool on) { make(Kind::Bool)->integer = on, push(&values_.back()); };
  const auto integer = [&](int64_t v) { make(Kind::Int)->integer = v, push(&values_.back()); };
  const auto remember = [&](uint32_t k) { memo_[k] = top(); };
  const auto recall = [&](uint32_t k) {
    const auto it = memo_.find(k);
    if (it == memo_.end()) bad("a reference to what was not kept");
    push(it->second);
  };
  const auto named = [&](const std::string& module, const std::string& n) { push(name(module, n)); };
  switch (code) {
    case 0x80: if (number<uint8_t>() > 5) bad("an unknown protocol"); break;
    case 0x95: take(8); break;
    case '(': marks_.push_back(stack_.size()); break;
    case '0': if (!marks_.empty() && marks_.back() == stack_.size()) marks_.pop_back(); else pop(); break;
    case '1': pop_mark(); break;
    case '2': push(top()); break;
    case 'N': push(make(Kind::None)); break;
    case 0x88: flag(true); break;
    case 0x89: flag(false); break;
    case 'J': integer(number<int32_t>()); break;
    case 'K': integer(number<uint8_t>()); break;
    case 'M': integer(number<uint16_t>()); break;
    case 0x8a: push_long(number<uint8_t>()); break;
    case 0x8b: push_long(number<uint32_t>()); break;
    case 'G': {  // the only number that has its high byte first
      uint64_t bits = 0;
      for (const char c : take(8)) bits = bits << 8 | uint8_t(c);
      make(Kind::Float)->real = std::bit_cast<double>(bits);
      push(&values_.back());
      break;
    }
    case 'X': push_text(Kind::Text, number<uint32_t>()); break;
    case 0x8c: push_text(Kind::Text, number<uint8_t>()); break;
    case 0x8d: push_text(Kind::Text, number<uint64_t>()); break;
    case 'T': push_text(Kind::Text, number<uint32_t>()); break;
    case 'U': push_text(Kind::Text, number<uint8_t>()); break;
    case 'B': push_text(Kind::Bytes, number<uint32_t>()); break;
    case 'C': push_text(Kind::Bytes, number<uint8_t>()); break;
    case 0x8e: push_text(Kind::Bytes, number<uint64_t>()); break;
    case 0x96: push_text(Kind::Bytes, number<uint64_t>()); break;
    case ')': push_items(Kind::Tuple, {}); break;
    case 0x85: push_items(Kind::Tuple, pop_many(1)); break;
    case 0x86: push_items(Kind::Tuple, pop_many(2)); break;
    case 0x87: push_items(Kind::Tuple, pop_many(3)); break;
    case 't': push_items(Kind::Tuple, pop_mark()); break;
    case ']': case 0x8f: push_items(Kind::List, {}); break;  // a set is a list here
    case 'l': push_items(Kind::List, pop_mark()); break;
    case 'a': add(Kind::List, pop_many(1)); break;
    case 'e': case 0x90: add(Kind::List, pop_mark()); break;
    case '}': push_items(Kind::Dict, {}); break;
    case 'd': {
      auto items = pop_mark();
      push_items(Kind::Dict, {});
      add(Kind::Dict, std::move(items));
      break;
    }
    case 's': add(Kind::Dict, pop_many(2)); break;
    case 'u': add(Kind::Dict, pop_mark()); break;
    case 'q': remember(number<uint8_t>()); break;
    case 'r': remember(number<uint32_t>()); break;
    case 0x94: remember(uint32_t(memo_.size())); break;
    case 'h': recall(number<uint8_t>()); break;
    case 'j': recall(number<uint32_t>()); break;
    case 'c': {
      const std::string module(line());
      named(module, std::string(line()));
      break;
    }
    case 0x93: {
      const auto parts = pop_many(2);
      if (!parts[0]->is(Kind::Text) || !parts[1]->is(Kind::Text)) bad("a name that is no text");
      named(parts[0]->text, parts[1]->text);
      break;
    }
    case 'R': case 0x81: {
      const auto parts = pop_many(2);
      if (!parts[0]->is(Kind::Name) || !parts[1]->is(Kind::Tuple)) bad("a call that is not allowed");
      push(call(*parts[0], parts[1]->items));
      break;
    }
    case 'b': {  // an OrderedDict's attributes, which hold versions only
      const Value* state = pop();
      if (!top()->is(Kind::Dict) || !state->is(Kind::Dict)) bad("attributes for what takes none");
      break;
    }
    case 'Q': push(persistent(*pop())); break;
    default: bad("opcode " + std::to_string(code) + " is not allowed");
  }
}

}  // namespace tapegrad::io
