"""A worker process of the DataLoader, and what it and the main process say to each other.

Each worker has one two-way pipe. Main sends ("epoch", seed), ("task", number, indices) and ("stop",); the worker answers each task with
(number, kind, payload), kind being "batch", "drawn" (a batch, and random numbers have been drawn in this epoch), "end" (its stream is
exhausted) or "error". A thread in the worker empties its end of the pipe at all times, so that main can never block while the worker waits
to send a result; and the worker ends when its parent has died.
Tensors travel as transport.py says.
"""
import os
import pickle
import queue
import sys
import threading
import traceback

from ... import _C
from ...creation import manual_seed

__all__ = ["WorkerInfo", "get_worker_info", "Failure"]

_info = None


class WorkerInfo:
    """What a worker knows about itself: id, num_workers, seed, dataset (its copy)."""

    def __init__(self, id, num_workers, seed, dataset):
        self.id, self.num_workers, self.seed, self.dataset = id, num_workers, seed, dataset

    def __repr__(self):
        return f"WorkerInfo(id={self.id}, num_workers={self.num_workers}, seed={self.seed}, dataset={self.dataset!r})"


def get_worker_info():
    """In a worker its WorkerInfo; None in the main process."""
    return _info


class Failure:
    """An exception on its way to the main process: its type and its traceback as text."""

    def __init__(self, where):
        kind, value, _ = sys.exc_info()
        self.text, self.where = traceback.format_exc(), where
        try:
            pickle.loads(pickle.dumps(kind))
            self.type = kind
        except Exception:  # a type that the main process cannot import
            self.type = RuntimeError
        self.key = value.args[0] if isinstance(value, KeyError) and value.args else None

    def reraise(self):
        """Raises it here, with the original traceback in its text."""
        message = f"Caught {self.type.__name__} {self.where}.\nOriginal {self.text}"
        try:
            error = self.type(_Verbatim(message) if issubclass(self.type, KeyError) else message)
        except Exception:  # its constructor wants other arguments
            error = RuntimeError(message)
        raise error from None


class _Verbatim(str):
    """Text that a KeyError prints as it is."""

    def __repr__(self):
        return str(self)


def make_fetcher(dataset, iterable, auto_batch, collate, drop_last):
    """indices -> batch. For a stream the indices only say how many; StopIteration at its end."""
    if not iterable:
        if not auto_batch:
            return lambda index: collate(dataset[index])
        many = getattr(dataset, "__getitems__", None)

        def fetch(indices):
            return collate(many(indices) if many else [dataset[i] for i in indices])
        return fetch
    stream = iter(dataset)

    def fetch_next(indices):
        if not auto_batch:
            return collate(next(stream))
        batch = []
        for _ in indices:
            try:
                batch.append(next(stream))
            except StopIteration:
                break
        if not batch or (drop_last and len(batch) < len(indices)):
            raise StopIteration
        return collate(batch)
    return fetch_next


def run_worker(conn, others, worker_id, num_workers, dataset, iterable, auto_batch, collate, drop_last, init_fn):
    """The process' main function."""
    from . import transport  # only with workers: sockets make `import tapegrad` slower
    global _info
    for c in others:  # ends that fork copied: an open copy would hide the parent's death
        c.close()
    parent = os.getppid()
    inbox = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(conn, inbox, parent), daemon=True).start()
    _C.set_num_threads(1)
    fetch, failure, seeded = None, None, None
    try:
        while True:
            message = inbox.get()
            if message[0] == "stop":
                break
            if message[0] == "epoch":
                try:
                    failure = None
                    _seed_everything(message[1] + worker_id)
                    _info = WorkerInfo(worker_id, num_workers, message[1] + worker_id, dataset)
                    if init_fn is not None and fetch is None:
                        init_fn(worker_id)
                    fetch = make_fetcher(dataset, iterable, auto_batch, collate, drop_last)
                    seeded = _random_states()
                except Exception:
                    failure = Failure(f"in DataLoader worker process {worker_id}")
                continue
            _, number, indices = message
            answer = (number, "error", failure)
            if failure is None:
                try:
                    batch = fetch(indices)
                    if seeded is not None and _random_states() != seeded:
                        seeded = None
                    answer = (number, "batch" if seeded else "drawn", batch)
                except Exception as e:
                    ended = iterable and isinstance(e, StopIteration)
                    answer = (number, "end", None) if ended else (number, "error", Failure(f"in DataLoader worker process {worker_id}"))
            try:
                packed = transport.pack(answer)
            except Exception:  # a batch that cannot be pickled
                packed = transport.pack((number, "error", Failure(f"sending a batch from DataLoader worker process {worker_id}")))
            transport.send(conn, packed)
    except (BrokenPipeError, ConnectionError, EOFError, KeyboardInterrupt):
        pass  # main has gone, or wants us gone
    finally:
        conn.close()


def _listen(conn, inbox, parent):
    try:
        while True:
            if conn.poll(2.0):
                inbox.put(conn.recv())
            elif os.getppid() != parent:
                break
    except (EOFError, OSError):
        pass
    inbox.put(("stop",))


def _random_states():
    """Differs from what it was when random numbers have been drawn."""
    import random
    states = [_C.default_generator.get_state().tolist(), random.getstate()]
    if "numpy" in sys.modules:
        _, key, at, *_ = sys.modules["numpy"].random.get_state()
        states += [key.tobytes(), at]
    return states


def _seed_everything(seed):
    import random
    random.seed(seed)
    manual_seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2 ** 32)
