# == metrics_info ==
import pickle
from ray.util.metrics import Counter, Gauge, Histogram

counter = Counter("a", "text", ("k", "l")).set_default_tags({"k": "v"})
show("counter", counter.info)
show("gauge", Gauge("g", "d").info)
show("histogram", Histogram("h", boundaries=[2, 1.5]).info)
show("tuple", Histogram("h", boundaries=(1, 2), tag_keys=("t",)).info)
for metric in (counter, Gauge("g", tag_keys=("x",)), Histogram("h", boundaries=[1])):
    show("pickled", pickle.loads(pickle.dumps(metric)).info)

# == metrics_definitions_refused ==
from ray.util.metrics import Counter, Gauge, Histogram

attempt("empty", Counter, "")
attempt("number", Counter, 3)
attempt("none", Gauge, None)
attempt("description", Gauge, "x", 3)
for keys in (["a"], "a", {"a"}, ("a", 1), (None,), (), None, 0):
    attempt(f"tag_keys {keys!r}", lambda: Counter("x", tag_keys=keys).info)
for bounds in (None, [], (), [0], [1, -1], [1, 0.0], ["a"], [None], [2, 1], [1, 1], 3):
    attempt(f"boundaries {bounds!r}", lambda: Histogram("x", boundaries=bounds).info)

# == metrics_default_tags ==
from ray.util.metrics import Counter

counter = Counter("x", tag_keys=("a", "b"))
attempt("unknown", counter.set_default_tags, {"c": "1"})
attempt("number", counter.set_default_tags, {"a": 1})
attempt("none", counter.set_default_tags, {"a": None})
show("same", counter.set_default_tags({"a": "1"}) is counter)
show("tags", counter.info["default_tags"])
attempt("missing", counter.inc)
attempt("given", counter.inc, 1, {"b": "2"})
attempt("both missing", Counter("x", tag_keys=("a", "b")).inc)

# == metrics_records ==
from ray.util.metrics import Counter, Gauge, Histogram

start()
counter, gauge, histogram = Counter("c"), Gauge("g"), Histogram("h", boundaries=[1, 2])
for value in (1, 0.5, True, 0, -1, False, "1", None, [], 1j, float("nan"), float("inf"), 10**400):
    name = f"{value!r:.20}"
    attempt(f"inc {name}", counter.inc, value)
    attempt(f"set {name}", gauge.set, value)
    attempt(f"observe {name}", histogram.observe, value)
tagged = Gauge("t", tag_keys=("a",))
for tags in (None, {}, {"a": "1"}, {"a": ""}, {"a": 1}, {"a": None}, {"a": "1", "z": "2"}, {"z": "2"}):
    attempt(f"tags {tags!r}", tagged.set, 1, tags)

# == metrics_warnings ==
import warnings
from ray.util.metrics import Counter, Gauge

for name in ("1a", "a-b", "a b", "a:b", "_a", "ok_1", "a."):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        metric = Gauge(name)
        metric.set(1)
    show(name, [(w.category.__name__, str(w.message)) for w in caught])
attempt("discarded, still checked", Counter("1a").inc, 0)

# == metrics_everywhere ==
# A metric travels with a task and an actor, and records there.
from ray.util.metrics import Counter, Gauge

start()
counter = Counter("c", "d", ("k",))

@ray.remote
def f():
    counter.inc(2, tags={"k": "task"})
    return counter.info

@ray.remote
class A:
    def __init__(self, gauge):
        self.gauge = gauge

    def go(self, value):
        self.gauge.set(value)
        return self.gauge.info

show("task", ray.get(f.remote()))
show("actor", ray.get(A.remote(Gauge("g")).go.remote(3)))
ray.shutdown()
attempt("after shutdown", counter.inc, 1, {"k": "late"})
