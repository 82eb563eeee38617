start()

# == as_completed ==
from ray.util import as_completed

@ray.remote
def f(x):
    return x

show("values", sorted(as_completed([f.remote(i) for i in range(8)])))
show("chunks", sorted(as_completed([f.remote(i) for i in range(8)], chunk_size=3)))
refs = [f.remote(i) for i in range(3)]
show("references", {r.hex() for r in as_completed(refs, yield_obj_refs=True)} == {r.hex() for r in refs})
attempt("wrong", lambda: list(as_completed(refs, chunk_size=0)))
attempt("empty", lambda: list(as_completed([])))

# == map_unordered ==
from ray.util import map_unordered

@ray.remote
def f(x):
    return x * x

show("values", sorted(map_unordered(f, range(8))))
show("small window", sorted(map_unordered(f, range(8), backpressure_size=2, chunk_size=1)))
attempt("wrong", lambda: list(map_unordered(f, range(8), backpressure_size=1, chunk_size=2)))
show("empty", list(map_unordered(f, [])))

# == register_serializer ==
import threading

class Locked:
    def __init__(self, x):
        self.x, self.lock = x, threading.Lock()

kind("before", ray.put, Locked(1))
ray.util.register_serializer(Locked, serializer=lambda l: l.x, deserializer=lambda x: Locked(x))
show("after", ray.get(ray.put(Locked(5))).x)

@ray.remote
def f(l):
    return l.x, type(l.lock).__name__

show("in a task", ray.get(f.remote(Locked(6))))
ray.util.deregister_serializer(Locked)
kind("taken back", ray.put, Locked(1))
attempt("twice", ray.util.deregister_serializer, Locked)

# == inspect_serializability ==
import io, threading
lock = threading.Lock()

class Holder:
    def __init__(self):
        self.lock, self.fine = lock, 1

def f():
    return lock

text = io.StringIO()
good, failures = ray.util.inspect_serializability(1, print_file=text)
show("fine", good, failures)
good, failures = ray.util.inspect_serializability(f, name="f", print_file=text)
show("closure", good, sorted((x.path, type(x.obj).__name__) for x in failures))
good, failures = ray.util.inspect_serializability(Holder(), name="holder", print_file=text)
show("attribute", good, sorted((x.path, type(x.obj).__name__, type(x.parent).__name__) for x in failures))
show("printed", "Checking Serializability of" in text.getvalue())

# == metrics ==
from ray.util.metrics import Counter, Gauge, Histogram
counter = Counter("requests", description="how many", tag_keys=("route",))
show("info", counter.info)
attempt("inc", counter.inc, 1, tags={"route": "a"})
attempt("missing tag", counter.inc, 1)
attempt("unknown tag", counter.inc, 1, {"nothing": "a"})
attempt("zero", counter.inc, 0, {"route": "a"})
attempt("negative", counter.inc, -1, {"route": "a"})
attempt("text", counter.inc, "1", {"route": "a"})
attempt("default", counter.set_default_tags, {"route": "b"})
attempt("then", counter.inc)
attempt("wrong default", counter.set_default_tags, {"nothing": "b"})
gauge = Gauge("temperature", tag_keys=())
attempt("set", gauge.set, 3.5)
attempt("set text", gauge.set, "hot")
histogram = Histogram("latency", boundaries=[0.1, 1])
attempt("observe", histogram.observe, 0.5)
show("info", histogram.info)
attempt("empty name", Counter, "")
attempt("bad tags", Counter, "x", tag_keys="route")
attempt("bad tag", Counter, "x", tag_keys=(1,))
attempt("no boundaries", Histogram, "x")
attempt("bad boundaries", Histogram, "x", boundaries=[-1])

# == log_once ==
from ray.util import log_once
show("first", log_once("key"), log_once("key"), log_once("other"))

# == node_addresses ==
attempt("ip", lambda: type(ray.util.get_node_ip_address()).__name__)

# == tqdm ==
from ray.experimental import tqdm_ray
import io, contextlib
with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
    bar = tqdm_ray.tqdm(total=3, desc="bar")
    bar.update(1)
    bar.set_description("other")
    items = list(tqdm_ray.tqdm(range(3)))
    bar.close()
show("items", items)
show("names", [n for n in ("update", "close", "set_description", "refresh") if hasattr(bar, n)])

# == internal_kv ==
from ray.experimental import internal_kv as kv
show("initialized", kv._internal_kv_initialized())
show("put", kv._internal_kv_put("key", "value"), kv._internal_kv_put(b"key", b"other", overwrite=False))
show("get", kv._internal_kv_get("key"), kv._internal_kv_exists("key"), kv._internal_kv_get("nothing"))
show("overwrite", kv._internal_kv_put("key", "new"), kv._internal_kv_get(b"key"))
kv._internal_kv_put("key2", "x")
show("list", sorted(kv._internal_kv_list("key")))
show("delete", kv._internal_kv_del("key"), kv._internal_kv_exists("key"))
show("namespace", kv._internal_kv_put("k", "v", namespace="n"), kv._internal_kv_get("k"), kv._internal_kv_get("k", namespace="n"))

# == actor_group ==
from ray.util.actor_group import ActorGroup

class A:
    def __init__(self, x=0):
        self.x = x

    def get(self):
        return self.x

group = ActorGroup(A, num_actors=2, init_args=(4,))
show("all", [ray.get(r) for r in group.get.remote()] if hasattr(group.get, "remote") else None)
show("length", len(group))
show("shutdown", group.shutdown())

# == parallel_iterators ==
attempt("import", lambda: __import__("ray.util.iter").__name__)

# == dag_of_functions ==
@ray.remote
def add(x, y):
    return x + y

@ray.remote
def double(x):
    return 2 * x

node = add.bind(double.bind(1), double.bind(2))
show("type", type(node).__name__)
show("value", ray.get(node.execute()))
show("again", ray.get(node.execute()))

# == dag_with_input ==
from ray.dag import InputNode, MultiOutputNode

@ray.remote
def add(x, y):
    return x + y

with InputNode() as x:
    node = add.bind(x, 10)
show("value", ray.get(node.execute(5)))
with InputNode() as x:
    both = MultiOutputNode([add.bind(x, 1), add.bind(x, 2)])
show("both", ray.get(both.execute(5)))
with InputNode() as x:
    keyed = add.bind(x[0], x.y)
show("keyed", ray.get(keyed.execute(1, y=2)))

# == dag_of_actors ==
@ray.remote
class Counter:
    def __init__(self, n):
        self.n = n

    def add(self, k):
        self.n += k
        return self.n

counter = Counter.bind(10)
node = counter.add.bind(5)
show("types", type(counter).__name__, type(node).__name__)
show("value", ray.get(node.execute()))
handle = Counter.remote(1)
show("of a handle", ray.get(handle.add.bind(2).execute()))

# == object_locations ==
from ray.experimental import get_object_locations
ref = ray.put(b"x" * 1_000_000)
answer = get_object_locations([ref])
show("keys", sorted(answer[ref]))
show("nodes", len(answer[ref]["node_ids"]))

# == placement_group_errors ==
from ray.util import placement_group
attempt("no list", placement_group, 3)
attempt("empty", placement_group, [])
attempt("no dict", placement_group, [1])
attempt("empty bundle", placement_group, [{}])
attempt("zero", placement_group, [{"CPU": 0}])
attempt("strategy", placement_group, [{"CPU": 1}], strategy="NEAR")
attempt("lifetime", placement_group, [{"CPU": 1}], lifetime="long")
attempt("unknown group", ray.util.get_placement_group, "nothing")
attempt("empty name", ray.util.get_placement_group, "")
attempt("current", ray.util.get_current_placement_group)

# == accelerators ==
from ray.util.accelerators import accelerators
show("names", {n: getattr(accelerators, n) for n in sorted(dir(accelerators)) if n.isupper()})

# == dask ==
import dask
from ray.util.dask import ray_dask_get, enable_dask_on_ray, disable_dask_on_ray

@dask.delayed
def inc(x):
    return x + 1

@dask.delayed
def total(xs):
    return sum(xs)

graph = total([inc(i) for i in range(5)])
show("value", graph.compute(scheduler=ray_dask_get))
with enable_dask_on_ray():
    show("enabled", graph.compute())

# == set_resource ==
from ray.experimental import set_resource
kind("deprecated", set_resource, "x", 1)

# == dask_get ==
from ray.util.dask import ray_dask_get

def inc(x):
    return x + 1

def add(x, y):
    return x + y

graph = {"a": 1, "b": (inc, "a"), "c": (add, "a", "b"), "d": (sum, ["a", "b", "c"])}
show("one", ray_dask_get(graph, "d"))
show("some", list(ray_dask_get(graph, ["b", "c"])))

def fail(x):
    raise ValueError("in a graph")

attempt("error", ray_dask_get, {"a": (fail, 1), "b": (inc, "a")}, "b")

# == dask_callbacks ==
from ray.util.dask import RayDaskCallback, ray_dask_get
seen = []

class Mine(RayDaskCallback):
    def _ray_presubmit(self, task, key, deps):
        seen.append(f"presubmit {key}")

    def _ray_postsubmit(self, task, key, deps, object_ref):
        seen.append(f"postsubmit {key} {type(object_ref).__name__}")

    def _ray_finish(self, result):
        seen.append("finish")

def inc(x):
    return x + 1

with Mine():
    value = ray_dask_get({"a": (inc, 1)}, "a")
show("value", value)
show("seen", seen)
ray_dask_get({"b": (inc, 1)}, "b")
show("later", len(seen))

# == dask_enabled ==
import dask
from ray.util.dask import enable_dask_on_ray, disable_dask_on_ray, ray_dask_get

@dask.delayed
def inc(x):
    return x + 1

with enable_dask_on_ray():
    show("in", dask.config.get("scheduler", None) is not None, dask.compute(inc(1), inc(inc(1))))
show("after", dask.config.get("scheduler", None))
enable_dask_on_ray()
show("set", inc(5).compute())
disable_dask_on_ray()
show("reset", dask.config.get("scheduler", None))

# == dask_persist ==
import dask
from ray.util.dask import ray_dask_get

@dask.delayed
def inc(x):
    return x + 1

(kept,) = dask.persist(inc(inc(1)), scheduler=ray_dask_get, ray_persist=True)
show("references", [type(v).__name__ for v in kept.dask.values()])
show("computed", kept.compute(scheduler=ray_dask_get))

# == dag_of_several_outputs ==
from ray.dag import InputNode, MultiOutputNode

@ray.remote
def add(x, y):
    return x + y

with InputNode() as given:
    out = MultiOutputNode([add.bind(given[0], 1), add.bind(given.name, given[0])])
show("outputs", ray.get(out.execute(10, name=5)))

# == dag_runs_again ==
count = Count()

@ray.remote
def f():
    return count.add()

@ray.remote
def g(x, y):
    return x, y

node = f.bind()
both = g.bind(node, node)
show("once for two uses", ray.get(both.execute()), count.value())
show("again", ray.get(both.execute()), count.value())

# == logging_config ==
import warnings
warnings.simplefilter("ignore")
for options in ({}, {"encoding": "JSON"}, {"log_level": "DEBUG"}, {"additional_log_standard_attrs": ["name"]}):
    config = ray.LoggingConfig(**options)
    show("config", config.encoding, config.log_level, config.additional_log_standard_attrs)
attempt("encoding", lambda: ray.LoggingConfig(encoding="XML"))
kind("attribute", lambda: ray.LoggingConfig(additional_log_standard_attrs=["nothing"]))
kind("unknown", lambda: ray.LoggingConfig(nothing=1))

# == list_named_actors ==
from ray.util import list_named_actors

@ray.remote
class A:
    pass

actors = [A.options(name="one").remote(), A.options(name="two", namespace="elsewhere").remote(), A.remote()]
ray.get([a.__ray_ready__.remote() for a in actors])
show("here", list_named_actors())
everywhere = list_named_actors(all_namespaces=True)
show("everywhere", sorted(d["name"] for d in everywhere), {d["name"]: d["namespace"] for d in everywhere}["two"])

# == old_modules ==
import ray._private.worker, ray._private.utils
show("worker", callable(ray._private.worker.global_worker.check_connected), ray._private.worker.global_worker.connected)
show("mode", ray._private.worker.global_worker.mode == ray.SCRIPT_MODE)
show("current", type(ray._private.worker.global_worker.current_job_id).__name__)
