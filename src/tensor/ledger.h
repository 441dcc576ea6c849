// Who owns the memory. Each big block (> 512 bytes) has an Owner in front of it that says for which op, line, module and role it
// was made; the allocator writes it under the lock that it takes anyway. Small blocks are counted by size.
#pragma once
#include <string>
#include <vector>

#include "tapegrad/autograd.h"

namespace tapegrad {

// ---- paths of nn modules: "Net.encoder.2". The thread's ThreadState::module, a Node's module, an Owner's module.

TG_API uint16_t module_path(uint16_t parent, std::string_view name);  ///< the same number for the same path; 0 when 65,535 are known
TG_API std::string module_path_text(uint16_t path);                   ///< "" for 0

// ---- the ledger

struct Owner {
  size_t bytes = 0;   // of the block
  uint32_t slot = 0;  // its place in the allocator's list of all blocks
  uint16_t note = 0, module = 0;
  MemoryRole role = MemoryRole::Working;
  bool live = false;  // false: kept for reuse
};
inline constexpr size_t kOwnerBytes = 64;
static_assert(sizeof(Owner) <= kOwnerBytes);
inline Owner& owner_of(void* block) { return *reinterpret_cast<Owner*>(static_cast<char*>(block) - kOwnerBytes); }

/// The blocks in use; their bytes add up to memory_stats().in_use.
struct Ledger {
  std::vector<Owner> blocks;
  int64_t small[kSmallClasses] = {};  // how many small blocks of (k + 1) * 64 bytes are in use
};
TG_API Ledger read_ledger();
TG_API const char* role_name(MemoryRole role);
std::string readable(int64_t bytes);  ///< "1.5 MiB"
/// From now on the storage's memory counts as that. Small and foreign memory has no owner.
TG_API void set_role(const Storage& s, MemoryRole role);
TG_API MemoryRole role_of(const Storage& s);
/// Memory made for `of`, such as its gradient, belongs to the module that `of` belongs to.
TG_API void own_with(const Storage& s, const Storage& of, MemoryRole role);
TG_API void set_owner_module(const Storage& s, uint16_t module);
/// The largest owners, one a line; "" when there are none.
std::string largest_owners(size_t rows);

/// What happened to big blocks while recording was on.
struct LedgerEvent {
  int64_t time;   // nanoseconds, CLOCK_MONOTONIC
  const void* block;
  Owner owner;
  bool made;      // false: given back
};
TG_API void record_ledger(bool on);  ///< begins with one event for each block in use, at the time of the call
TG_API std::vector<LedgerEvent> ledger_events();  ///< blocks have the role that they had last

/// Bytes of big blocks that this thread has taken, less those it has given back.
TG_API int64_t bytes_of_thread();

/// For tests: the n-th block from now that this thread asks for cannot be had (small ones too); 0: none. Returns how many have been
/// asked for since the last call.
TG_API int64_t fail_allocation_at(int64_t n);

}  // namespace tapegrad
