# == init_twice ==
start()
attempt("again", ray.init)
show("still there", ray.is_initialized())
context = ray.init(ignore_reinit_error=True)
show("type", type(context).__name__)
show("same node", context["node_id"] == ray.get_runtime_context().get_node_id())
ray.shutdown()
show("after", ray.is_initialized())

# == not_initialized ==
# What raises, and how, before there is a session.
show("initialized", ray.is_initialized())
attempt("nodes", ray.nodes)
attempt("cluster_resources", ray.cluster_resources)
attempt("available_resources", ray.available_resources)
attempt("timeline", ray.timeline)
attempt("shutdown", ray.shutdown)
attempt("shutdown again", ray.shutdown)
show("initialized", ray.is_initialized())

# == after_shutdown ==
start()
ref = ray.put(1)
ray.shutdown()
attempt("cluster_resources", ray.cluster_resources)
attempt("nodes", ray.nodes)
show("initialized", ray.is_initialized())
start()
show("anew", ray.get(ray.put(2)))

# == no_auto_init ==
# RAY_ENABLE_AUTO_CONNECT=0 forbids to start a session unasked.
# env: RAY_ENABLE_AUTO_CONNECT=0
kind("put", ray.put, 1)
kind("get_actor", ray.get_actor, "x")

@ray.remote
def f():
    return 1

kind("remote", f.remote)
attempt("put", ray.put, 1)
show("initialized", ray.is_initialized())

# == auto_init_of_remote ==
@ray.remote
def f():
    return ray.is_initialized()

show("before", ray.is_initialized())
show("in the task", ray.get(f.remote()))
show("after", ray.is_initialized())

# == auto_init_of_put ==
show("value", ray.get(ray.put([1, 2])))
show("initialized", ray.is_initialized())

# == auto_init_of_context ==
context = ray.get_runtime_context()
show("initialized", ray.is_initialized())
show("job", context.get_job_id())

# == unknown_keyword ==
attempt("one", ray.init, no_such_option=1)
attempt("two", ray.init, first=1, second=2)
show("initialized", ray.is_initialized())

# == removed_keywords ==
attempt("local_mode", ray.init, local_mode=True)
attempt("storage", ray.init, storage="/tmp/x")
attempt("allow_multiple", ray.init, allow_multiple=True)
attempt("system config", ray.init, _system_config=3)
show("initialized", ray.is_initialized())

# == no_cluster_to_find ==
attempt("auto", ray.init, address="auto")
show("initialized", ray.is_initialized())

# == no_cluster_to_find_by_variable ==
# env: RAY_ADDRESS=auto
attempt("init", ray.init)
show("initialized", ray.is_initialized())

# == address_local ==
# env: RAY_ADDRESS=127.0.0.1:1
start(address="local")
show("resources", ray.cluster_resources()["CPU"])

# == wrong_resources ==
def beginning(label, **options):
    try:
        start(**options)
    except Exception as error:
        show(label, type(error).__name__, str(error).split(" in {")[0].split(" -> ")[-1].split(" because")[0])

beginning("negative", num_cpus=-1)
beginning("fraction", num_cpus=0.5)
beginning("custom", resources={"a": 1.5})
beginning("negative custom", resources={"a": -1})
beginning("CPU among custom", resources={"CPU": 2})
beginning("GPU among custom", resources={"GPU": 2})
beginning("memory among custom", resources={"memory": 2})
show("initialized", ray.is_initialized())

# == wrong_namespace ==
kind("number", start, namespace=3)
show("initialized", ray.is_initialized())

# == empty_namespace ==
attempt("empty", start, namespace="")
show("initialized", ray.is_initialized())

# == named_namespace ==
start(namespace="spaces")
show("driver", ray.get_runtime_context().namespace)

@ray.remote
def f():
    return ray.get_runtime_context().namespace

show("task", ray.get(f.remote()))

# == anonymous_namespace ==
start()
first = ray.get_runtime_context().namespace
show("length", len(first), first.count("-"))
ray.shutdown()
start()
show("another", first != ray.get_runtime_context().namespace)

# == context_is_a_mapping ==
from collections.abc import Mapping
context = start()
show("mapping", isinstance(context, Mapping))
show("keys", sorted(context))
show("length", len(context) == len(list(context.keys())))
show("in", "node_id" in context, "nothing" in context)
show("get", context.get("nothing"), context.get("nothing", 3))
attempt("missing", lambda: context["nothing"])
show("info", context.address_info["node_id"] == context["node_id"])
show("types", type(context["node_id"]).__name__, len(context["node_id"]))
show("session_dir", type(context["session_dir"]).__name__)

# == context_attributes ==
import sys
context = start()
show("python", context.python_version == ".".join(map(str, sys.version_info[:3])))
show("ray", context.ray_version)
show("dashboard", context.dashboard_url)
show("commit", type(context.ray_commit).__name__)
show("public", sorted(n for n in dir(context) if not n.startswith("_")))
attempt("nothing", lambda: context.nothing)

# == context_manager ==
with start() as context:
    show("inside", ray.is_initialized(), type(context).__name__)
show("outside", ray.is_initialized())
try:
    with start():
        raise KeyError("through")
except KeyError as error:
    show("raised", error)
show("outside", ray.is_initialized())

# == context_disconnect ==
context = start()
context.disconnect()
show("after", ray.is_initialized())
context.disconnect()
show("twice", ray.is_initialized())

# == cluster_resources ==
start(num_cpus=3, resources={"apple": 4, "pear": 2.0})
total = ray.cluster_resources()
show("known", {name: total[name] for name in ("CPU", "apple", "pear")})
show("types", sorted({type(v).__name__ for v in total.values()}))
show("GPU", "GPU" in total)
show("memory", total["memory"] > 0, total["object_store_memory"] > 0)
show("node", [v for name, v in total.items() if name.startswith("node:")])
show("head", total.get("node:__internal_head__"))

# == available_resources_without_the_exhausted ==
start(num_cpus=1, resources={"apple": 1})

@ray.remote(num_cpus=1, resources={"apple": 1})
class Holder:
    def ping(self):
        return "pong"

holder = Holder.remote()
ray.get(holder.ping.remote())
until(lambda: "apple" not in ray.available_resources())
have = ray.available_resources()
show("taken", "apple" in have, "CPU" in have)
ray.kill(holder)
show("returned", until(lambda: ray.available_resources().get("apple")))

# == nodes ==
start(resources={"apple": 4})
(node,) = ray.nodes()
show("keys", sorted(node))
show("types", {name: type(node[name]).__name__ for name in sorted(node)})
show("alive", node["Alive"], node["alive"])
show("id", node["NodeID"] == ray.get_runtime_context().get_node_id(), len(node["NodeID"]))
show("resources", node["Resources"]["CPU"], node["Resources"]["apple"])
show("same", node["Resources"] == ray.cluster_resources())

# == node_labels ==
start(labels={"zone": "east"})
(node,) = ray.nodes()
show("own", node["Labels"].get("zone"))
show("node id", node["Labels"]["ray.io/node-id"] == node["NodeID"])
show("context", ray.get_runtime_context().get_node_labels().get("zone"))

# == wrong_labels ==
for value in ("zone", {"zone": 3}):
    try:
        start(labels=value)
    except Exception as error:
        show("refused", value, ray.is_initialized())
kind("reserved", start, labels={"ray.io/zone": "x"})

# == shutdown_arguments ==
start()
attempt("wait", ray.shutdown, wait_for_processes=True)
attempt("positional", ray.shutdown, True)
attempt("unknown", ray.shutdown, force=True)

# == version ==
show("version", ray.__version__)
show("modes", ray.SCRIPT_MODE, ray.WORKER_MODE)
show("commit", type(ray.__commit__).__name__)

# == session_after_session ==
values = []
for i in range(3):
    start()
    values.append(ray.get(ray.remote(lambda x: x * 2).remote(i)))
    ray.shutdown()
show("values", values)

# == references_of_an_earlier_session ==
start()
ref = ray.put(1)
ray.shutdown()
start()
show("the ref", type(ref).__name__, len(ref.hex()))
kind("get", ray.get, ref, timeout=2)

# == init_in_a_worker ==
start()

@ray.remote
def f():
    try:
        ray.init()
    except RuntimeError as error:
        return str(error)[:40]
    return "no error"

@ray.remote
def g():
    return type(ray.init(ignore_reinit_error=True)).__name__

show("init", ray.get(f.remote()))
show("ignored", ray.get(g.remote()))

# == initialized_in_workers ==
start()

@ray.remote
class A:
    def look(self):
        return ray.is_initialized()

show("task", ray.get(ray.remote(lambda: ray.is_initialized()).remote()))
show("actor", ray.get(A.remote().look.remote()))

# == object_store_memory ==
start(object_store_memory=100 * 1024 * 1024)
show("bytes", ray.cluster_resources()["object_store_memory"])

# == object_store_memory_too_small ==
attempt("little", start, object_store_memory=1000)
kind("negative", start, object_store_memory=-5)

# == sigterm ==
# SIGTERM ends the driver by SystemExit, so that finally clauses run.
import os, signal
start()
try:
    os.kill(os.getpid(), signal.SIGTERM)
    until(lambda: False, 10)
except SystemExit as error:
    show("exit", error.code)
    os._exit(0)

# == init_positional ==
attempt("two", ray.init, None, 2)

# == timeline_is_a_list ==
start()
ray.get([ray.remote(lambda: 1).remote() for _ in range(3)])
kind("timeline", ray.timeline)
attempt("to a file", ray.timeline, "events.json")
import json
show("file", type(json.load(open("events.json"))).__name__)

# == job_config ==
from ray.job_config import JobConfig
start(job_config=JobConfig(ray_namespace="jobs", default_actor_lifetime="detached"))
show("namespace", ray.get_runtime_context().namespace)

@ray.remote
class A:
    def m(self):
        return "alive"

A.options(name="fred").remote()
import gc
gc.collect()
show("detached", ray.get(ray.get_actor("fred").m.remote()))

# == job_config_of_the_environment ==
# env: RAY_JOB_CONFIG_JSON_ENV_VAR={"metadata": {"a": "b"}}
start()
show("runs", ray.get(ray.remote(lambda: 1).remote()))
