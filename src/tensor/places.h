// Places as words, for messages.
#pragma once
#include <cstdint>
#include <string>

#include "tapegrad/autograd.h"

namespace tapegrad {

/// "train.py:12 in step", and behind it, where the source can be read, a line of its own with its text.
std::string quote(const Place& p);
/// "\n  <what> train.py:12 in step\n      y = x * w". Empty when the place is not known.
TG_API std::string place_line(const char* what, const Place& p);
/// The op that the user called: the outermost running one, below backward and custom functions the one they called.
const char* called_op();
/// Who calls, for a function without an OpScope: a Python line, else this return address.
Place caller_place(const void* return_address);

// ---- debug_lines.cpp

struct CodeLine {
  std::string file, function;  // empty when not known
  int line = 0;
};
/// The line of the code at `address` of an ELF file (as linked, without the load bias), from its DWARF 4 or 5 .debug_line and its symbol
/// table. Compressed sections and debug info in files of its own are not read. Malformed files give wrong or no lines, nothing worse.
CodeLine find_code_line(const std::string& elf_file, uint64_t address);

}  // namespace tapegrad
