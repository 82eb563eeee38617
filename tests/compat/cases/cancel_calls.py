# Retries, restarts, cancellation and ends of processes.
start()
import os

# == cancel_a_queued_actor_call ==
gate, ran, started = Flag(), Flag(), Flag()

@ray.remote
class A:
    def block(self):
        started.set()
        gate.wait()
        return "blocked"

    def m(self):
        ran.set()

a = A.remote()
blocking, ref = a.block.remote(), a.m.remote()
started.wait()
ray.cancel(ref)
kind("get", ray.get, ref, timeout=60)
gate.set()
show("blocking", ray.get(blocking))
show("ran", ran.is_set())

# == cancel_an_async_call ==
import asyncio
started, cancelled = Flag(), Flag()

@ray.remote
class A:
    async def wait(self):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def m(self):
        return 1

a = A.remote()
ref = a.wait.remote()
started.wait()
ray.cancel(ref)
try:
    ray.get(ref, timeout=60)
except ray.exceptions.TaskCancelledError as error:
    show("get", isinstance(error, ray.exceptions.RayError))
show("cancelled", cancelled.wait())
show("goes on", ray.get(a.m.remote()))

# == is_canceled ==
started = Flag()

@ray.remote
class A:
    def work(self):
        started.set()
        return "saw it" if until(lambda: ray.get_runtime_context().is_canceled()) else "never"

    def m(self):
        return ray.get_runtime_context().is_canceled()

a = A.remote()
ref = a.work.remote()
started.wait()
ray.cancel(ref)
kind("get", ray.get, ref, timeout=90)
show("later", ray.get(a.m.remote()))

# == cancel_an_async_generator ==
import asyncio
started, ended = Flag(), Flag()

@ray.remote
class A:
    async def items(self):
        yield 1
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def m(self):
        return "lives"

a = A.remote()
g = a.items.remote()
show("first", ray.get(next(g)))
started.wait()
ray.cancel(g)
error = kind("second", lambda: ray.get(next(g)))
show("cancelled", isinstance(error, ray.exceptions.TaskCancelledError), ended.wait())
show("actor", ray.get(a.m.remote()))

# == cancel_many_async_calls ==
import asyncio
started, cancelled = Count(), Count()

@ray.remote
class A:
    async def wait(self):
        started.add()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.add()
            raise

    async def m(self):
        return "lives"

a = A.remote()
refs = [a.wait.remote() for _ in range(10)]
until(lambda: started.value() == 10)
for ref in refs:
    ray.cancel(ref)
errors = []
for ref in refs:
    try:
        ray.get(ref, timeout=60)
    except ray.exceptions.TaskCancelledError as error:
        errors.append(type(error).__name__)
show("errors", len(errors), set(errors), until(lambda: cancelled.value() == 10))
show("actor", ray.get(a.m.remote()))

# == cancel_an_async_call_recursively ==
import asyncio
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
class A:
    async def m(self):
        await child.remote()

a = A.remote()
ref = a.m.remote()
started.wait()
ray.cancel(ref, recursive=True)
error = kind("get", ray.get, ref, timeout=60)
show("child", stopped.wait())

# == cancel_a_finished_async_call ==
@ray.remote
class A:
    async def m(self):
        return 1

a = A.remote()
ref = a.m.remote()
show("value", ray.get(ref))
ray.cancel(ref)
show("still", ray.get(ref), ray.get(a.m.remote()))

# == cancel_a_call_of_a_threaded_actor ==
started, gate = Flag(), Flag()

@ray.remote(max_concurrency=2)
class A:
    def wait(self):
        started.set()
        gate.wait()
        return "finished"

    def m(self):
        return "lives"

a = A.remote()
ref = a.wait.remote()
started.wait()
ray.cancel(ref)
show("other", ray.get(a.m.remote()))
gate.set()
kind("get", ray.get, ref, timeout=60)

# == cancel_an_unstarted_actor_s_call ==
# One that waits for room for its actor.
gate, ran = Flag(), Flag()

@ray.remote(num_cpus=2)
def block():
    gate.wait()

@ray.remote(num_cpus=1)
class A:
    def m(self):
        ran.set()
        return 1

    def n(self):
        return 2

blocking = block.remote()
a = A.remote()
ref = a.m.remote()
ray.cancel(ref)
kind("get", ray.get, ref, timeout=60)
gate.set()
show("next", ray.get(a.n.remote()), ran.is_set())

# == cancel_of_references_elsewhere ==
# The holder of a reference in a list can cancel what it refers to.
started = Flag()

@ray.remote
def f():
    started.set()
    until(lambda: False)

@ray.remote
class A:
    def keep(self, refs):
        self.refs = refs

    def cancel(self):
        ray.cancel(self.refs[0], force=True)

a = A.remote()
ref = f.remote()
ray.get(a.keep.remote([ref]))
started.wait()
ray.get(a.cancel.remote())
kind("get", ray.get, ref, timeout=60)

# == await_the_cancelled ==
import asyncio
started = Flag()

@ray.remote
def f():
    started.set()
    until(lambda: False)

async def main():
    ref = f.remote()
    await asyncio.get_running_loop().run_in_executor(None, started.wait)
    ray.cancel(ref)
    try:
        await ref
    except ray.exceptions.TaskCancelledError as error:
        show("await", type(error).__name__)

asyncio.run(main())

# == cancel_caught_by_an_async_call ==
import asyncio
started = Flag()

@ray.remote
class A:
    async def m(self):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "caught"

a = A.remote()
ref = a.m.remote()
started.wait()
ray.cancel(ref)
attempt("get", ray.get, ref, timeout=60)

# == async_call_that_raises_another_error ==
import asyncio
started = Flag()

@ray.remote
class A:
    async def m(self):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("instead")

a = A.remote()
ref = a.m.remote()
started.wait()
ray.cancel(ref)
kind("get", ray.get, ref, timeout=60)

# == cancel_a_queued_async_call ==
# One beyond those that may run at a time.
import asyncio
started, gate, ran = Flag(), Flag(), Flag()

@ray.remote(max_concurrency=1)
class A:
    async def block(self):
        started.set()
        await asyncio.get_running_loop().run_in_executor(None, gate.wait)

    async def m(self):
        ran.set()

a = A.remote()
blocking, ref = a.block.remote(), a.m.remote()
started.wait()
ray.cancel(ref)
kind("get", ray.get, ref, timeout=60)
gate.set()
ray.get(blocking)
show("ran", ran.is_set())
