start()

# == actor_pool_map ==
from ray.util import ActorPool

@ray.remote
class A:
    def double(self, x):
        if x == 13:
            raise ValueError("unlucky")
        return 2 * x

pool = ActorPool([A.remote(), A.remote()])
show("map", list(pool.map(lambda a, v: a.double.remote(v), range(6))))
show("unordered", sorted(pool.map_unordered(lambda a, v: a.double.remote(v), range(6))))
attempt("error", lambda: list(pool.map(lambda a, v: a.double.remote(v), [1, 13, 2])))

# == actor_pool_submit ==
from ray.util import ActorPool

@ray.remote
class A:
    def double(self, x):
        return 2 * x

pool = ActorPool([A.remote()])
show("next", pool.has_next(), pool.has_free())
pool.submit(lambda a, v: a.double.remote(v), 1)
show("free", pool.has_next(), pool.has_free())
pool.submit(lambda a, v: a.double.remote(v), 2)
show("values", pool.get_next(), pool.get_next(), pool.has_next())
attempt("none left", pool.get_next)
attempt("none left unordered", pool.get_next_unordered)
pool.submit(lambda a, v: a.double.remote(v), 3)
show("unordered", pool.get_next_unordered(timeout=60))

# == actor_pool_timeout ==
from ray.util import ActorPool
gate = Flag()

@ray.remote
class A:
    def wait(self, x):
        gate.wait()
        return x

pool = ActorPool([A.remote()])
pool.submit(lambda a, v: a.wait.remote(v), 1)
attempt("late", pool.get_next, timeout=0.1)
attempt("late unordered", pool.get_next_unordered, timeout=0.1)
gate.set()
attempt("then", pool.get_next, timeout=60)

# == actor_pool_push_and_pop ==
from ray.util import ActorPool

@ray.remote(num_cpus=0)
class A:
    def double(self, x):
        return 2 * x

a, b = A.remote(), A.remote()
pool = ActorPool([a])
attempt("push again", pool.push, a)
pool.push(b)
show("pop", pool.pop_idle() in (a, b), pool.pop_idle() in (a, b), pool.pop_idle())
show("free", pool.has_free())

# == queue ==
from ray.util.queue import Queue, Empty, Full
q = Queue(maxsize=2)
show("empty", q.empty(), q.full(), q.qsize(), q.size(), len(q))
q.put(1)
q.put("two")
show("full", q.full(), q.qsize())
attempt("put", q.put, 3, block=False)
attempt("put timeout", q.put, 3, timeout=0.1)
attempt("nowait", q.put_nowait, 3)
show("get", q.get(), q.get(timeout=60))
attempt("get", q.get, block=False)
attempt("get timeout", q.get, timeout=0.1)
attempt("nowait", q.get_nowait)
attempt("negative", q.get, timeout=-1)
attempt("negative put", q.put, 1, timeout=-1)

# == queue_errors ==
from ray.util.queue import Queue, Empty, Full
import queue
show("parents", parents(Empty), parents(Full))
show("subclass", issubclass(Empty, queue.Empty), issubclass(Full, queue.Full))

# == queue_batches ==
from ray.util.queue import Queue
q = Queue(maxsize=4)
attempt("put", q.put_nowait_batch, [1, 2, 3])
attempt("too many", q.put_nowait_batch, [4, 5])
attempt("no list", q.put_nowait_batch, 3)
attempt("get", q.get_nowait_batch, 2)
attempt("too many", q.get_nowait_batch, 2)
attempt("wrong", q.get_nowait_batch, -1)
attempt("text", q.get_nowait_batch, "x")
show("left", q.qsize())

# == queue_between_tasks ==
from ray.util.queue import Queue
q = Queue()

@ray.remote
def producer(q, n):
    for i in range(n):
        q.put(i)

@ray.remote
def consumer(q, n):
    return [q.get(timeout=60) for _ in range(n)]

done = consumer.remote(q, 5)
ray.get(producer.remote(q, 5))
show("items", ray.get(done))

# == queue_async ==
import asyncio
from ray.util.queue import Queue, Empty
q = Queue(maxsize=1)

async def main():
    await q.put_async(1)
    show("got", await q.get_async())
    try:
        await q.get_async(block=False)
    except Empty as error:
        show("error", type(error).__name__)
    try:
        await q.get_async(timeout=0.1)
    except Empty as error:
        show("error", type(error).__name__)

asyncio.run(main())

# == queue_shutdown ==
from ray.util.queue import Queue
q = Queue(actor_options={"num_cpus": 0})
q.put(1)
show("shutdown", q.shutdown())
kind("after", q.get, timeout=10)
kind("force", Queue().shutdown, force=True)

# == pool ==
from ray.util.multiprocessing import Pool

def square(x):
    return x * x

def add(x, y=1):
    return x + y

with Pool(2) as pool:
    show("map", pool.map(square, range(5)))
    show("chunks", pool.map(square, range(7), chunksize=3))
    show("starmap", pool.starmap(add, [(1, 2), (3, 4)]))
    show("apply", pool.apply(add, (1,), {"y": 5}))
    show("imap", list(pool.imap(square, range(4))))
    show("unordered", sorted(pool.imap_unordered(square, range(4), chunksize=2)))
    show("async", pool.map_async(square, range(3)).get(60))

# == pool_results ==
from ray.util.multiprocessing import Pool, TimeoutError
gate = Flag()

def wait():
    gate.wait()
    return 1

def bad(x):
    raise ValueError(f"bad {x}")

pool = Pool(1)
result = pool.apply_async(wait)
attempt("ready", result.ready)
attempt("successful", result.successful)
attempt("get", result.get, timeout=0.1)
gate.set()
result.wait(60)
show("then", result.ready(), result.successful(), result.get())
result = pool.apply_async(bad, (1,))
result.wait(60)
attempt("failed", result.successful)
attempt("get", result.get)
attempt("map", pool.map, bad, [1, 2])

# == pool_callbacks ==
from ray.util.multiprocessing import Pool
seen = []

def square(x):
    return x * x

def bad(x):
    raise ValueError("v")

pool = Pool(1)
pool.apply_async(square, (3,), callback=seen.append).get()
show("seen", until(lambda: seen))
result = pool.apply_async(bad, (3,), error_callback=lambda e: seen.append(type(e).__name__))
result.wait(60)
show("error", until(lambda: len(seen) > 1) and seen)

# == pool_closed ==
from ray.util.multiprocessing import Pool

def square(x):
    return x * x

pool = Pool(1)
attempt("join before close", pool.join)
pool.close()
attempt("map", pool.map, square, [1])
attempt("join", pool.join)
pool = Pool(1)
pool.terminate()
attempt("map", pool.map, square, [1])
attempt("join", pool.join)

# == pool_initializer ==
from ray.util.multiprocessing import Pool
import os

def begin(value):
    os.environ["BEGUN"] = value

def look(_):
    return os.environ.get("BEGUN")

pool = Pool(2, initializer=begin, initargs=("yes",))
show("seen", set(pool.map(look, range(4))))
attempt("wrong", lambda: Pool(0))
attempt("no initializer", lambda: type(Pool(1, initializer=3)).__name__)

# == joblib ==
import joblib
from ray.util.joblib import register_ray
register_ray()

def square(x):
    return x * x

with joblib.parallel_backend("ray"):
    show("values", joblib.Parallel(n_jobs=2)(joblib.delayed(square)(i) for i in range(6)))

# == pool_imap_reads_lazily ==
# A chunk is read when one is done and next is called, and not before.
from ray.util.multiprocessing import Pool

read = []

def items():
    for i in range(6):
        read.append(i)
        yield i

pool = Pool(2)
results = pool.imap(lambda x: 2 * x, items())
show("at first", read)
show("next", next(results))
show("all", list(results))
show("read", read)
pool.terminate()

# == pool_apply_sees_changes ==
from ray.util.multiprocessing import Pool

number, items = 1, [0]

def reading(x, y=1):
    return x + y + number + len(items)

pool = Pool(1)
show("repeated", [pool.apply(reading, (1,)) for _ in range(4)])
number = 2
show("number", [pool.apply(reading, (1,)) for _ in range(3)])
items.append(1)
show("list", [pool.apply(reading, (1,)) for _ in range(3)])
reading.__defaults__ = (10,)
show("default", [pool.apply(reading, (1,)) for _ in range(3)])
show("keywords", pool.apply(reading, kwargs={"x": 5, "y": 6}))
pool.terminate()

# == pool_forms ==
from ray.util.multiprocessing import Pool

def add(a, b=10):
    return a + b

with Pool(2) as pool:
    show("apply", pool.apply(add, (1,), {"b": 2}), pool.apply(add, (1,)))
    show("starmap", pool.starmap(add, [(1, 2), (3, 4)]), pool.starmap(add, [(1,), (2,)], chunksize=2))
    show("starmap_async", pool.starmap_async(add, [(1, 2)]).get(60))
    show("map", pool.map(add, range(5), chunksize=2), pool.map(add, []))
    show("map of an iterator", pool.map(add, iter(range(3))))
    show("imap", list(pool.imap(add, range(5), chunksize=2)))
    show("unordered", sorted(pool.imap_unordered(add, range(5))))
    iterator = pool.imap(add, [1])
    show("next", iterator.next(timeout=60))
    attempt("end", iterator.next)
    attempt("no iterable", pool.map, add, 3)

# == pool_errors_in_imap ==
from ray.util.multiprocessing import Pool

def bad(x):
    if x == 1:
        raise ValueError(f"bad {x}")
    return x

pool = Pool(1)
iterator = pool.imap(bad, [0, 1, 2])
show("first", next(iterator))
attempt("second", next, iterator)
attempt("third", next, iterator)
attempt("starmap", pool.starmap, bad, [(1,)])
attempt("apply", pool.apply, bad, (1,))

# == pool_replaces_its_actors ==
from ray.util.multiprocessing import Pool
import os

def pid(_):
    return os.getpid()

pool = Pool(1, maxtasksperchild=2)
pids = [pool.apply(pid, (i,)) for i in range(6)]
show("processes", len(set(pids)))

# == joinable_queue ==
from ray.util.multiprocessing import JoinableQueue
import threading
q = JoinableQueue()
for i in range(3):
    q.put(i)

def work():
    for _ in range(3):
        seen.append(q.get())
        q.task_done()

seen = []
thread = threading.Thread(target=work)
thread.start()
q.join()
thread.join(60)
show("seen", seen)
attempt("too often", q.task_done)

# == queue_async_batches ==
import asyncio
from ray.util.queue import Queue
q = Queue()

async def main():
    await asyncio.gather(*[q.put_async(i) for i in range(4)])
    show("got", sorted([await q.get_async() for _ in range(4)]))
    getting = asyncio.ensure_future(q.get_async())
    await q.put_async("late")
    show("late", await getting)

asyncio.run(main())

# == queue_in_an_actor ==
from ray.util.queue import Queue
q = Queue(maxsize=1, actor_options={"name": "the-queue", "num_cpus": 0})

@ray.remote(num_cpus=0)
class Producer:
    def run(self, q, n):
        for i in range(n):
            q.put(i)
        return "done"

ref = Producer.remote().run.remote(q, 5)
show("items", [q.get(timeout=60) for _ in range(5)], ray.get(ref))
show("named", ray.get_actor("the-queue") == q.actor)
