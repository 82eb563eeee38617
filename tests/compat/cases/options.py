# Tables: what each option accepts, by the decorator, by .options(), and when it is used.
def f():
    return 1

class A:
    def m(self):
        return 1

VALUES = [None, True, 0, 1, 2, -1, -2, 0.5, 1.5, "", "x", [], {}, (1,), ValueError]

def said(make):
    try:
        make()
    except Exception as error:
        return f"{type(error).__name__}: {first_line(error)}"
    return "fine"

def table(names, make):
    for name in names:
        answers = {}
        for value in VALUES:
            answers.setdefault(said(lambda: make(**{name: value})), []).append(value)
        for answer, values in answers.items():
            show(f"{name} {answer}", *values)

# == task_numbers ==
table(["num_cpus", "num_gpus", "memory", "max_calls", "max_retries", "object_store_memory"], lambda **o: ray.remote(**o)(f))

# == task_words ==
table(["name", "accelerator_type", "runtime_env", "resources", "retry_exceptions"], lambda **o: ray.remote(**o)(f))

# == task_returns ==
table(["num_returns", "_generator_backpressure_num_objects", "enable_task_events", "_labels"], lambda **o: ray.remote(**o)(f))

# == task_places ==
import warnings
warnings.simplefilter("ignore")
table(
    ["scheduling_strategy", "placement_group_bundle_index", "placement_group_capture_child_tasks"],
    lambda **o: ray.remote(**o)(f),
)

# == task_labels ==
VALUES = [{"k": "v"}, {"k": "!v"}, {"k": "in(a,b)"}, {"k": "!in(a)"}, {"k": 1}, {"k": ""}, "k", None]
table(["label_selector"], lambda **o: ray.remote(**o)(f))
VALUES = [[{"label_selector": {"k": "v"}}], [{}], [], {"label_selector": {"k": "v"}}, [1]]
table(["fallback_strategy"], lambda **o: ray.remote(**o)(f))

# == label_selectors ==
start(labels={"zone": "east", "tier": "gold"})
for selector in ({"zone": "east"}, {"zone": "in(west,east)"}, {"zone": "!west"}, {"nothing": "!x"}, {"zone": "!in(west)", "tier": "gold"}):
    show("fits", selector, ray.get(ray.remote(f).options(label_selector=selector).remote(), timeout=60))
waiting = [
    ray.remote(f).options(label_selector=selector).remote()
    for selector in ({"zone": "west"}, {"zone": "!east"}, {"nothing": "x"}, {"zone": "east", "tier": "tin"})
]
show("waiting", len(ray.wait(waiting, timeout=2)[0]))
fallback = [{"label_selector": {"zone": "north"}}, {"label_selector": {"zone": "east"}}]
show("fallback", ray.get(ray.remote(f).options(label_selector={"zone": "west"}, fallback_strategy=fallback).remote(), timeout=60))
show("actor", ray.get(ray.remote(A).options(label_selector={"tier": "gold"}).remote().m.remote(), timeout=60))

# == task_unknown ==
for name in ("cpus", "max_restarts", "max_concurrency", "lifetime", "namespace", "get_if_exists", "num_return", "args"):
    show(name, said(lambda: ray.remote(**{name: 1})(f)))
    show("  options", said(lambda: ray.remote(f).options(**{name: 1})))

# == task_options_numbers ==
table(["num_cpus", "num_gpus", "memory", "max_calls", "max_retries"], lambda **o: ray.remote(f).options(**o))

# == task_options_words ==
table(["name", "resources", "retry_exceptions", "num_returns", "runtime_env"], lambda **o: ray.remote(f).options(**o))

# == actor_numbers ==
table(["num_cpus", "num_gpus", "memory", "max_task_retries"], lambda **o: ray.remote(**o)(A))
VALUES = VALUES[1:]  # None fails in Ray, by accident
table(["max_restarts"], lambda **o: ray.remote(**o)(A))

# == actor_limits ==
table(["max_concurrency", "max_pending_calls", "concurrency_groups", "_actor_generator_backpressure_num_objects"], lambda **o: ray.remote(**o)(A))

# == actor_words ==
table(["name", "namespace", "lifetime", "get_if_exists", "allow_out_of_order_execution"], lambda **o: ray.remote(**o)(A))

# == actor_unknown ==
for name in ("cpus", "max_retries", "max_calls", "num_returns", "retry_exceptions", "daemon"):
    show(name, said(lambda: ray.remote(**{name: 1})(A)))
    show("  options", said(lambda: ray.remote(A).options(**{name: 1})))

# == actor_options_numbers ==
table(["num_cpus", "num_gpus", "max_restarts", "max_task_retries", "max_concurrency"], lambda **o: ray.remote(A).options(**o))

# == actor_options_words ==
table(["name", "namespace", "lifetime", "get_if_exists", "resources"], lambda **o: ray.remote(A).options(**o))

# == resources ==
VALUES = [
    {"CPU": 1}, {"GPU": 1}, {"memory": 1}, {"object_store_memory": 1}, {"x": 1}, {"x": 0.5}, {"x": 1.5}, {"x": -1},
    {"x": "1"}, {"x": None}, {"x": 0}, {"x": 0.00001}, {"x": 0.0001}, {1: 1}, {"": 1}, {"TPU": 1.5}, {"x": True},
]
table(["resources"], lambda **o: ray.remote(**o)(f))

# == precision ==
VALUES = [0.0001, 0.00001, 0.12345, 0.1234, 1.00001, 1e-9, float("nan"), float("inf"), 1e9]
table(["num_cpus", "num_gpus", "memory"], lambda **o: ray.remote(**o)(f))

# == method_options ==
def decorated(**options):
    class B:
        @ray.method(**options)
        def m(self):
            return 1
    return ray.remote(B)

VALUES = [None, 0, 1, 2, -1]
table(["num_returns"], decorated)
VALUES = [None, 0, 1, -1]
table(["max_task_retries"], decorated)
VALUES = [None, True, False, [ValueError]]
table(["retry_exceptions"], decorated)
VALUES = [None, "x"]
table(["concurrency_group"], decorated)
VALUES = [1]
table(["num_cpus", "name", "max_retries", "nothing"], decorated)

# == call_options ==
start()
a = ray.remote(A).remote()
for options in (
    {"num_returns": 1}, {"name": "n"}, {"num_cpus": 1}, {"nothing": 1},
    {"max_task_retries": 2}, {"retry_exceptions": True}, {"enable_task_events": False}, {"num_returns": -1},
):
    show(f"{options}", said(lambda: a.m.options(**options).remote()))

# == together ==
for options in (
    {"num_cpus": 1, "num_gpus": 0}, {"placement_group": None, "scheduling_strategy": "SPREAD"},
    {"max_retries": 0, "retry_exceptions": True}, {"num_returns": 2, "max_calls": 1},
):
    show(f"task {options}", said(lambda: ray.remote(**options)(f)))
for options in (
    {"lifetime": "detached"}, {"get_if_exists": True}, {"get_if_exists": True, "name": "x"}, {"max_restarts": 1, "max_task_retries": -1},
    {"name": "x", "namespace": "y"}, {"max_concurrency": 2, "allow_out_of_order_execution": False},
):
    show(f"actor {options}", said(lambda: ray.remote(**options)(A)))

# == wrong_values_at_the_call ==
start()
for options in ({"scheduling_strategy": "x"}, {"scheduling_strategy": "SPREAD"}, {"scheduling_strategy": "DEFAULT"}):
    show(f"task {options}", said(lambda: ray.get(ray.remote(f).options(**options).remote())))
    show(f"actor {options}", said(lambda: ray.get(ray.remote(A).options(**options).remote().m.remote())))
for options in ({"name": ""}, {"namespace": ""}):
    show(f"actor {options}", said(lambda: ray.remote(A).options(**options).remote()))

# == decorator_forms ==
show("plain", type(ray.remote(f)).__name__, type(ray.remote(A)).__name__)
show("options", type(ray.remote(num_cpus=1)(f)).__name__, type(ray.remote(num_cpus=1)(A)).__name__)
show("empty", said(lambda: ray.remote()(f)))
show("twice", said(lambda: ray.remote(ray.remote(f))))
show("actor twice", said(lambda: ray.remote(ray.remote(A))))
show("function first", said(lambda: ray.remote(f, num_cpus=1)))
show("number first", said(lambda: ray.remote(2)(f)))

# == options_keep_the_rest ==
start()

@ray.remote(num_returns=2, num_cpus=1)
def two():
    return 1, 2

show("kept", ray.get(two.options(name="n").remote()))
show("original", ray.get(two.remote()))

# == strategies ==
from ray.util.scheduling_strategies import *
from ray.util.scheduling_strategies import In, NotIn, Exists, DoesNotExist
start()
node = ray.get_runtime_context().get_node_id()
show("affinity", said(lambda: NodeAffinitySchedulingStrategy(node, soft=False)))
show("bad hex", said(lambda: ray.get(ray.remote(f).options(scheduling_strategy=NodeAffinitySchedulingStrategy("zz", soft=False)).remote())))
show("no soft", said(lambda: NodeAffinitySchedulingStrategy(node)))
show("run", ray.get(ray.remote(f).options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote()))
show("actor", ray.get(ray.remote(A).options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True)).remote().m.remote()))
show("soft elsewhere", ray.get(ray.remote(f).options(scheduling_strategy=NodeAffinitySchedulingStrategy("ab" * 28, soft=True)).remote()))
show("labels", said(lambda: NodeLabelSchedulingStrategy(hard={"k": In("v")})))
show("empty labels", said(lambda: NodeLabelSchedulingStrategy({})))
show("wrong labels", said(lambda: NodeLabelSchedulingStrategy({"k": "v"})))
show("wrong soft", said(lambda: NodeLabelSchedulingStrategy({"k": In("v")}, soft={"k": 1})))
show("values", said(lambda: In(1)), said(lambda: NotIn("a", "b")), said(lambda: Exists()), said(lambda: DoesNotExist()))

# == environment_variables_of_tasks ==
import os
start()
show("threads", ray.get(ray.remote(lambda: os.environ.get("OMP_NUM_THREADS")).remote()))
show("two", ray.get(ray.remote(num_cpus=2)(lambda: os.environ.get("OMP_NUM_THREADS")).remote()))
show("cuda", ray.get(ray.remote(lambda: os.environ.get("CUDA_VISIBLE_DEVICES")).remote()))
