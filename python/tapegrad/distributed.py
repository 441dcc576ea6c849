"""Process groups of one process. Collectives give what a group of size 1 gives; more processes are not implemented.

Code written for several processes runs unchanged when started as one: `init_process_group` with world_size 1 (or WORLD_SIZE=1, or
neither), then all_reduce and the rest.
"""
import os

from . import _C

__all__ = ["init_process_group", "destroy_process_group", "is_initialized", "is_nccl_available", "is_mpi_available",
           "is_gloo_available", "is_ucc_available", "is_xccl_available", "is_torchelastic_launched", "is_backend_available", "get_rank",
           "get_world_size", "get_backend", "get_global_rank", "get_group_rank", "get_process_group_ranks",
           "get_default_backend_for_device",
           "new_group", "barrier", "monitored_barrier", "all_reduce", "reduce", "broadcast", "all_gather", "all_gather_into_tensor",
           "all_gather_object", "gather", "gather_object", "scatter", "scatter_object_list", "broadcast_object_list", "reduce_scatter",
           "reduce_scatter_tensor", "all_to_all", "all_to_all_single", "send", "recv", "isend", "irecv", "ReduceOp", "Backend",
           "ProcessGroup", "Work", "group", "GroupMember", "is_available"]


class ReduceOp:
    """How values of several processes are joined; of one process each leaves its value."""
    SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR, BXOR = "SUM", "AVG", "PRODUCT", "MIN", "MAX", "BAND", "BOR", "BXOR"


class Backend(str):
    """The name of a backend, in lower case."""
    UNDEFINED, GLOO, NCCL, UCC, MPI, XCCL = "undefined", "gloo", "nccl", "ucc", "mpi", "xccl"

    def __new__(cls, name):
        if not isinstance(name, str):
            raise ValueError(f"Backend constructor parameter must be string-ish, got {name!r}")
        return str.__new__(cls, name.lower())


class ProcessGroup:
    """The group of this process alone."""

    def __init__(self, backend):
        self.backend = backend

    def rank(self):
        """0."""
        return 0

    def size(self):
        """1."""
        return 1


class Work:
    """A collective that is done."""

    def wait(self, timeout=None):
        """True: nothing to wait for."""
        return True

    def is_completed(self):
        """True."""
        return True


class GroupMember:
    """Marks: the group of all processes, and no group."""
    WORLD, NON_GROUP_MEMBER = None, object()


group = GroupMember


def is_available():
    """Can process groups be made? Of one process."""
    return True


def is_initialized():
    """Was init_process_group() called?"""
    return GroupMember.WORLD is not None


def is_gloo_available():
    """False: the group of one process needs no backend."""
    return False


is_nccl_available = is_mpi_available = is_ucc_available = is_xccl_available = is_gloo_available


def is_torchelastic_launched():
    """Was this process started by torchrun?"""
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_backend_available(backend):
    """False: the group of one process needs no backend."""
    return False


def get_default_backend_for_device(device):
    """"gloo"."""
    return "gloo"


def init_process_group(backend=None, init_method=None, timeout=None, world_size=-1, rank=-1, store=None, group_name="", pg_options=None,
                       device_id=None):
    """Starts the group of one process; NotImplementedError for a greater world_size (or WORLD_SIZE)."""
    if is_initialized():
        raise ValueError("trying to initialize the default process group twice!")
    size = int(os.environ.get("WORLD_SIZE", 1)) if world_size == -1 else world_size
    if size != 1:
        raise NotImplementedError(f"distributed.init_process_group: groups of {size} processes are not implemented; start one process, or "
                                  "average gradients by own means (multiprocessing, MPI)")
    if rank not in (-1, 0):
        raise ValueError(f"distributed.init_process_group: rank {rank} is not below world_size 1")
    GroupMember.WORLD = ProcessGroup(Backend("gloo" if backend is None else backend))


def destroy_process_group(group=None):
    """Ends the group."""
    GroupMember.WORLD = None


def _group():
    if GroupMember.WORLD is None:
        raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")
    return GroupMember.WORLD


def get_rank(group=None):
    """0."""
    return _group().rank()


def get_world_size(group=None):
    """1."""
    return _group().size()


def get_backend(group=None):
    """The backend that init_process_group() was given."""
    return _group().backend


def get_global_rank(group, group_rank):
    """The same rank."""
    return group_rank


def get_group_rank(group, global_rank):
    """The same rank."""
    return global_rank


def get_process_group_ranks(group=None):
    """[0]."""
    return [0]


def new_group(ranks=None, timeout=None, backend=None, pg_options=None, **others):
    """The group of this process."""
    if ranks is not None and list(ranks) != [0]:
        raise ValueError(f"distributed.new_group: ranks must be [0] in a world of one process, got {list(ranks)}")
    return _group()


def barrier(group=None, async_op=False, device_ids=None):
    """Nothing to wait for."""
    return _done(async_op)


def monitored_barrier(group=None, timeout=None, wait_all_ranks=False):
    """Nothing to wait for."""
    _group()


def _done(async_op):
    _group()
    return Work() if async_op else None


def _is_self(rank, name):
    if rank not in (None, 0):
        raise ValueError(f"distributed.{name}: rank {rank} is not in a world of one process")


def all_reduce(tensor, op=ReduceOp.SUM, group=None, async_op=False):
    """The tensor stays as it is."""
    return _done(async_op)


def reduce(tensor, dst=None, op=ReduceOp.SUM, group=None, async_op=False, group_dst=None):
    """The tensor stays as it is."""
    _is_self(dst, "reduce")
    return _done(async_op)


def broadcast(tensor, src=None, group=None, async_op=False, group_src=None):
    """The tensor stays as it is."""
    _is_self(src, "broadcast")
    return _done(async_op)


def _copy(to, value):
    with _C.no_grad():
        to.copy_(value)


def all_gather(tensor_list, tensor, group=None, async_op=False):
    """tensor_list[0] becomes the tensor."""
    _copy(tensor_list[0], tensor)
    return _done(async_op)


def all_gather_into_tensor(output_tensor, input_tensor, group=None, async_op=False):
    """output_tensor becomes input_tensor."""
    _copy(output_tensor, input_tensor.reshape(output_tensor.shape))
    return _done(async_op)


def gather(tensor, gather_list=None, dst=None, group=None, async_op=False, group_dst=None):
    """gather_list[0] becomes the tensor."""
    _is_self(dst, "gather")
    if gather_list:
        _copy(gather_list[0], tensor)
    return _done(async_op)


def scatter(tensor, scatter_list=None, src=None, group=None, async_op=False, group_src=None):
    """The tensor becomes scatter_list[0]."""
    _is_self(src, "scatter")
    if scatter_list:
        _copy(tensor, scatter_list[0])
    return _done(async_op)


def reduce_scatter(output, input_list, op=ReduceOp.SUM, group=None, async_op=False):
    """output becomes input_list[0]."""
    _copy(output, input_list[0])
    return _done(async_op)


def reduce_scatter_tensor(output, input, op=ReduceOp.SUM, group=None, async_op=False):
    """output becomes input."""
    _copy(output, input.reshape(output.shape))
    return _done(async_op)


def all_to_all(output_tensor_list, input_tensor_list, group=None, async_op=False):
    """output_tensor_list[0] becomes input_tensor_list[0]."""
    _copy(output_tensor_list[0], input_tensor_list[0])
    return _done(async_op)


def all_to_all_single(output, input, output_split_sizes=None, input_split_sizes=None, group=None, async_op=False):
    """output becomes input."""
    _copy(output, input)
    return _done(async_op)


def all_gather_object(object_list, obj, group=None):
    """object_list[0] becomes the object."""
    _group()
    object_list[0] = obj


def gather_object(obj, object_gather_list=None, dst=None, group=None, group_dst=None):
    """object_gather_list[0] becomes the object."""
    _group()
    if object_gather_list:
        object_gather_list[0] = obj


def broadcast_object_list(object_list, src=None, group=None, device=None, group_src=None):
    """The list stays as it is."""
    _group()


def scatter_object_list(scatter_object_output_list, scatter_object_input_list=None, src=None, group=None, group_src=None):
    """The first of one list becomes the first of the other."""
    _group()
    scatter_object_output_list[0] = scatter_object_input_list[0]


def _needs_another(name):
    def f(*args, **kwargs):
        raise ValueError(f"distributed.{name}: there is no other process in a world of one")
    f.__name__, f.__doc__ = name, "Needs another process: raises ValueError here."
    return f


send, recv, isend, irecv = map(_needs_another, ("send", "recv", "isend", "irecv"))


def __getattr__(name):
    from ._compat import missing
    raise missing(__name__, name)
