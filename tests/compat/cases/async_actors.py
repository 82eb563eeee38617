start()
import asyncio, threading

# == async_actor ==
@ray.remote
class A:
    async def double(self, x):
        await asyncio.sleep(0)
        return 2 * x

    def sync(self, x):
        return x + 1

a = A.remote()
show("async", ray.get([a.double.remote(i) for i in range(5)]))
show("sync", ray.get(a.sync.remote(1)))

# == async_calls_run_together ==
# The first call waits for the second one.
@ray.remote
class A:
    def __init__(self):
        self.event = asyncio.Event()

    async def wait(self):
        await self.event.wait()
        return "waited"

    async def set(self):
        self.event.set()
        return "set"

a = A.remote()
show("both", ray.get([a.wait.remote(), a.set.remote()], timeout=60))

# == await_references_in_an_actor ==
@ray.remote
def f(x):
    if x < 0:
        raise ValueError("negative")
    return x * x

@ray.remote
class A:
    async def one(self, x):
        return await f.remote(x)

    async def many(self, n):
        return await asyncio.gather(*[f.remote(i) for i in range(n)])

    async def caught(self):
        try:
            await f.remote(-1)
        except ValueError as error:
            return type(error).__name__

    async def given(self, refs):
        return [await ref for ref in refs]

a = A.remote()
show("one", ray.get(a.one.remote(3)))
show("many", ray.get(a.many.remote(5)))
show("caught", ray.get(a.caught.remote()))
show("given", ray.get(a.given.remote([f.remote(2), ray.put("x")])))

# == one_event_loop_on_one_thread ==
@ray.remote
class A:
    def __init__(self):
        self.seen = set()

    async def look(self):
        self.seen.add((threading.get_ident(), id(asyncio.get_running_loop())))
        return len(self.seen)

    def sync(self):
        return threading.get_ident() in {thread for thread, _ in self.seen}

a = A.remote()
show("threads and loops", ray.get([a.look.remote() for _ in range(4)]))
show("sync methods", ray.get(a.sync.remote()))

# == thousand_calls_at_once ==
@ray.remote
class A:
    def __init__(self):
        self.event, self.n = asyncio.Event(), 0

    async def wait(self, i):
        self.n += 1
        if self.n == 1000:
            self.event.set()
        await self.event.wait()
        return i

a = A.remote()
show("sum", sum(ray.get([a.wait.remote(i) for i in range(1000)], timeout=90)))

# == async_errors ==
@ray.remote
class A:
    async def bad(self):
        await asyncio.sleep(0)
        raise KeyError("k")

    async def good(self):
        return 1

a = A.remote()
error = attempt("bad", lambda: ray.get(a.bad.remote()))
show("header", first_line(error).split(" ")[0])
show("good", ray.get(a.good.remote()))

# == async_max_concurrency ==
@ray.remote
class A:
    def __init__(self):
        self.now = self.most = 0

    async def m(self):
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(20):
            await asyncio.sleep(0)
        self.now -= 1

    async def get(self):
        return self.most

a = A.options(max_concurrency=3).remote()
ray.get([a.m.remote() for _ in range(20)])
show("at most 3", ray.get(a.get.remote()) <= 3)
b = A.options(max_concurrency=1).remote()
ray.get([b.m.remote() for _ in range(5)])
show("one", ray.get(b.get.remote()))

# == async_inheritance ==
class Base:
    async def m(self):
        return "base"

@ray.remote
class A(Base):
    def n(self):
        try:
            asyncio.get_running_loop()
            return "on the loop"
        except RuntimeError:
            return "no loop"

a = A.remote()
show("methods", ray.get([a.m.remote(), a.n.remote()]))

# == async_constructor_failure ==
@ray.remote
class A:
    def __init__(self):
        raise ValueError("no")

    async def m(self):
        return 1

error = kind("call", lambda: ray.get(A.remote().m.remote()))
show("tells", "ValueError: no" in str(error))

# == async_in_order_is_refused ==
@ray.remote
class A:
    async def m(self):
        return 1

attempt("in order", lambda: A.options(allow_out_of_order_execution=False).remote())
attempt("out of order", lambda: ray.get(A.options(allow_out_of_order_execution=True).remote().m.remote()))

@ray.remote
class B:
    def m(self):
        return 1

attempt("threads in order", lambda: B.options(max_concurrency=2, allow_out_of_order_execution=False).remote())
attempt("one in order", lambda: ray.get(B.options(allow_out_of_order_execution=False).remote().m.remote()))
attempt("one out of order", lambda: ray.get(B.options(allow_out_of_order_execution=True).remote().m.remote()))

# == async_groups ==
@ray.remote(concurrency_groups={"io": 2, "one": 1})
class A:
    def __init__(self):
        self.now = self.most = 0

    @ray.method(concurrency_group="one")
    async def one(self):
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(10):
            await asyncio.sleep(0)
        self.now -= 1
        return self.most

    @ray.method(concurrency_group="io")
    async def io(self):
        return "io"

    async def plain(self):
        return "plain"

a = A.remote()
show("one at a time", set(ray.get([a.one.remote() for _ in range(5)])))
show("others", ray.get([a.io.remote(), a.plain.remote()]))

# == get_in_async_methods ==
@ray.remote
class A:
    async def m(self):
        return await asyncio.get_running_loop().run_in_executor(None, ray.get, ray.put(4))

show("value", ray.get(A.remote().m.remote()))

# == async_generators_and_context ==
@ray.remote
class A:
    async def names(self):
        context = ray.get_runtime_context()
        await asyncio.sleep(0)
        return context.get_task_name(), context.get_actor_id() is not None

show("names", ray.get(A.remote().names.remote()))

# == background_tasks ==
@ray.remote
class A:
    async def begin(self):
        self.task = asyncio.create_task(self.work())

    async def work(self):
        await asyncio.sleep(0)
        return "done"

    async def end(self):
        return await self.task

a = A.remote()
ray.get(a.begin.remote())
show("end", ray.get(a.end.remote()))

# == await_in_the_driver ==
@ray.remote
def f(x):
    if x == 3:
        raise ValueError("three")
    return x * x

async def main():
    show("one", await f.remote(2))
    show("put", await ray.put("x"))
    show("many", await asyncio.gather(*[f.remote(i) for i in range(3)]))
    ref = f.remote(4)
    show("twice", await ref, await ref)
    seen = await asyncio.gather(f.remote(1), f.remote(3), return_exceptions=True)
    show("with errors", seen[0], type(seen[1]).__name__)
    try:
        await f.remote(3)
    except ValueError as error:
        show("error", type(error).__name__)

asyncio.run(main())

# == asyncio_waits_for_references ==
gate = Flag()

@ray.remote
def slow():
    gate.wait()
    return "slow"

@ray.remote
def fast():
    return "fast"

async def wrapped(ref):
    return await ref

async def main():
    late, early = asyncio.ensure_future(wrapped(slow.remote())), asyncio.ensure_future(wrapped(fast.remote()))
    done, pending = await asyncio.wait([late, early], return_when=asyncio.FIRST_COMPLETED)
    show("first", [t.result() for t in done], len(pending))
    ref = slow.remote()
    try:
        await asyncio.wait_for(wrapped(ref), 0.05)
    except asyncio.TimeoutError:
        show("timed out", True)
    gate.set()
    show("then", await late, await ref)

asyncio.run(main())

# == futures_of_references ==
import concurrent.futures
gate = Flag()

@ray.remote
def f(x):
    gate.wait()
    if x < 0:
        raise ValueError("negative")
    return x

good, bad = f.remote(1).future(), f.remote(-1).future()
show("type", isinstance(good, concurrent.futures.Future), good.done())
called = threading.Event()
good.add_done_callback(lambda future: called.set())
gate.set()
show("value", good.result(60), called.wait(60))
error = bad.exception(60)
show("error", type(error).__name__, isinstance(error, ValueError))
done, rest = concurrent.futures.wait([good, bad], timeout=60)
show("wait", len(done), len(rest))

# == async_actor_awaits_itself ==
@ray.remote
class A:
    async def fib(self, n):
        if n < 2:
            return n
        me = ray.get_runtime_context().current_actor
        return sum(await asyncio.gather(me.fib.remote(n - 1), me.fib.remote(n - 2)))

show("fib", ray.get(A.remote().fib.remote(7), timeout=90))

# == async_actors_await_each_other ==
@ray.remote
class A:
    async def hear(self, other, n):
        if n == 0:
            return ["end"]
        return [n, *await other.hear.remote(ray.get_runtime_context().current_actor, n - 1)]

a, b = A.remote(), A.remote()
show("talk", ray.get(a.hear.remote(b, 5), timeout=90))

# == async_timeouts_in_methods ==
@ray.remote
class A:
    async def wait(self):
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.05)
        except asyncio.TimeoutError:
            return "timed out"

    async def m(self):
        return 1

a = A.remote()
show("values", ray.get([a.wait.remote(), a.m.remote()]))

# == async_exit ==
@ray.remote
class A:
    async def leave(self):
        ray.actor.exit_actor()

    async def m(self):
        return 1

a = A.remote()
show("first", ray.get(a.m.remote()))
kind("leave", ray.get, a.leave.remote())
kind("then", lambda: ray.get(a.m.remote(), timeout=60))

# == async_contexts ==
# Each call has its own context variables.
import contextvars

@ray.remote
class A:
    def __init__(self):
        self.var = contextvars.ContextVar("var", default="none")

    async def m(self, value):
        before = self.var.get()
        self.var.set(value)
        await asyncio.sleep(0)
        return before, self.var.get()

a = A.remote()
show("values", ray.get([a.m.remote(i) for i in range(3)]))

# == async_method_with_several_returns ==
@ray.remote
class A:
    @ray.method(num_returns=2)
    async def two(self):
        return "a", "b"

    async def one(self):
        return 1, 2

a = A.remote()
show("two", ray.get(a.two.remote()))
show("by option", ray.get(a.one.options(num_returns=2).remote()))

# == sync_methods_of_an_async_actor_run_on_the_loop ==
@ray.remote
class A:
    def sync(self):
        return threading.current_thread().name, asyncio.get_running_loop() is not None

    async def m(self):
        return threading.current_thread().name, asyncio.get_running_loop() is not None

a = A.remote()
sync, other = ray.get([a.sync.remote(), a.m.remote()])
show("same thread", sync[0] == other[0], sync[1], other[1])

# == group_of_an_async_method ==
@ray.remote(concurrency_groups={"io": 2})
class A:
    def __init__(self):
        self.event, self.loops = asyncio.Event(), set()

    @ray.method(concurrency_group="io")
    async def io(self):
        self.loops.add(id(asyncio.get_running_loop()))
        return len(self.loops)

    async def plain(self):
        return id(asyncio.get_running_loop()) in self.loops

a = A.remote()
show("io", ray.get([a.io.remote() for _ in range(3)]))
show("a loop of its own", not ray.get(a.plain.remote()))

# == async_out_of_order ==
gate = Flag()

@ray.remote
def slow():
    gate.wait()
    return "slow"

@ray.remote
class A:
    async def m(self, x):
        return x

a = A.remote()
first = a.m.remote(slow.remote())
show("second", ray.get(a.m.remote("fast"), timeout=60))
gate.set()
show("first", ray.get(first))
