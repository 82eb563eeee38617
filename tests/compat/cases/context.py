start(namespace="home")

# == driver ==
context = ray.get_runtime_context()
show("type", type(context).__name__)
show("job", context.get_job_id(), type(context.get_job_id()).__name__)
show("lengths", len(context.get_node_id()), len(context.get_worker_id()))
show("task", type(context.get_task_id()).__name__)
show("actor", context.get_actor_id(), context.get_actor_name())
show("name", context.get_task_name(), context.get_task_function_name())
show("namespace", context.namespace)
show("group", context.get_placement_group_id())
show("capture", context.should_capture_child_tasks_in_placement_group)

# == driver_resources ==
context = ray.get_runtime_context()
attempt("resources", context.get_assigned_resources)
attempt("accelerators", lambda: sorted(context.get_accelerator_ids().items()))
attempt("runtime_env", lambda: dict(context.runtime_env))
attempt("runtime_env_string", context.get_runtime_env_string)
attempt("current_actor", lambda: context.current_actor)
kind("reconstructed", lambda: context.was_current_actor_reconstructed)
attempt("is_canceled", context.is_canceled)

# == driver_get ==
values = ray.get_runtime_context().get()
show("keys", sorted(values))
show("types", {k: type(values[k]).__name__ for k in sorted(values)})

# == in_a_task ==
@ray.remote
def f():
    context = ray.get_runtime_context()
    return {
        "job": context.get_job_id(), "lengths": (len(context.get_node_id()), len(context.get_worker_id())),
        "task": len(context.get_task_id()), "name": context.get_task_name(),
        "function": context.get_task_function_name(), "actor": context.get_actor_id(),
        "actor name": context.get_actor_name(), "resources": context.get_assigned_resources(),
        "namespace": context.namespace, "group": context.get_placement_group_id(),
        "accelerators": sorted(context.get_accelerator_ids().items()), "cancelled": context.is_canceled(),
    }

for key, value in ray.get(f.remote()).items():
    show(key, value)

# == in_an_actor ==
@ray.remote
class A:
    def __init__(self):
        self.init = ray.get_runtime_context().get_task_name()

    def look(self):
        context = ray.get_runtime_context()
        return {
            "task": len(context.get_task_id()), "name": context.get_task_name(),
            "function": context.get_task_function_name(), "actor": len(context.get_actor_id()),
            "actor name": context.get_actor_name(), "resources": context.get_assigned_resources(),
            "namespace": context.namespace, "reconstructed": context.was_current_actor_reconstructed,
            "init": self.init, "current": type(context.current_actor).__name__,
            "cancelled": context.is_canceled(),
        }

a = A.options(name="fred").remote()
for key, value in ray.get(a.look.remote()).items():
    show(key, value)

# == names ==
@ray.remote
def f():
    return ray.get_runtime_context().get_task_name()

@ray.remote
class A:
    def m(self):
        return ray.get_runtime_context().get_task_name()

show("task", ray.get(f.options(name="mine").remote()))
show("lambda", ray.get(ray.remote(lambda: ray.get_runtime_context().get_task_name()).remote()))
a = A.remote()
show("method", ray.get(a.m.remote()), ray.get(a.m.options(name="other").remote()))

class Space:
    def inner():
        return ray.get_runtime_context().get_task_name(), ray.get_runtime_context().get_task_function_name()

show("nested", ray.get(ray.remote(Space.inner).remote()))

# == ids_of_references ==
@ray.remote
def f():
    return ray.get_runtime_context().get_task_id()

ref = f.remote()
show("task id", ray.get(ref) == ref.task_id().hex())

@ray.remote
class A:
    def m(self):
        return ray.get_runtime_context().get_task_id()

    def actor(self):
        return ray.get_runtime_context().get_actor_id()

a = A.remote()
ref = a.m.remote()
show("task id", ray.get(ref) == ref.task_id().hex())
show("actor id", ray.get(a.actor.remote()) == a._actor_id.hex())
show("job", ref.job_id().hex() == ray.get_runtime_context().get_job_id())

# == actor_in_the_task_id ==
# the id of an actor's task holds the actor's
@ray.remote
class A:
    def m(self):
        return ray.get_runtime_context().get_actor_id()

a = A.remote()
ref = a.m.remote()
show("the actor's", ray.get(ref) == a._actor_id.hex())
show("in the task's", ref.task_id().actor_id().hex() == a._actor_id.hex())

# == ids_are_shared ==
@ray.remote
def f():
    context = ray.get_runtime_context()
    return context.get_node_id(), context.get_job_id(), context.get_worker_id()

context = ray.get_runtime_context()
node, job, worker = ray.get(f.remote())
show("node", node == context.get_node_id())
show("job", job == context.get_job_id())
show("worker", worker == context.get_worker_id())

# == assigned_resources ==
@ray.remote
def f():
    return ray.get_runtime_context().get_assigned_resources()

@ray.remote
class A:
    def m(self):
        return ray.get_runtime_context().get_assigned_resources()

show("default", ray.get(f.remote()))
show("two", ray.get(f.options(num_cpus=2).remote()))
show("half", ray.get(f.options(num_cpus=0.5).remote()))
show("none", ray.get(f.options(num_cpus=0).remote()))
show("memory", ray.get(f.options(memory=1000).remote()))
show("actor", ray.get(A.remote().m.remote()))
show("actor with one", ray.get(A.options(num_cpus=1).remote().m.remote()))

# == runtime_context_class ==
from ray.runtime_context import RuntimeContext, get_runtime_context
show("same", isinstance(get_runtime_context(), RuntimeContext))
NAMES = """actor_id current_actor current_placement_group_id gcs_address get get_accelerator_ids get_actor_id
get_actor_name get_assigned_resources get_job_id get_node_id get_node_labels get_placement_group_id get_resource_ids
get_runtime_env_string get_session_name get_task_function_name get_task_id get_task_name get_temp_dir get_worker_id
is_canceled job_id namespace node_id runtime_env should_capture_child_tasks_in_placement_group task_id
was_current_actor_reconstructed""".split()
show("public", [n for n in NAMES if hasattr(RuntimeContext, n)])
show("methods", [n for n in NAMES if callable(getattr(RuntimeContext, n))])

# == session_names ==
context = ray.get_runtime_context()
show("session", context.get_session_name().startswith("session_") or context.get_session_name()[:8])
show("temp", type(context.get_temp_dir()).__name__)

# == gpu_ids ==
show("driver", ray.get_gpu_ids())
show("task", ray.get(ray.remote(lambda: ray.get_gpu_ids()).remote()))

# == old_names_of_ids ==
import warnings
warnings.simplefilter("ignore")
context = ray.get_runtime_context()
for name in ("job_id", "node_id", "task_id", "actor_id", "gcs_address"):
    kind(name, lambda: getattr(context, name))

# == current_actor_calls_itself ==
@ray.remote
class A:
    def n(self):
        return "n"

    def m(self):
        return ray.get_runtime_context().current_actor.n.remote()

a = A.remote()
show("value", ray.get(ray.get(a.m.remote())))

# == gcs_address ==
context = ray.get_runtime_context()
kind("address", lambda: context.gcs_address)

# == attempts ==
# The number of the attempt that runs, which Ray's core worker knows.
import os

@ray.remote(max_retries=3, retry_exceptions=True)
def tried(seen):
    seen = seen + [ray.get_runtime_context().worker.core_worker.get_current_task_attempt_number()]
    if seen[-1] < 2:
        raise ValueError
    return seen

show("attempt", ray.get(tried.remote([])))
