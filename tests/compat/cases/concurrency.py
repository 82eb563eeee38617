start()
import asyncio, threading

# == threads ==
# Both calls must be in the barrier at once.
@ray.remote(max_concurrency=2)
class A:
    def __init__(self):
        self.barrier = threading.Barrier(2)

    def meet(self):
        self.barrier.wait(60)
        return threading.current_thread() is threading.main_thread()

a = A.remote()
show("met", ray.get([a.meet.remote(), a.meet.remote()], timeout=90))

# == threads_at_most ==
@ray.remote(max_concurrency=3)
class A:
    def __init__(self):
        self.lock, self.now, self.most, self.threads = threading.Lock(), 0, 0, set()

    def m(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.threads.add(threading.get_ident())
        sum(range(20_000))
        with self.lock:
            self.now -= 1

    def get(self):
        return self.most <= 3, len(self.threads) <= 3

a = A.remote()
ray.get([a.m.remote() for _ in range(50)])
show("limits", ray.get(a.get.remote()))

# == thread_errors ==
@ray.remote(max_concurrency=2)
class A:
    def bad(self):
        raise ValueError("v")

    def good(self):
        return 1

a = A.remote()
attempt("bad", lambda: ray.get(a.bad.remote()))
show("good", ray.get(a.good.remote()))

# == groups ==
@ray.remote(concurrency_groups={"io": 2, "compute": 4})
class A:
    @ray.method(concurrency_group="io")
    def io(self):
        return threading.current_thread().ident

    @ray.method(concurrency_group="compute")
    def compute(self):
        return threading.current_thread().ident

    def plain(self):
        return threading.current_thread().ident

a = A.remote()
io = set(ray.get([a.io.remote() for _ in range(20)]))
compute = set(ray.get([a.compute.remote() for _ in range(20)]))
plain = set(ray.get([a.plain.remote() for _ in range(5)]))
show("sizes", len(io) <= 2, len(compute) <= 4, len(plain))
show("apart", not io & compute, not io & plain)
chosen = ray.get(a.plain.options(concurrency_group="io").remote())
show("chosen", chosen in io or len(io) < 2)

# == groups_do_not_block_each_other ==
gate = Flag()

@ray.remote(concurrency_groups={"io": 1})
class A:
    @ray.method(concurrency_group="io")
    def stuck(self):
        gate.wait()
        return "stuck"

    def free(self):
        return "free"

a = A.remote()
stuck = a.stuck.remote()
show("free", ray.get(a.free.remote(), timeout=60))
gate.set()
show("stuck", ray.get(stuck))

# == unknown_group ==
@ray.remote(concurrency_groups={"io": 2})
class A:
    def m(self):
        return 1

a = A.remote()
ray.get(a.m.remote())
kind("call", lambda: ray.get(a.m.options(concurrency_group="nothing").remote(), timeout=30))

# == wrong_groups ==
class A:
    def m(self):
        return 1

def make(groups):
    return type(ray.remote(concurrency_groups=groups)(A).remote()).__name__

attempt("text", make, "io")
attempt("number", make, 3)

# == wrong_concurrency ==
class A:
    def m(self):
        return 1

for n in (0, -1, 1.5, "2"):
    attempt(f"{n!r}", lambda: ray.get(ray.remote(max_concurrency=n)(A).remote().m.remote()))

# == out_of_order ==
# A call whose argument is pending does not hold back later ones.
gate = Flag()

@ray.remote
def slow():
    gate.wait()
    return "slow"

@ray.remote(allow_out_of_order_execution=True)
class A:
    def __init__(self):
        self.items = []

    def add(self, x):
        self.items.append(x)
        return list(self.items)

a = A.remote()
first = a.add.remote(slow.remote())
show("second", ray.get(a.add.remote("fast"), timeout=60))
gate.set()
show("first", ray.get(first))

# == max_pending_calls ==
gate = Flag()

@ray.remote(max_pending_calls=2)
class A:
    def wait(self):
        gate.wait()
        return 1

a = A.remote()
refs = [a.wait.remote(), a.wait.remote()]
error = attempt("third", a.wait.remote)
show("parents", parents(type(error)))
gate.set()
show("values", ray.get(refs))
attempt("room again", lambda: ray.get(a.wait.remote()))

# == threads_get_while_others_run ==
# One thread waits in a get, the other goes on.
gate = Flag()

@ray.remote(num_cpus=0)
def slow():
    gate.wait()
    return "slow"

@ray.remote(max_concurrency=2)
class A:
    def wait(self):
        return ray.get(slow.remote())

    def open(self):
        gate.set()
        return "opened"

a = A.remote()
show("both", ray.get([a.wait.remote(), a.open.remote()], timeout=90))

# == threads_share_the_instance ==
@ray.remote(max_concurrency=4)
class A:
    def __init__(self):
        self.lock, self.n = threading.Lock(), 0

    def add(self):
        with self.lock:
            self.n += 1
            return self.n

a = A.remote()
show("counted", sorted(ray.get([a.add.remote() for _ in range(40)])) == list(range(1, 41)))

# == threads_have_contexts_of_their_own ==
@ray.remote(max_concurrency=2)
class A:
    def __init__(self):
        self.barrier = threading.Barrier(2)

    def m(self):
        self.barrier.wait(60)
        return ray.get_runtime_context().get_task_id()

a = A.remote()
refs = [a.m.remote(), a.m.remote()]
show("ids", ray.get(refs, timeout=90) == [ref.task_id().hex() for ref in refs])

# == group_of_a_method_by_options ==
@ray.remote(concurrency_groups={"io": 1, "other": 1})
class A:
    @ray.method(concurrency_group="io")
    def io(self):
        return threading.get_ident()

    @ray.method(concurrency_group="other")
    def other(self):
        return threading.get_ident()

a = A.remote()
io, other, moved = ray.get([a.io.remote(), a.other.remote(), a.io.options(concurrency_group="other").remote()])
show("apart", io != other)
show("moved", moved == other)

@ray.remote
def in_a_task(a):
    return ray.get([a.io.remote(), a.other.remote()])

show("in a task", ray.get(in_a_task.remote(a)) == [io, other])

# == group_sizes ==
# As many calls of a group run at once as it says, and those of the default group beside them.
@ray.remote(concurrency_groups={"two": 2}, max_concurrency=3)
class A:
    def __init__(self):
        self.two, self.three = threading.Barrier(2), threading.Barrier(3)

    @ray.method(concurrency_group="two")
    def pair(self):
        self.two.wait(60)
        return "pair"

    def triple(self):
        self.three.wait(60)
        return "triple"

a = A.remote()
show("met", ray.get([a.pair.remote(), a.triple.remote(), a.pair.remote(), a.triple.remote(), a.triple.remote()], timeout=90))

# == out_of_order_of_threads ==
gate = Flag()

@ray.remote
def slow():
    gate.wait()
    return "slow"

@ray.remote(max_concurrency=2)
class A:
    def m(self, x):
        return x

a = A.remote()
first = a.m.remote(slow.remote())
show("second", ray.get(a.m.remote("fast"), timeout=60))
gate.set()
show("first", ray.get(first))
