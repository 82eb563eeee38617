start()

# == actor_generators ==
@ray.remote
class A:
    def items(self, n):
        for i in range(n):
            yield i * 10

    @ray.method(num_returns="streaming")
    def marked(self):
        yield "x"

    def plain(self):
        return 1

a = A.remote()
show("items", ray.get(list(a.items.remote(3))))
show("marked", ray.get(list(a.marked.remote())))
show("type", type(a.items.remote(1)).__name__)
show("plain", ray.get(a.plain.remote()))
attempt("streaming of plain", lambda: type(a.plain.options(num_returns="streaming").remote()).__name__)

# == async_actor_generators ==
import asyncio

@ray.remote
class A:
    async def items(self, n):
        for i in range(n):
            await asyncio.sleep(0)
            yield i

    async def bad(self):
        yield 1
        raise KeyError("k")

a = A.remote()
show("items", ray.get(list(a.items.remote(4))))
g = a.bad.remote()
show("first", ray.get(next(g)))
attempt("second", lambda: ray.get(next(g)))
attempt("end", next, g)

# == two_async_generators_at_once ==
import asyncio

@ray.remote
class A:
    async def items(self, name):
        for i in range(3):
            await asyncio.sleep(0)
            yield name, i

a = A.remote()
one, two = a.items.remote("one"), a.items.remote("two")
show("both", [ray.get([next(one), next(two)]) for _ in range(3)])

# == async_for_over_an_actor ==
import asyncio

@ray.remote
class A:
    async def items(self, n):
        for i in range(n):
            await asyncio.sleep(0)
            yield i

async def take(g):
    return [await ref async for ref in g]

async def main():
    a = A.remote()
    show("two", await asyncio.gather(take(a.items.remote(3)), take(a.items.remote(4))))
    g = a.items.remote(1)
    show("anext", await (await anext(g)))
    try:
        await anext(g)
    except StopAsyncIteration:
        show("end", True)

asyncio.run(main())

# == actor_killed_in_the_middle ==
gate = Flag()

@ray.remote
class A:
    def items(self):
        yield 1
        gate.wait()
        yield 2

a = A.remote()
g = a.items.remote()
show("first", ray.get(next(g)))
ray.kill(a)
kind("second", lambda: ray.get(next(g)))
kind("end", next, g)

# == backpressure_of_an_actor ==
made, gate = Count(), Flag()

@ray.remote
class A:
    @ray.method(_generator_backpressure_num_objects=2)
    def items(self):
        for i in range(6):
            made.add()
            yield i

a = A.remote()
g = a.items.remote()
ray.get(next(g))
show("at most", until(lambda: made.value() >= 2) and made.value() <= 4)
show("rest", ray.get(list(g)), made.value())

# == static_and_class_generators ==
@ray.remote
class A:
    @staticmethod
    def static(n):
        for i in range(n):
            yield i

    @classmethod
    def cls(cls, n):
        yield cls.__name__
        yield n

a = A.remote()
show("static", ray.get(list(a.static.remote(2))))
show("class", ray.get(list(a.cls.remote(2))))

# == threaded_actor_generators ==
@ray.remote(max_concurrency=2)
class A:
    def items(self, name):
        for i in range(3):
            yield name, i

a = A.remote()
one, two = a.items.remote("one"), a.items.remote("two")
show("both", [ray.get([next(one), next(two)]) for _ in range(3)])
