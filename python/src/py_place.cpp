// The Python caller's place: code object and instruction offset, without making a frame object (5 ns a node).
//
// One entry per code object that ever recorded a node is found through the code object's own extra slot and never freed (about
// 64 bytes). Nodes borrow it, so they hold no Python reference and may die in any thread. When the code object dies, the entry
// keeps file, name and line table.
#include <cstddef>
#include <cstring>

#include "py.h"
#include "src/autograd/debug_layout.h"

#if PY_VERSION_HEX < 0x030C0000
#define PyUnstable_Code_GetExtra _PyCode_GetExtra
#define PyUnstable_Code_SetExtra _PyCode_SetExtra
#define PyUnstable_Eval_RequestCodeExtraIndex _PyEval_RequestCodeExtraIndex
#endif
#if PY_VERSION_HEX < 0x030B0000
#include <frameobject.h>
#endif

namespace tapegrad::py {
namespace {

struct CodeEntry {
  PyCodeObject* code;               // borrowed; null once the code object has died
  const char* path;                 // of co_filename, whose text it is
  PyObject *file, *name, *lines;    // set when it dies
  int first_line;
  bool internal;                    // library code: look further out for the user's line
};
Py_ssize_t extra_index = -1;
std::string internal_prefix;

void code_died(void* p) {  // runs before the code object lets go of its members
  auto* e = static_cast<CodeEntry*>(p);
  if (!e) return;
  e->file = Py_NewRef(e->code->co_filename), e->name = Py_NewRef(e->code->co_name);
  e->lines = Py_NewRef(e->code->co_linetable), e->first_line = e->code->co_firstlineno;
  e->code = nullptr;
}
[[gnu::noinline]] CodeEntry* new_entry(PyCodeObject* code) {
  const char* file = PyUnicode_AsUTF8(code->co_filename);
  if (!file) PyErr_Clear();
  const bool ours = !internal_prefix.empty() && file && !std::strncmp(file, internal_prefix.c_str(), internal_prefix.size());
  const bool internal = ours || (file && !std::strcmp(file, "<shim>"));  // 3.12 gives its entry frames a code object
  auto* e = new CodeEntry{code, file, nullptr, nullptr, nullptr, 0, internal};
  PyUnstable_Code_SetExtra(reinterpret_cast<PyObject*>(code), extra_index, e);
  return e;
}
CodeEntry* entry_of(PyCodeObject* code) {
  void* e = nullptr;
  PyUnstable_Code_GetExtra(reinterpret_cast<PyObject*>(code), extra_index, &e);
  return e ? static_cast<CodeEntry*>(e) : new_entry(code);
}

// ---- frames, by version: top_frame, code_of (borrowed, null for the entry frames of C), offset_of in bytes, outer ------------

#if PY_VERSION_HEX < 0x030B0000  // 3.10: frames are objects
using Frame = PyFrameObject;
Frame* top_frame() { return PyEval_GetFrame(); }
PyCodeObject* code_of(Frame* f) { return f->f_code; }
int offset_of(Frame* f) { return f->f_lasti * 2; }
Frame* outer(Frame* f) { return f->f_back; }
#elif PY_VERSION_HEX < 0x030C0000
struct Frame {  // 3.11's _PyInterpreterFrame, first members; its layout is frozen: 3.11 gets security fixes only
  PyObject *func, *globals, *builtins, *locals;
  PyCodeObject* code;
  PyObject* frame_obj;
  Frame* previous;
  _Py_CODEUNIT* prev_instr;
};
Frame* top_frame() { return reinterpret_cast<Frame*>(PyThreadState_Get()->cframe->current_frame); }
PyCodeObject* code_of(Frame* f) { return f->code; }
int offset_of(Frame* f) { return int(reinterpret_cast<char*>(f->prev_instr) - reinterpret_cast<char*>(f->code->co_code_adaptive)); }
Frame* outer(Frame* f) { return f->previous; }
#else
using Frame = _PyInterpreterFrame;
#if PY_VERSION_HEX < 0x030D0000
Frame* top_frame() { return PyThreadState_Get()->cframe->current_frame; }
#else
Frame* top_frame() { return PyThreadState_Get()->current_frame; }
#endif
PyCodeObject* code_of(Frame* f) {
  PyObject* c = PyUnstable_InterpreterFrame_GetCode(f);  // a new reference; the running frame keeps it alive
  Py_DECREF(c);
  return PyCode_Check(c) ? reinterpret_cast<PyCodeObject*>(c) : nullptr;
}
int offset_of(Frame* f) { return PyUnstable_InterpreterFrame_GetLasti(f); }
static_assert(PY_VERSION_HEX < 0x030F0000, "check that _PyInterpreterFrame still begins with {code, previous}");
Frame* outer(Frame* f) { return reinterpret_cast<Frame**>(f)[1]; }  // the one member without a public getter
#endif

Place current_place() {
  Frame* f = top_frame();
  if (!f) return {};
  PyCodeObject* code = code_of(f);
  CodeEntry* e = code ? entry_of(code) : nullptr;
  for (Frame* at = f; (!e || e->internal) && (at = outer(at));) {
    if (!(code = code_of(at))) continue;
    e = entry_of(code), f = at;
  }
  if (!e) return {};
  return {e, offset_of(f)};
}

// ---- text ------------------------------------------------------------------------------------------------------------------

#if PY_VERSION_HEX < 0x030B0000
// PEP 626: pairs of (bytes of code, lines forward); -128 means no line.
int decode_line(const uint8_t* p, const uint8_t* end, int line, int offset) {
  for (int at = 0; p + 1 < end; p += 2) {
    const int delta = int8_t(p[1]);
    if (delta != -128) line += delta;
    at += p[0];
    if (at > offset) return delta == -128 ? -1 : line;
  }
  return line;
}
#else
unsigned read_varint(const uint8_t*& p) {
  unsigned value = *p & 63, shift = 0;
  while (*p++ & 64) value |= unsigned(*p & 63) << (shift += 6);
  return value;
}
// The location table of 3.11 and later: entries of a header byte 1 kkkk nnn (kind k, n + 1 code units) and the kind's own bytes.
int decode_line(const uint8_t* p, const uint8_t* end, int line, int offset) {
  for (int at = 0; p < end;) {
    const int kind = *p >> 3 & 15, units = (*p & 7) + 1;
    const uint8_t* body = p + 1;
    if (kind == 14 || kind == 13) {  // signed line delta
      const unsigned u = read_varint(body);
      line += u & 1 ? -int(u >> 1) : int(u >> 1);
    } else if (kind >= 10 && kind <= 12) {
      line += kind - 10;
    }
    at += 2 * units;
    if (at > offset) return kind == 15 ? -1 : line;
    for (p++; p < end && !(*p & 128);) p++;  // only headers have the top bit
  }
  return line;
}
#endif

// linecache also knows what notebooks and doctests run. Empty when there is no source.
std::string source_text(PyObject* file, int line) {
  PyObject* module = PyImport_ImportModule("linecache");
  PyObject* text = module ? PyObject_CallMethod(module, "getline", "Oi", file, line) : nullptr;
  PyObject* stripped = text && PyUnicode_Check(text) ? PyObject_CallMethod(text, "strip", nullptr) : nullptr;
  const std::string r = stripped ? text_of(stripped) : "";
  Py_XDECREF(stripped);
  Py_XDECREF(text);
  Py_XDECREF(module);
  PyErr_Clear();
  return r;
}
/// Puts the running Python error aside while it lives.
struct ErrorAside {
  PyObject *type, *value, *traceback;
  ErrorAside() { PyErr_Fetch(&type, &value, &traceback); }
  ~ErrorAside() { PyErr_Restore(type, value, traceback); }
};
std::string place_text(const Place& p) {
  if (!p.where) return "?";
  CallPython hold;
  const ErrorAside aside;
  const auto* e = static_cast<const CodeEntry*>(p.where);
  PyObject *file = e->code ? e->code->co_filename : e->file, *name = e->code ? e->code->co_name : e->name;
  int line;
  if (e->code) {
    line = PyCode_Addr2Line(e->code, p.offset);
  } else {
    const auto* table = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(e->lines));
    line = decode_line(table, table + PyBytes_GET_SIZE(e->lines), e->first_line, p.offset);
  }
  const std::string text = source_text(file, line);
  return text_of(file) + ":" + std::to_string(line) + " in " + text_of(name) + (text.empty() ? "" : "\n" + text);
}

}  // namespace

// What debuggers read (src/autograd/debug_layout.h) to say which line of Python made a node.
extern TG_API const DebugField debug_layout_python[];
[[gnu::used]] constexpr DebugField debug_layout_python[] = {
    {"CodeEntry.code", offsetof(CodeEntry, code)},
    {"CodeEntry.path", offsetof(CodeEntry, path)},
    {"CodeEntry.lines", offsetof(CodeEntry, lines)},
    {"CodeEntry.first_line", offsetof(CodeEntry, first_line)},
    {"Code.lines", offsetof(PyCodeObject, co_linetable)},
    {"Code.first_line", offsetof(PyCodeObject, co_firstlineno)},
    {"Bytes.length", offsetof(PyVarObject, ob_size)},
    {"Bytes.data", offsetof(PyBytesObject, ob_sval)},
    {"python_minor", PY_MINOR_VERSION},
    {"", 0},
};

void init_places() {
  extra_index = PyUnstable_Eval_RequestCodeExtraIndex(code_died);
  python_place = current_place, python_place_text = place_text;
}
Place function_place(PyObject* function) {
  if (PyMethod_Check(function)) function = PyMethod_GET_FUNCTION(function);
  return PyFunction_Check(function) ? Place{entry_of(reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(function))), 0} : current_place();
}
PyObject* set_internal_prefix(PyObject*, PyObject* prefix) {
  const char* s = PyUnicode_AsUTF8(prefix);
  if (!s) return nullptr;
  internal_prefix = s;
  Py_RETURN_NONE;
}

}  // namespace tapegrad::py
