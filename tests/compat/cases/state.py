start(include_dashboard=True)

# == tasks ==
from ray.util.state import list_tasks

@ray.remote
def good():
    return 1

@ray.remote
def bad():
    raise ValueError("v")

ray.wait([good.remote(), bad.remote()], num_returns=2)

def ended():
    tasks = list_tasks()
    return len(tasks) == 2 and all(t.state in ("FINISHED", "FAILED") for t in tasks) and tasks

tasks = sorted(until(ended), key=lambda t: t.name)
show("tasks", [(t.name, t.state, t.type, t.func_or_class_name) for t in tasks])
show("class", type(tasks[0]).__name__)
show("like a dict", tasks[0]["name"], tasks[0].get("state"))
show("keys", sorted(vars(tasks[0])))

# == filters ==
from ray.util.state import list_tasks

@ray.remote
def f():
    return 1

@ray.remote
def g():
    return 1

ray.get([f.remote(), f.remote(), g.remote()])
until(lambda: len(list_tasks(filters=[("state", "=", "FINISHED")])) == 3)
show("name", len(list_tasks(filters=[("name", "=", "f")])))
show("not", len(list_tasks(filters=[("name", "!=", "f")])))
show("two", len(list_tasks(filters=[("name", "=", "f"), ("state", "=", "FINISHED")])))
show("limit", len(list_tasks(limit=1)))
for label, filters in (("predicate", [("name", "<", "f")]), ("form", ["name"])):
    try:
        show("wrong", label, list_tasks(filters=filters))
    except ValueError:
        show("refused", label)
kind("limit", list_tasks, limit=100_000)

# == actors ==
from ray.util.state import list_actors, get_actor

@ray.remote
class A:
    def m(self):
        return 1

a, b = A.options(name="fred").remote(), A.remote()
ray.get([a.m.remote(), b.m.remote()])
actors = sorted(until(lambda: len(list_actors(filters=[("state", "=", "ALIVE")])) == 2 and list_actors()), key=lambda x: x.name)
show("actors", [(x.class_name, x.state, x.name) for x in actors])
show("keys", sorted(vars(actors[0])))
one = get_actor(a._actor_id.hex())
show("one", one.name, one.state, type(one).__name__)
ray.kill(a)
show("dead", until(lambda: get_actor(a._actor_id.hex()).state == "DEAD"))

# == nodes ==
from ray.util.state import list_nodes, get_node
(node,) = list_nodes()
show("node", node.state, node.is_head_node, node.resources_total["CPU"])
show("keys", sorted(vars(node)))
show("id", node.node_id == ray.get_runtime_context().get_node_id())

# == jobs_and_workers ==
from ray.util.state import list_jobs, list_workers
ray.get(ray.remote(lambda: 1).remote())
(job,) = list_jobs()
show("job", job.status == "RUNNING", job.type == "DRIVER")
workers = list_workers()
show("types", sorted({w.worker_type for w in workers}))
show("keys", sorted(vars(workers[0])))

# == objects ==
from ray.util.state import list_objects
ref = ray.put(b"x" * 200_000)
objects = until(lambda: list_objects(filters=[("object_id", "=", ref.hex())]))
show("object", [o.object_size > 200_000 for o in objects], objects[0].type, objects[0].reference_type)
show("keys", sorted(vars(objects[0])))

# == summaries ==
from ray.util.state import summarize_tasks, summarize_actors, summarize_objects

@ray.remote
def f():
    return 1

ray.get([f.remote() for _ in range(3)])
def done():
    summary = summarize_tasks()
    node = summary["cluster"]["summary"].get("f")
    return node and node["state_counts"].get("FINISHED") == 3 and summary

summary = until(done)
show("keys", sorted(summary), sorted(summary["cluster"]))
show("f", summary["cluster"]["summary"]["f"])
show("actors", sorted(summarize_actors()["cluster"]))
show("objects", sorted(summarize_objects()["cluster"]))

# == get_of_nothing ==
from ray.util.state import get_task, get_actor, get_node, list_placement_groups, list_runtime_envs
show("task", get_task("0" * 48))
show("actor", get_actor("0" * 32))
show("node", get_node("0" * 56))
show("groups", list_placement_groups())

# == get_task_by_reference ==
from ray.util.state import get_task

@ray.remote
def f():
    return 1

ref = f.remote()
ray.get(ref)
task = until(lambda: get_task(ref.task_id().hex()))
show("task", task.name, task.task_id == ref.task_id().hex(), task.attempt_number)

# == timeline_events ==
@ray.remote
def f():
    return 1

ray.get([f.remote() for _ in range(3)])
events = until(lambda: (lambda e: e if any(x.get("cat") == "task:execute" or x.get("cat") == "task::f" for x in e) else None)(ray.timeline()))
show("phases", sorted({e["ph"] for e in events} & {"X", "M"}))
show("categories", sorted({e["cat"] for e in events if "cat" in e and e["cat"].startswith("task")}))
show("keys", sorted(next(e for e in events if e["ph"] == "X")))
