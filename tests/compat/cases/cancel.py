# Retries, restarts, cancellation and ends of processes.
start()
import os

# == cancel_a_running_task ==
started, caught = Flag(), Flag()

@ray.remote
def f():
    try:
        started.set()
        until(lambda: False)
    except KeyboardInterrupt:
        caught.set()
        raise

ref = f.remote()
started.wait()
show("cancel", ray.cancel(ref))
error = kind("get", ray.get, ref, timeout=60)
show("parents", parents(type(error)))
show("interrupted", caught.wait())
show("goes on", ray.get(ray.remote(lambda: 1).remote()))

# == cancel_a_queued_task ==
gate, ran = Flag(), Flag()

@ray.remote(num_cpus=2)
def block():
    gate.wait()

@ray.remote
def f():
    ran.set()

blocking = block.remote()
ref = f.remote()
ray.cancel(ref)
error = kind("get", ray.get, ref, timeout=60)
gate.set()
ray.get(blocking)
show("ran", ran.is_set())

# == cancel_a_waiting_task ==
# One whose argument is pending.
gate, ran = Flag(), Flag()

@ray.remote
def block():
    gate.wait()

@ray.remote
def f(x):
    ran.set()

ref = f.remote(block.remote())
ray.cancel(ref)
kind("get", ray.get, ref, timeout=60)
gate.set()
show("ran", ran.is_set())

# == cancel_a_finished_task ==
ref = ray.remote(lambda: 5).remote()
ray.get(ref)
show("cancel", ray.cancel(ref), ray.cancel(ref, force=True), ray.cancel(ref, recursive=False))
show("value", ray.get(ref))

# == cancel_by_force ==
started = Flag()

@ray.remote
def f():
    started.set()
    while True:
        try:
            until(lambda: False)
        except KeyboardInterrupt:
            pass

ref = f.remote()
started.wait()
ray.cancel(ref, force=True)
kind("get", ray.get, ref, timeout=60)
show("goes on", ray.get(ray.remote(lambda: 1).remote()))

# == cancel_is_not_retried ==
started, count = Flag(), Count()

@ray.remote(max_retries=5, retry_exceptions=True)
def f():
    count.add()
    started.set()
    until(lambda: False)

ref = f.remote()
started.wait()
ray.cancel(ref)
kind("get", ray.get, ref, timeout=60)
show("attempts", count.value())

# == cancel_recursively ==
started, stopped = Flag(), Flag()

@ray.remote
def child():
    try:
        started.set()
        until(lambda: False)
    except KeyboardInterrupt:
        stopped.set()
        raise

@ray.remote
def parent():
    return ray.get(child.remote())

ref = parent.remote()
started.wait()
ray.cancel(ref)
kind("get", ray.get, ref, timeout=60)
show("child stopped", stopped.wait())

# == cancel_not_recursively ==
started, gate, ended = Flag(), Flag(), Flag()

@ray.remote
def child():
    started.set()
    gate.wait()
    ended.set()

@ray.remote
def parent():
    return ray.get(child.remote())

ref = parent.remote()
started.wait()
ray.cancel(ref, recursive=False)
kind("get", ray.get, ref, timeout=60)
gate.set()
show("child ended", ended.wait())

# == cancel_wrong_things ==
@ray.remote
class A:
    def m(self):
        return 1

a = A.remote()
attempt("number", ray.cancel, 3)
attempt("actor", ray.cancel, a)
attempt("list", ray.cancel, [a.m.remote()])
attempt("force of an actor call", ray.cancel, a.m.remote(), force=True)
attempt("put", ray.cancel, ray.put(1))
attempt("positional", ray.cancel, a.m.remote(), True)

# == keyboard_interrupt_in_get ==
# Ctrl-C while the driver waits leaves the session usable.
import signal, threading
gate = Flag()

@ray.remote
def f():
    gate.wait()
    return "done"

ref = f.remote()
waiting = threading.Event()

def interrupt():
    waiting.wait()
    threading.Event().wait(0.3)  # so that it is in the get, mostly
    os.kill(os.getpid(), signal.SIGINT)

def wait():
    waiting.set()
    return ray.get(ref)

threading.Thread(target=interrupt).start()
kind("get", wait)
gate.set()
show("then", ray.get(ref))

# == cancel_many ==
gate, ran = Flag(), Count()

@ray.remote(num_cpus=2)
def block():
    gate.wait()

@ray.remote
def f():
    ran.add()

blocking = block.remote()
refs = [f.remote() for _ in range(20)]
for ref in refs:
    ray.cancel(ref)
ready, rest = ray.wait(refs, num_returns=20, timeout=60)
show("ready", len(ready), rest)
for ref in refs[:2]:
    kind("get", ray.get, ref)
gate.set()
ray.get(blocking)
show("ran", ran.value())

# == cancel_from_another_task ==
started = Flag()

@ray.remote
def f():
    started.set()
    until(lambda: False)

@ray.remote
def end(refs):
    ray.cancel(refs[0])

ref = f.remote()
started.wait()
ray.get(end.remote([ref]))
kind("get", ray.get, ref, timeout=60)

# == cancel_caught_by_the_task ==
# A task that catches the interrupt and returns all the same.
started = Flag()

@ray.remote
def f():
    try:
        started.set()
        until(lambda: False)
    except KeyboardInterrupt:
        return "caught"

ref = f.remote()
started.wait()
ray.cancel(ref)
attempt("get", ray.get, ref, timeout=60)

# == cancel_that_raises_another_error ==
started = Flag()

@ray.remote(max_retries=0)
def f():
    try:
        started.set()
        until(lambda: False)
    except KeyboardInterrupt:
        raise ValueError("instead")

ref = f.remote()
started.wait()
ray.cancel(ref)
kind("get", ray.get, ref, timeout=60)

# == cancel_of_several_returns ==
started = Flag()

@ray.remote(num_returns=3)
def f():
    started.set()
    until(lambda: False)

refs = f.remote()
started.wait()
ray.cancel(refs[1])
for i, ref in enumerate(refs):
    kind(f"return {i}", ray.get, ref, timeout=60)

# == what_depends_on_it ==
# A task whose argument's task was cancelled while it was queued.
gate, ran = Flag(), Flag()

@ray.remote(num_cpus=2)
def block():
    gate.wait()

@ray.remote
def f():
    return 1

@ray.remote
def g(x):
    ran.set()

blocking = block.remote()
first = f.remote()
second = g.remote(first)
ray.cancel(first)
error = kind("first", ray.get, first, timeout=60)
gate.set()
error = kind("second", ray.get, second, timeout=60)
show("is a", isinstance(error, ray.exceptions.TaskCancelledError), ran.is_set())

# == id_of_the_cancelled ==
gate = Flag()

@ray.remote(num_cpus=2)
def block():
    gate.wait()

@ray.remote
def f():
    return 1

blocking = block.remote()
ref = f.remote()
ray.cancel(ref)
try:
    ray.get(ref, timeout=60)
except ray.exceptions.TaskCancelledError as error:
    show("queued", str(error).replace(ref.task_id().hex(), "<its id>"))
gate.set()
ray.get(blocking)
started = Flag()

@ray.remote
def g():
    started.set()
    until(lambda: False)

ref = g.remote()
started.wait()
ray.cancel(ref)
try:
    ray.get(ref, timeout=60)
except ray.exceptions.TaskCancelledError as error:
    show("running", str(error.cause).replace(ref.task_id().hex(), "<its id>"))

# == wait_for_the_cancelled ==
started = Flag()

@ray.remote
def f():
    started.set()
    until(lambda: False)

ref = f.remote()
started.wait()
show("before", [len(x) for x in ray.wait([ref], timeout=0)])
ray.cancel(ref)
show("after", [len(x) for x in ray.wait([ref], timeout=60)])

# == force_is_not_retried ==
started, count = Flag(), Count()

@ray.remote(max_retries=3)
def f():
    count.add()
    started.set()
    until(lambda: False)

ref = f.remote()
started.wait()
ray.cancel(ref, force=True)
kind("get", ray.get, ref, timeout=60)
show("next", ray.get(ray.remote(lambda: 1).remote()))
show("attempts", count.value())

# == cancel_a_running_generator ==
started = Flag()

@ray.remote
def f():
    yield 1
    started.set()
    until(lambda: False)
    yield 2

g = f.remote()
show("first", ray.get(next(g)))
started.wait()
ray.cancel(g)
kind("second", lambda: ray.get(next(g)))
kind("end", next, g)

# == cancel_a_queued_generator ==
gate, ran = Flag(), Flag()

@ray.remote(num_cpus=2)
def block():
    gate.wait()

@ray.remote
def f():
    ran.set()
    yield 1

blocking = block.remote()
g = f.remote()
ray.cancel(g)
kind("first", lambda: ray.get(next(g)))
gate.set()
ray.get(blocking)
show("ran", ran.is_set())
