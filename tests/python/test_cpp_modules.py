"""Every module of nn in C++ against Python's: names, printing, state, initial values, outputs and gradients, bit by bit.

tests/nn/every_module.cpp, built with the C++ tests, makes the modules and writes a file; each entry says which Python expression
makes the same one.
"""
import inspect

import cpp_program
import pytest
import tapegrad as tg
from tapegrad import nn

pytestmark = [cpp_program.needs("every_module"), pytest.mark.filterwarnings("ignore:reduction:UserWarning")]

# What Python has and C++ not, and why.
ONLY_PYTHON = {
    "Module": "the base class; C++ has Module and ModuleOf", "RNNBase": "a base class", "RNNCellBase": "a base class",
    "Container": "deprecated in Python; C++ registers modules in a Module", "NLLLoss2d": "a deprecated name of NLLLoss",
    "DataParallel": "it runs on one device; C++ calls the module itself",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return cpp_program.written_by("every_module", tmp_path_factory.mktemp("cpp"))


def cases(written):
    tensors, texts = written
    count = sum(key.endswith(".python") for key in texts)
    for i in range(count):
        prefix = f"{i}."
        yield (texts[prefix + "python"], (texts[prefix + "repr"], texts[prefix + "names"].split(), texts.get(prefix + "called")),
               {k[len(prefix):]: t for k, t in tensors.items() if k.startswith(prefix)})


def flat(result):
    if isinstance(result, (tuple, list)):
        return [t for part in result for t in flat(part)]
    return [tg.zeros(0) if result is None else result]


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.detach().numpy().tobytes() == b.detach().numpy().tobytes()


class Symmetric(nn.Module):
    """As in every_module.cpp."""

    def forward(self, w):
        return w.triu() + w.triu(1).mT


def globally_pruned(model, scores):
    """As in every_module.cpp."""
    prune, (one, two) = nn.utils.prune, model
    prune.global_unstructured([(one, "weight"), (two, "weight"), (two, "bias")], prune.L1Unstructured, amount=0.4)
    prune.global_unstructured([(one, "weight"), (two, "weight")], prune.RandomUnstructured, {(one, "weight"): scores}, amount=5)
    return model


def made_by(python, tensors):
    mine = {name: tensors[name] for name in ("w", "scores", "mask")}
    return eval(python, {**vars(nn), **mine, "ones": tg.ones, "zeros": tg.zeros, "Symmetric": Symmetric, "globally_pruned": globally_pruned})


def problems_of(python, texts, mine, tensors):
    """What differs between the C++ module and the one that the expression makes."""
    tg.manual_seed(1)
    m = made_by(python, tensors)
    text, names, called = texts
    if repr(m) != text:
        yield f"prints {text}, in Python {m!r}"
    state = m.state_dict()
    if list(state) != names:
        yield f"state_dict has {names}, in Python {list(state)}"
    yield from (f"initial {k} differs" for k in names if k in state and not same(mine["state." + k], state[k]))
    if not any(k.startswith("train.") for k in mine):
        return
    inputs = [mine[f"input.{k}"] for k in range(sum(k.startswith("input.") for k in mine))]
    for mode in ("train", "eval"):
        m.train(mode == "train")
        tg.manual_seed(2)
        results = flat(m(*(t.clone() for t in inputs)))
        theirs = [mine[k] for k in mine if k.startswith(mode + ".")]
        if len(results) != len(theirs):
            yield f"gives {len(theirs)} tensors, in Python {len(results)}"
        yield from (f"output {k} in {mode} mode differs" for k, (a, b) in enumerate(zip(theirs, results)) if not same(a, b))
        if mode == "train" and results[0].requires_grad:
            results[0].sum().backward()
            for name, p in m.named_parameters():
                grad = tg.zeros(0) if p.grad is None else p.grad
                if not same(mine["grad." + name], grad):
                    yield f"gradient of {name} differs"
    if repr(m) != called:
        yield f"prints {called} after its calls, in Python {m!r}"


def test_all_equal_pythons(written):
    problems = [f"{python}: {problem}" for python, text, mine in cases(written) for problem in problems_of(python, text, mine, written[0])]
    assert not problems, "\n".join(problems)


def test_initial_values(written):
    tensors, texts = written
    for key, expression in texts.items():
        if key.endswith(".init"):
            theirs = tensors[key[:-len("init")] + "t"]
            tg.manual_seed(1)
            t = tg.zeros(*theirs.shape)
            eval(expression, {**vars(nn.init), "t": t})
            assert same(theirs, t), expression


def test_none_is_missing(written):
    python = {name for name in dir(nn) if isinstance(getattr(nn, name), type) and issubclass(getattr(nn, name), nn.Module)}
    cpp = {expression.split("(")[0] for expression, _, _ in cases(written) if expression[0].isupper()}
    assert python - cpp == set(ONLY_PYTHON)
    assert cpp <= python


def test_defaults_are_tried(written):
    """Each class is made once with nothing but its required arguments: the C++ defaults are Python's."""
    bare = set()
    expressions = [expression for expression, _, _ in cases(written) if expression[0].isupper()]
    for expression in expressions:
        m = made_by(expression, written[0])
        required = [p for p in inspect.signature(type(m)).parameters.values() if p.default is p.empty and p.kind == p.POSITIONAL_OR_KEYWORD]
        given = eval("f" + expression[expression.index("("):], {**vars(nn), "w": None, "ones": tg.ones, "zeros": tg.zeros, "f": lambda *a, **k: len(a) + len(k)})
        if given <= len(required):
            bare.add(type(m).__name__)
    covered = {expression.split("(")[0] for expression in expressions}
    needs_some = {"Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d", "FractionalMaxPool2d", "FractionalMaxPool3d",  # a size or a factor
                  "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "Transformer"}  # (default size: 44 million weights)
    assert covered - bare == needs_some - bare
