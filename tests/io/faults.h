// Faults where a program writes files: the n-th call of what changes a file (open to create, write, fsync, close, chmod, rename, unlink)
// kills the process, fails, or writes less than it was given. faults.cpp defines these calls in the program itself, or in a library for
// LD_PRELOAD; unarmed they are the system's.
#pragma once
extern "C" {
enum { kFaultNone, kFaultKillBefore, kFaultKillAfter, kFaultFail, kFaultShort };
/// The `n`-th call from now on (from 0) does `what`. `detail`: the errno of kFaultFail, which fails for good where it is ENOSPC; of the
/// others, how many of 256 parts of a write are done.
void fault_arm(long n, int what, int detail);
/// How many such calls there were since, and a letter for each: C W S L M R U, and D for an fsync of a folder.
long fault_calls(void);
const char* fault_trace(void);
}
