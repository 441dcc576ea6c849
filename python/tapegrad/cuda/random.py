"""Seeds. One generator serves the CPU and all GPUs, so that a seed means the same numbers everywhere; without a GPU nothing is done."""
from .. import _C, cuda

_generator = _C.default_generator


def manual_seed(seed):
    """Seeds the generator, which is the CPU's, too; nothing to do without a GPU, as in PyTorch."""
    if cuda.is_available():
        _generator.manual_seed(seed)


manual_seed_all = manual_seed


def seed():
    """Seeds the generator from the system; nothing to do without a GPU."""
    if cuda.is_available():
        _generator.seed()


seed_all = seed


def initial_seed():
    """What the generator was seeded with."""
    cuda._need("initial_seed")
    return _generator.initial_seed()


def get_rng_state(device="cuda"):
    """The generator's state."""
    cuda._index(device, "get_rng_state")
    return _generator.get_state()


def set_rng_state(new_state, device="cuda"):
    """Restores what get_rng_state() gave."""
    cuda._index(device, "set_rng_state")
    _generator.set_state(new_state)


def get_rng_state_all():
    """The state for each GPU."""
    return [_generator.get_state() for _ in range(cuda.device_count())]


def set_rng_state_all(new_states):
    """Restores what get_rng_state_all() gave."""
    for state in new_states:
        set_rng_state(state)
