start()

# == simple ==
@ray.remote
def f(n):
    for i in range(n):
        yield i

g = f.remote(4)
show("type", type(g).__name__)
refs = list(g)
show("items", [type(r).__name__ for r in refs], ray.get(refs))
show("empty", list(f.remote(0)))

# == next_and_stop ==
@ray.remote
def f():
    yield "a"
    yield "b"

g = f.remote()
show("next", ray.get(next(g)), ray.get(next(g)))
attempt("end", next, g)
attempt("again", next, g)
show("iter", iter(g) is g)

# == explicit_streaming ==
@ray.remote(num_returns="streaming")
def f():
    yield 1

show("type", type(f.remote()).__name__)
show("options", type(f.options(num_returns="streaming").remote()).__name__)

@ray.remote
def plain():
    return [1, 2]

attempt("of a plain function", lambda: plain.options(num_returns="streaming").remote())
attempt("word", lambda: f.options(num_returns="nothing"))

# == fixed_number ==
@ray.remote(num_returns=3)
def f():
    yield 1
    yield 2
    yield 3

show("three", ray.get(f.remote()))

# == fixed_number_too_few ==
@ray.remote(num_returns=3)
def f(n):
    for i in range(n):
        yield i

for n in (2, 4):
    refs = f.remote(n)
    for i, ref in enumerate(refs):
        kind(f"{i} of {n}", ray.get, ref)

# == error_in_the_middle ==
@ray.remote
def f():
    yield 1
    yield 2
    raise ValueError("middle")

g = f.remote()
show("good", ray.get(next(g)), ray.get(next(g)))
ref = next(g)
show("another", type(ref).__name__)
attempt("bad", ray.get, ref)
attempt("end", next, g)

# == error_at_once ==
@ray.remote
def f():
    raise ValueError("at once")
    yield 1

g = f.remote()
attempt("first", lambda: ray.get(next(g)))
attempt("end", next, g)

# == items_come_while_it_runs ==
gate = Flag()

@ray.remote
def f():
    yield "early"
    gate.wait()
    yield "late"

g = f.remote()
show("early", ray.get(next(g)))
gate.set()
show("late", ray.get(next(g)))

# == completed ==
@ray.remote
def f(n):
    for i in range(n):
        yield i

g = f.remote(3)
done = g.completed()
show("type", type(done).__name__)
attempt("value", ray.get, done, timeout=60)
show("items", ray.get(list(g)))
show("finished", g.is_finished())

# == completed_with_an_error ==
@ray.remote
def f():
    yield 1
    raise ValueError("late")

g = f.remote()
attempt("completed", ray.get, g.completed(), timeout=60)
show("first", ray.get(next(g)))

# == wait_over_generators ==
gate = Flag()

@ray.remote
def f(wait):
    if wait:
        gate.wait()
    yield 1
    yield 2

fast, slow = f.remote(False), f.remote(True)
ready, rest = ray.wait([fast, slow], timeout=60)
show("ready", ready == [fast], rest == [slow])
ready, rest = ray.wait([slow, ray.put(1)], timeout=60)
show("mixed", len(ready), rest == [slow])
gate.set()
ready, rest = ray.wait([fast, slow], num_returns=2, timeout=60)
show("both", len(ready), rest)
show("items", [ray.get(next(g)) for g in (fast, slow, fast, slow)])

# == get_of_a_generator ==
@ray.remote
def f():
    yield 1

g = f.remote()
attempt("get", lambda: ray.get(g) is g)
kind("wait single", ray.wait, g)

# == async_iteration ==
import asyncio

@ray.remote
def f():
    for i in range(3):
        yield i
    raise ValueError("end")

async def main():
    seen = []
    async for ref in f.remote():
        try:
            seen.append(await ref)
        except ValueError as error:
            seen.append(type(error).__name__)
    show("seen", seen)

asyncio.run(main())

# == dynamic ==
import warnings
warnings.simplefilter("ignore")

@ray.remote(num_returns="dynamic")
def f(n):
    for i in range(n):
        yield i

ref = f.remote(3)
show("type", type(ref).__name__)
g = ray.get(ref)
show("generator", type(g).__name__, len(g) if hasattr(g, "__len__") else None)
show("items", ray.get(list(g)), ray.get(list(g)))

# == dynamic_warns ==
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")

    @ray.remote(num_returns="dynamic")
    def f():
        yield 1

show("warned", [w.category.__name__ for w in caught])

# == dynamic_with_an_error ==
import warnings
warnings.simplefilter("ignore")

@ray.remote(num_returns="dynamic")
def f():
    yield 1
    raise ValueError("v")

ref = f.remote()
attempt("get", lambda: [attempt("item", ray.get, r) for r in ray.get(ref)] and None)

# == backpressure ==
# The task stops until the consumer has taken what there is.
count = Count()

@ray.remote(_generator_backpressure_num_objects=2)
def f():
    for i in range(6):
        count.add()
        yield i

g = f.remote()
first = ray.get(next(g))
until(lambda: count.value() >= 3)
show("ahead", count.value() <= 4)
show("rest", [first, *ray.get(list(g))], count.value())

# == wrong_backpressure ==
def f():
    yield 1

for n in (0, -1, -2, 1.5, "1"):
    attempt(f"{n!r}", lambda: type(ray.remote(_generator_backpressure_num_objects=n)(f)).__name__)

# == large_items ==
import numpy as np

@ray.remote
def f():
    for i in range(4):
        yield np.full(200_000, i)

show("sums", [int(ray.get(ref).sum()) for ref in f.remote()])

# == items_as_arguments ==
@ray.remote
def f():
    yield 1
    yield 2

@ray.remote
def plus(x):
    return x + 10

show("sums", ray.get([plus.remote(ref) for ref in f.remote()]))

# == generators_as_arguments ==
@ray.remote
def f():
    yield 1

@ray.remote
def g(x):
    return 1

kind("generator", lambda: ray.get(g.remote(f.remote())))
kind("put", ray.put, f.remote())
from ray import cloudpickle
kind("pickle", cloudpickle.dumps, f.remote())

# == nested_generators ==
@ray.remote
def inner(n):
    for i in range(n):
        yield i

@ray.remote
def outer():
    for n in (1, 2, 3):
        yield sum(ray.get(list(inner.remote(n))))

show("sums", ray.get(list(outer.remote())))

# == dropped_generator_ends_its_task ==
ended = Flag()

@ray.remote
def f():
    try:
        for i in range(10**9):
            yield i
            import time
            time.sleep(0.001)
    finally:
        ended.set()

g = f.remote()
ray.get(next(g))
ray.cancel(g)
show("ended", ended.wait())

# == public_names ==
@ray.remote
def f():
    yield 1

names = ("aclose", "asend", "athrow", "close", "completed", "is_finished", "next_ready", "send", "throw")
show("names", [n for n in names if callable(getattr(f.remote(), n, None))])
special = ("__next__", "__anext__", "__aiter__", "__iter__")
show("special", [n for n in special if hasattr(ray.ObjectRefGenerator, n)])

# == return_value_of_a_generator ==
@ray.remote
def f():
    yield 1
    return "ignored"

g = f.remote()
show("items", ray.get(list(g)))
attempt("end", next, g)

# == yielded_references ==
@ray.remote
def f():
    yield ray.put("inner")

inner = ray.get(next(f.remote()))
show("type", type(inner).__name__, ray.get(inner))

# == consumed_by_a_thread ==
import threading

@ray.remote
def f():
    for i in range(4):
        yield i

seen = []
g = f.remote()
thread = threading.Thread(target=lambda: seen.extend(ray.get(ref) for ref in g))
thread.start()
thread.join(60)
show("seen", seen)

# == worker_dies_in_the_middle ==
import os

@ray.remote(max_retries=0)
def f():
    yield 1
    os._exit(1)

g = f.remote()
show("first", ray.get(next(g)))
kind("second", lambda: ray.get(next(g)))
kind("end", next, g)

# == retried_after_an_error ==
count = Count()

@ray.remote(max_retries=2, retry_exceptions=True)
def f():
    attempt = count.add()
    yield 1
    if attempt < 3:
        raise ValueError("again")
    yield 2

show("items", ray.get(list(f.remote())), count.value())

# == retried_after_a_death ==
import os
count = Count()

@ray.remote(max_retries=1)
def f():
    attempt = count.add()
    yield 1
    yield 2
    if attempt == 1:
        os._exit(1)
    yield 3

show("items", ray.get(list(f.remote())), count.value())

# == stop_iteration_inside ==
@ray.remote
def f():
    yield 1
    raise StopIteration("inside")

g = f.remote()
show("first", ray.get(next(g)))
attempt("second", lambda: ray.get(next(g)))

# == item_that_cannot_be_pickled ==
import threading

@ray.remote
def f():
    yield 1
    yield threading.Lock()
    yield 3

g = f.remote()
show("first", ray.get(next(g)))
kind("second", lambda: ray.get(next(g)))
kind("third", lambda: ray.get(next(g)))

# == closing_and_sending ==
@ray.remote
def f():
    yield 1

g = f.remote()
for name, arguments in (("send", (1,)), ("throw", (ValueError("x"),)), ("close", ())):
    kind(name, getattr(g, name), *arguments)

# == not_finished ==
gate = Flag()

@ray.remote
def f():
    yield 1
    gate.wait()

g = f.remote()
ray.get(next(g))
show("before", g.is_finished(), g.next_ready())
gate.set()
kind("end", next, g)
show("after", g.is_finished())

# == equality_and_hash ==
@ray.remote
def f():
    yield 1

g, h = f.remote(), f.remote()
show("equal", g == g, g == h, len({g, h, g}))
show("repr", repr(g).startswith("ObjectRefGenerator("))
list(g), list(h)

# == generator_expression_returned ==
# A function that returns a generator is none itself.
def f(n):
    return (i * i for i in range(n))

attempt("streaming", lambda: ray.remote(num_returns="streaming")(f).remote(4))
kind("plain", lambda: ray.get(ray.remote(f).remote(4)))
show("fixed", ray.get(ray.remote(num_returns=3)(f).remote(3)))

# == yield_from_an_iterator ==
@ray.remote
def inner():
    yield from (10, 20)

g = inner.remote()
show("first", ray.get(next(g)))
attempt("second", lambda: ray.get(next(g)))

# == yield_from_a_generator ==
def inner(n):
    for i in range(n):
        yield i

@ray.remote
def f():
    yield from inner(2)
    yield from inner(3)

show("items", ray.get(list(f.remote())))
