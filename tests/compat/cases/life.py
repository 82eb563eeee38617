# Retries, restarts, cancellation and ends of processes.
start()
import os

# == max_retries ==
# A task whose process dies runs again.
count = Count()

@ray.remote(max_retries=2)
def f():
    if count.add() < 3:
        os._exit(1)
    return "third"

show("value", ray.get(f.remote()), count.value())

# == max_retries_used_up ==
count = Count()

@ray.remote(max_retries=2)
def f():
    count.add()
    os._exit(1)

kind("get", lambda: ray.get(f.remote()))
show("attempts", count.value())

# == max_retries_default ==
count = Count()

@ray.remote
def f():
    count.add()
    os._exit(1)

kind("get", lambda: ray.get(f.remote()))
show("attempts", count.value())

# == max_retries_zero ==
count = Count()

@ray.remote(max_retries=0)
def f():
    count.add()
    os._exit(1)

kind("get", lambda: ray.get(f.remote()))
show("attempts", count.value())

# == max_retries_variable ==
os.environ["RAY_TASK_MAX_RETRIES"] = "1"
count = Count()

@ray.remote
def f():
    count.add()
    os._exit(1)

kind("get", lambda: ray.get(f.remote()))
show("attempts", count.value())

# == errors_are_not_retried ==
count = Count()

@ray.remote(max_retries=3)
def f():
    count.add()
    raise ValueError("v")

attempt("get", lambda: ray.get(f.remote()))
show("attempts", count.value())

# == retry_exceptions_true ==
count = Count()

@ray.remote(max_retries=3, retry_exceptions=True)
def f():
    if count.add() < 3:
        raise ValueError("v")
    return "third"

show("value", ray.get(f.remote()), count.value())

# == retry_exceptions_used_up ==
count = Count()

@ray.remote(max_retries=2, retry_exceptions=True)
def f():
    count.add()
    raise ValueError("v")

attempt("get", lambda: ray.get(f.remote()))
show("attempts", count.value())

# == retry_exceptions_by_class ==
count = Count()

class Mine(ValueError):
    pass

@ray.remote(max_retries=5, retry_exceptions=[ValueError, KeyError])
def f():
    raise {1: ValueError, 2: Mine, 3: KeyError, 4: TypeError}[count.add()]("x")

kind("get", lambda: ray.get(f.remote()))
show("attempts", count.value())

# == retry_exceptions_by_options ==
count = Count()

@ray.remote
def f():
    if count.add() < 2:
        raise ValueError("v")
    return "second"

show("value", ray.get(f.options(max_retries=1, retry_exceptions=[ValueError]).remote()), count.value())

# == retry_exceptions_wrong ==
def f():
    pass

for value in (1, "x", ValueError, [1], ["ValueError"], [int], [KeyboardInterrupt], (ValueError,), None):
    attempt(f"{value!r}", lambda: type(ray.remote(retry_exceptions=value)(f)).__name__)

# == attempt_numbers ==
count, notes = Count(), Notes()

@ray.remote(max_retries=2, retry_exceptions=True)
def f():
    notes.add(ray.get_runtime_context().get_task_id())
    if count.add() < 3:
        raise ValueError("v")

ray.get(f.remote())
show("same task id", len(notes.lines()), len(set(notes.lines())))

# == max_calls ==
@ray.remote(max_calls=2)
def f():
    return os.getpid()

pids = []
for _ in range(6):
    pids.append(ray.get(f.remote()))
show("each at most twice", max(pids.count(p) for p in pids) <= 2)

# == max_calls_one ==
@ray.remote(max_calls=1)
def f():
    return os.getpid()

pids = [ray.get(f.remote()) for _ in range(3)]
show("all different", len(set(pids)))

# == restarts ==
@ray.remote(max_restarts=1)
class A:
    def __init__(self, x):
        self.n = x

    def add(self):
        self.n += 1
        return self.n, ray.get_runtime_context().was_current_actor_reconstructed

    def die(self):
        os._exit(1)

a = A.remote(10)
show("first", ray.get([a.add.remote(), a.add.remote()]))
kind("die", lambda: ray.get(a.die.remote()))

def again():
    try:
        return ray.get(a.add.remote())
    except ray.exceptions.ActorUnavailableError:
        return None

show("state lost", until(again))
kind("die", lambda: ray.get(a.die.remote()))
kind("dead", lambda: ray.get(a.add.remote()))

# == no_restarts ==
@ray.remote
class A:
    def die(self):
        os._exit(1)

    def m(self):
        return 1

a = A.remote()
error = kind("die", lambda: ray.get(a.die.remote()))
show("parents", parents(type(error)))
show("first line", first_line(error))
show("fields", [line.strip().split(":")[0] for line in str(error).splitlines()[1:6]])
kind("later", lambda: ray.get(a.m.remote()))

# == unavailable_against_died ==
@ray.remote(max_restarts=1)
class A:
    def die(self):
        os._exit(1)

a = A.remote()
error = kind("with restarts left", lambda: ray.get(a.die.remote()))
show("parents", parents(type(error)))
show("starts", first_line(error)[:9], "is unavailable" in str(error))

# == task_retries_of_actors ==
count = Count()

@ray.remote(max_restarts=2, max_task_retries=2)
class A:
    def m(self):
        if count.add() < 3:
            os._exit(1)
        return "third"

show("value", ray.get(A.remote().m.remote()), count.value())

# == task_retries_without_restarts ==
count = Count()

@ray.remote(max_restarts=0, max_task_retries=2)
class A:
    def m(self):
        count.add()
        os._exit(1)

kind("get", lambda: ray.get(A.remote().m.remote()))
show("attempts", count.value())

# == method_retry_exceptions ==
count = Count()

@ray.remote
class A:
    @ray.method(max_task_retries=2, retry_exceptions=True)
    def m(self):
        if count.add() < 3:
            raise ValueError("v")
        return "third"

    def n(self):
        count.add()
        raise ValueError("n")

a = A.remote()
show("value", ray.get(a.m.remote()), count.value())
attempt("without", lambda: ray.get(a.n.remote()))
show("attempts", count.value())
before = count.value()
kind("by options", lambda: ray.get(a.n.options(max_task_retries=1, retry_exceptions=[ValueError]).remote()))
show("attempts", count.value() - before)

# == kill_with_restart ==
@ray.remote(max_restarts=1)
class A:
    def pid(self):
        return os.getpid()

a = A.remote()
pid = ray.get(a.pid.remote())
ray.kill(a, no_restart=False)

def again():
    try:
        return ray.get(a.pid.remote())
    except ray.exceptions.RayActorError:
        return None

show("another process", until(again) != pid)
ray.kill(a, no_restart=True)
kind("dead", lambda: ray.get(a.pid.remote()))

# == exit_actor ==
@ray.remote
class A:
    def leave(self):
        ray.actor.exit_actor()

    def m(self):
        return 1

a = A.remote()
first, last, after = a.m.remote(), a.leave.remote(), a.m.remote()
show("first", ray.get(first))
error = kind("leave", ray.get, last)
show("tells", "exit" in str(error))
kind("after", ray.get, after)

# == exit_actor_is_not_restarted ==
@ray.remote(max_restarts=5)
class A:
    def leave(self):
        ray.actor.exit_actor()

    def m(self):
        return 1

a = A.remote()
kind("leave", lambda: ray.get(a.leave.remote()))
kind("after", lambda: ray.get(a.m.remote()))

# == exit_actor_elsewhere ==
attempt("driver", ray.actor.exit_actor)
attempt("task", lambda: ray.get(ray.remote(lambda: ray.actor.exit_actor()).remote()))

# == exit_actor_of_async ==
@ray.remote
class A:
    async def leave(self):
        ray.actor.exit_actor()

    async def m(self):
        return 1

a = A.remote()
show("before", ray.get(a.m.remote()))
kind("leave", lambda: ray.get(a.leave.remote()))
kind("after", lambda: ray.get(a.m.remote()))

# == atexit_runs ==
class Base:
    def __init__(self, flag):
        import atexit
        atexit.register(flag.set)

    def leave(self):
        ray.actor.exit_actor()

A = ray.remote(Base)
flags = [Flag() for _ in range(3)]
a, b, c = (A.options(num_cpus=0).remote(f) for f in flags)
ray.get([x.__ray_ready__.remote() for x in (a, b, c)])
a.__ray_terminate__.remote()
b.leave.remote()
show("terminated, left", flags[0].wait(), flags[1].wait())
ray.kill(c)
kind("killed", lambda: ray.get(c.leave.remote()))
show("killed", flags[2].is_set())

# == constructor_exits ==
@ray.remote
class A:
    def __init__(self):
        os._exit(3)

    def m(self):
        return 1

kind("call", lambda: ray.get(A.remote().m.remote()))

# == system_exit_in_an_actor ==
import sys

@ray.remote
class A:
    def leave(self):
        sys.exit(0)

    def m(self):
        return 1

a = A.remote()
kind("leave", lambda: ray.get(a.leave.remote()))
kind("after", lambda: ray.get(a.m.remote()))

# == lineage ==
# What a lost process had not answered is computed again.
count = Count()

@ray.remote
def f(x):
    if count.add() == 1:
        os._exit(1)
    return x + 1

@ray.remote
def g(x):
    return x * 2

show("value", ray.get(g.remote(f.remote(1))), count.value())
