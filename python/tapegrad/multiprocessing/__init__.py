"""The standard library's multiprocessing, with tensors sent through shared memory instead of copied: Process, Queue, Pipe, Pool, spawn.

A tensor in shared memory (x.share_memory_(), module.share_memory(), or one that came from another process) is sent as it is: both sides
see each other's writes. The arguments of a spawned Process are moved there first; what is put into a queue otherwise is copied once. As
with PyTorch, the sender must live until the receiver has taken the tensor. Memory has no name: nothing is left when a process is killed.
"""
import multiprocessing as _multiprocessing
from multiprocessing import *  # noqa: F401,F403

from .reductions import register as _register
from .spawn import (ProcessContext, ProcessException, ProcessExitedException, ProcessRaisedException, SpawnContext, spawn,  # noqa: F401
                    start_processes)

_register()
__all__ = [*_multiprocessing.__all__, "spawn", "start_processes", "ProcessContext", "SpawnContext", "ProcessException",
           "ProcessRaisedException", "ProcessExitedException", "get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy"]


def get_all_sharing_strategies():
    """{"file_descriptor"}: the one way in which memory is shared."""
    return {"file_descriptor"}


def get_sharing_strategy():
    """"file_descriptor"."""
    return "file_descriptor"


def set_sharing_strategy(new_strategy):
    """Accepts "file_descriptor", and "file_system", which programs ask for to need fewer descriptors: batches of a DataLoader need none."""
    if new_strategy not in ("file_descriptor", "file_system"):
        raise ValueError(f"set_sharing_strategy: {new_strategy!r} is not known; there is 'file_descriptor'")
