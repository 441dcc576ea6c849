"""DataLoader: batches of a dataset, from this process or from several workers, always in the sampler's order.

Promises: an exception in a worker arrives here with its traceback; a worker that dies, or takes longer than `timeout`, is an error and
never a hang; workers end with the loader's iterator, or with this process.
"""
import contextlib
import itertools
import os
import signal
import time
import warnings
import weakref

from ... import _C, cuda
from .collate import default_collate, default_convert
from .dataset import IterableDataset
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, random_seed
from .worker import make_fetcher, run_worker

__all__ = ["DataLoader"]


class _Endless(Sampler):
    """The sampler of streams: None for ever."""

    def __iter__(self):
        return itertools.repeat(None)


class DataLoader:
    """Iterates over batches of a dataset.

    Args:
        dataset: a Dataset (by index) or an IterableDataset (a stream).
        batch_size, drop_last: size of a batch; None takes samples one by one. drop_last leaves out a shorter last batch.
        shuffle: a new random order each epoch; `generator` makes it reproducible.
        sampler, batch_sampler: give the order, or the batches, instead.
        num_workers: processes that load; 0 loads here. prefetch_factor batches ahead for each (default 2).
        collate_fn: list of samples -> batch (default_collate).
        timeout: seconds to wait for a batch; 0 waits as long as the worker lives.
        worker_init_fn: called with the worker's number when it starts. persistent_workers keeps them between epochs.
        pin_memory: batches come in page-locked memory, from which .to("cuda", non_blocking=True) copies while other work goes on. Without
            a GPU it warns, and the batches are as without it.
        multiprocessing_context: "fork" (the default where the system has it), "spawn", "forkserver" or a context of multiprocessing.
        in_order: False gives batches as workers finish them instead of in the sampler's order.
    """

    def __init__(self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
                 pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None, generator=None, *,
                 prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True):
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError("prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable "
                             "multiprocessing, otherwise set prefetch_factor to None.")
        if prefetch_factor is not None and prefetch_factor < 0:
            raise ValueError("prefetch_factor option should be non-negative")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")
        for name, value in (("timeout", timeout), ("multiprocessing_context", multiprocessing_context)):
            if value and num_workers == 0:
                raise ValueError(f"{name} option is for workers: it needs num_workers > 0, got {name}={value!r}")
        if isinstance(multiprocessing_context, str):
            import multiprocessing
            if multiprocessing_context not in multiprocessing.get_all_start_methods():
                raise ValueError(f"multiprocessing_context should be one of {multiprocessing.get_all_start_methods()}, got "
                                 f"{multiprocessing_context!r}")
        self.dataset, self.num_workers, self.timeout, self.pin_memory = dataset, num_workers, timeout, pin_memory
        self.worker_init_fn, self.persistent_workers, self.generator = worker_init_fn, persistent_workers, generator
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        self.prefetch_factor = 2 if prefetch_factor is None and num_workers else prefetch_factor
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable:
            if shuffle not in (None, False):
                raise ValueError(f"DataLoader with IterableDataset: expected unspecified shuffle option, but got shuffle={shuffle}")
            if sampler is not None or batch_sampler is not None:
                what = "sampler" if sampler is not None else "batch_sampler"
                raise ValueError(f"DataLoader with IterableDataset: expected unspecified {what} option, but got "
                                 f"{what}={sampler or batch_sampler}")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            if self._iterable:
                sampler = _Endless()
            else:
                sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size, self.drop_last, self.sampler, self.batch_sampler = batch_size, drop_last, sampler, batch_sampler
        self.collate_fn = collate_fn if collate_fn is not None else default_collate if batch_sampler is not None else default_convert
        self._workers = self._place = self._resume = None
        self._fixed = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")

    def __setattr__(self, name, value):
        if name in self.__dict__.get("_fixed", ()):
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized: make a new one")
        super().__setattr__(name, value)

    def __class_getitem__(cls, item):
        return cls

    @property
    def _order(self):
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _fetcher_arguments(self):
        return self.dataset, self._iterable, self.batch_sampler is not None, self.collate_fn, self.drop_last

    def __len__(self):
        if not self._iterable:
            return len(self._order)
        n = len(self.dataset)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def state_dict(self):
        """How many batches the pass in progress has given, and the random numbers that it began with. With it, another loader like this one
        goes on with the batch that was to come next, in the same order, and with the same random transforms."""
        return dict(self._resume or self._place or {"batches": 0})

    def load_state_dict(self, state_dict):
        """The next pass goes on where state_dict() was called. Batches before it are left out; those of streams, and of workers that drew
        random numbers, are made again and dropped. ValueError for the state of a loader with other generators."""
        if "generators" in state_dict and len(state_dict["generators"]) != len(self._generators()):
            raise ValueError(f"load_state_dict: this loader draws from {len(self._generators())} generators, the state is of "
                             f"{len(state_dict['generators'])}: make the loader as it was when the state was saved")
        self._resume = dict(state_dict) if "generators" in state_dict else None

    def _generators(self):
        """What a pass draws from, the default generator first."""
        sampler = self.sampler if self.batch_sampler is None else getattr(self.batch_sampler, "sampler", None)
        found = (_C.default_generator, self.generator, getattr(sampler, "generator", None))
        return list({id(g): g for g in found if g is not None}.values())

    @contextlib.contextmanager
    def _beginning(self):
        """Within it a pass begins: with the random numbers of the one to go on with, if any, of which it gives the state."""
        resume, self._resume = self._resume, None
        generators, now = self._generators(), _C.default_generator.get_state()
        for g, state in zip(generators, resume["generators"] if resume else ()):
            g.set_state(state)
        self._place = {"batches": 0, "drawn": False, "generators": [g.get_state() for g in generators]}
        yield resume or self._place
        if resume:
            self._place.update(batches=resume["batches"], drawn=resume["drawn"])
            _C.default_generator.set_state(now)  # which has gone on since the pass began

    def __iter__(self):
        batches = self._batches()
        if self.pin_memory:
            if not cuda.is_available():
                warnings.warn("'pin_memory' argument is set as true but no accelerator is found, then device pinned memory won't be used.",
                              stacklevel=2)
            else:
                return _Pinned(batches)
        return batches

    def _pass_ends(self, place):
        if self._place is place:
            self._place = None

    def _batches(self):
        if self.num_workers == 0:
            return _here(self)
        workers = self._workers
        if workers is None or workers.closed or workers.busy:
            workers = _Workers(self)
        if self.persistent_workers:
            self._workers = workers
        return _FromWorkers(self, workers)

    def __getstate__(self):
        return {**self.__dict__, "_workers": None, "_place": None}


def _here(loader):
    """Batches made in this process."""
    with loader._beginning() as place:
        random_seed(loader.generator)  # the draw that seeds workers: the same numbers follow with and without them
        fetch = make_fetcher(*loader._fetcher_arguments())
        order = iter(loader._order)
        for indices in itertools.islice(order, place["batches"]):
            if loader._iterable:
                fetch(indices)
    place = loader._place
    for indices in order:
        try:
            batch = fetch(indices)
        except StopIteration:
            break
        place["batches"] += 1
        yield batch
    loader._pass_ends(place)


def _pin(batch):
    if isinstance(batch, _C.Tensor):
        return batch.pin_memory()
    if isinstance(batch, (str, bytes)):
        return batch
    if isinstance(batch, dict):
        pinned = {k: _pin(v) for k, v in batch.items()}
        return pinned if type(batch) is dict else type(batch)(pinned)
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*map(_pin, batch))
    if isinstance(batch, (list, tuple)):
        return type(batch)(map(_pin, batch))
    return batch.pin_memory() if hasattr(batch, "pin_memory") else batch


class _Pinned:
    """Batches with their tensors in page-locked memory."""

    def __init__(self, batches):
        self._batches = batches

    def __iter__(self):
        return self

    def __next__(self):
        return _pin(next(self._batches))

    def __len__(self):
        return len(self._batches)


class _Workers:
    """The processes and their pipes."""

    def __init__(self, loader):
        import multiprocessing  # only with workers: it makes `import tapegrad` slower
        context = loader.multiprocessing_context
        if context is None or isinstance(context, str):
            context = multiprocessing.get_context(context)
        if context.get_start_method() != "fork":
            from ...multiprocessing import reductions
            reductions.register()  # a dataset's tensors reach the workers through shared memory
        self.processes, self.pipes, self.closed, self.busy = [], [], False, False
        self._finalizer = weakref.finalize(self, _stop, os.getpid(), self.processes, self.pipes)
        for i in range(loader.num_workers):
            ours, theirs = context.Pipe()
            others = [*self.pipes, ours] if context.get_start_method() == "fork" else []
            what = (theirs, others, i, loader.num_workers, *loader._fetcher_arguments(), loader.worker_init_fn)
            process = context.Process(target=run_worker, daemon=True, args=what)
            process.start()
            theirs.close()
            self.processes.append(process)
            self.pipes.append(ours)

    def send(self, i, message):
        try:
            self.pipes[i].send(message)
        except (BrokenPipeError, ConnectionError):
            self.died(i)

    def died(self, i):
        """Raises for worker i having ended."""
        process = self.processes[i]
        process.join(5)
        code = process.exitcode
        self.close()
        raise RuntimeError(f"DataLoader worker (pid {process.pid}) exited unexpectedly: worker {i}, {_how_it_ended(code)}")

    def close(self):
        self.closed = True
        self._finalizer()


def _how_it_ended(code):
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
    hint = {"SIGKILL": "; the system kills so when memory is short", "SIGBUS": "; so it ends when there is no more shared memory"}
    return f"killed by signal {-code} ({name}{hint.get(name, '')})"


def _stop(owner, processes, pipes):
    if os.getpid() != owner:  # a copy of the loader in a process that was forked since
        return
    for pipe in pipes:
        try:
            os.set_blocking(pipe.fileno(), False)  # a hanging worker may not have emptied it
            pipe.send(("stop",))
        except OSError:
            pass
        pipe.close()  # a worker that waits to send sees it
    deadline = time.monotonic() + 5
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


class _FromWorkers:
    """One epoch over workers. Tasks go round; answers are handed out in the tasks' order."""

    def __init__(self, loader, workers):
        self.loader, self.workers = loader, workers
        self.timeout, self.keep = loader.timeout, loader.persistent_workers
        workers.busy = True
        self.tasks = enumerate(iter(loader._order))
        self.ready, self.owner = {}, {}      # number -> answer; number -> worker
        self.active = list(range(len(workers.processes)))
        self.turn = 0
        with loader._beginning() as place:
            self.place = loader._place
            seed = random_seed(loader.generator)
            for i in self.active:
                workers.send(i, ("epoch", seed))
            again = place["batches"] if loader._iterable or place["drawn"] else 0
            for _ in itertools.islice(self.tasks, place["batches"] - again):
                self.turn += 1
            for _ in range(max(1, loader.prefetch_factor) * len(self.active)):
                self._send_one()
            for _ in range(again):
                next(self)

    def __iter__(self):
        return self

    def __len__(self):
        return len(self.loader)

    def _send_one(self):
        if not self.active:
            return
        try:
            number, indices = next(self.tasks)
        except StopIteration:
            return
        i = self.active[self.turn % len(self.active)]
        self.turn += 1
        self.owner[number] = i
        self.workers.send(i, ("task", number, indices))

    def __next__(self):
        while self.owner:
            number = next(iter(self.owner))  # the oldest task
            if not self.loader.in_order and self.ready:
                number = next(iter(self.ready))
            if number not in self.ready:
                self._receive()
                continue
            worker = self.owner.pop(number)
            kind, payload = self.ready.pop(number)
            if kind == "end":  # this worker's stream is exhausted; the others may have more
                if worker in self.active:
                    at = self.active.index(worker)
                    self.active.remove(worker)
                    self.turn = self.turn % (len(self.active) + 1)
                    if at < self.turn:
                        self.turn -= 1
                self._send_one()
                continue
            if kind == "error":
                self._finish(failed=True)
                payload.reraise()
            self._send_one()
            self.place["batches"] += 1
            self.place["drawn"] |= kind == "drawn"
            return payload
        self._finish()
        self.loader._pass_ends(self.place)
        raise StopIteration

    def _receive(self):
        """Waits for any answer, or for a worker's death."""
        from multiprocessing.connection import wait

        from . import transport
        sentinels = {self.workers.processes[k].sentinel: k for k in set(self.owner.values())}
        pipes = {self.workers.pipes[k]: k for k in set(self.owner.values())}
        found = wait([*pipes, *sentinels], self.timeout or None)
        if not found:
            self._finish(failed=True)
            raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds")
        heard = False
        for end in found:
            if end in pipes:
                try:
                    number, kind, payload = transport.receive(end)
                except (EOFError, ConnectionError):
                    continue
                self.ready[number] = (kind, payload)
                heard = True
        if not heard:  # only sentinels, and pipes with nothing left in them
            self.workers.died(next(k for end, k in {**sentinels, **pipes}.items() if end in found))

    def _finish(self, failed=False):
        self.owner.clear()
        if self.keep and not failed and not self.workers.closed:
            self.workers.busy = False
        elif not self.workers.closed:
            self.workers.close()

    def __del__(self):
        try:
            if self.owner or not self.keep:
                self._finish(failed=True)  # left in the middle: answers are still on their way
        except AttributeError:  # never started
            pass
