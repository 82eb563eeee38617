start()

# == wrong_arguments ==
ref, other = ray.put(1), ray.put(2)
attempt("single", ray.wait, ref)
attempt("tuple", ray.wait, (ref,))
attempt("set", ray.wait, {ref})
attempt("none", ray.wait, None)
attempt("numbers", ray.wait, [1, 2])
attempt("mixed", ray.wait, [ref, 2])
attempt("nested", ray.wait, [[ref]])
attempt("duplicates", ray.wait, [ref, ref])
attempt("duplicates two", ray.wait, [ref, other, ref], num_returns=2)
attempt("positional", ray.wait, [ref], 1)

# == wrong_num_returns ==
ref = ray.put(1)
for n in (0, -1, 2, 5):
    attempt(f"{n}", ray.wait, [ref], num_returns=n)
kind("text", ray.wait, [ref], num_returns="1")
kind("none", ray.wait, [ref], num_returns=None)

# == wrong_timeout ==
ref = ray.put(1)
attempt("negative", ray.wait, [ref], timeout=-1)
attempt("small negative", ray.wait, [ref], timeout=-0.001)
kind("text", ray.wait, [ref], timeout="1")
attempt("negative, empty", ray.wait, [], timeout=-1)

# == empty ==
attempt("empty", ray.wait, [])
attempt("with num_returns", ray.wait, [], num_returns=3)
attempt("with timeout", ray.wait, [], timeout=0)

# == ready_and_rest ==
refs = [ray.put(i) for i in range(4)]
ray.get(refs)
for n in (1, 2, 4):
    ready, rest = ray.wait(refs, num_returns=n, timeout=30)
    show(f"{n}", len(ready), len(rest), sorted(refs.index(r) for r in ready + rest))
show("types", type(ready).__name__, type(rest).__name__, type(ray.wait(refs)).__name__)

# == order_is_kept ==
gates = [Flag() for _ in range(3)]

@ray.remote(num_cpus=0.1)
def f(gate):
    gate.wait()

refs = [f.remote(g) for g in gates]
gates[2].set()
ready, rest = ray.wait(refs, timeout=30)
show("last first", [refs.index(r) for r in ready], [refs.index(r) for r in rest])
gates[0].set()
ready, rest = ray.wait(refs, num_returns=2, timeout=30)
show("two", [refs.index(r) for r in ready], [refs.index(r) for r in rest])
gates[1].set()
ready, rest = ray.wait(refs[::-1], num_returns=3, timeout=30)
show("all, reversed", [refs.index(r) for r in ready], rest)

# == timeout_with_fewer ==
gate = Flag()

@ray.remote
def f():
    gate.wait()

ready, slow = ray.put(1), f.remote()
show("zero", [len(x) for x in ray.wait([slow], timeout=0)])
show("small", [len(x) for x in ray.wait([slow, ready], num_returns=2, timeout=0.2)])
show("only ready", [len(x) for x in ray.wait([slow, ready], num_returns=1, timeout=0.5)])
gate.set()
show("then", [len(x) for x in ray.wait([slow, ready], num_returns=2, timeout=30)])

# == more_ready_than_asked ==
refs = [ray.put(i) for i in range(5)]
ray.get(refs)
ready, rest = ray.wait(refs, num_returns=2)
show("no more than asked", len(ready), len(rest))

# == failed_objects_are_ready ==
@ray.remote
def bad():
    raise ValueError("x")

ready, rest = ray.wait([bad.remote()], timeout=30)
show("ready", len(ready), len(rest))
attempt("get", ray.get, ready[0])

# == fetch_local ==
ref = ray.remote(lambda: 1).remote()
ready, rest = ray.wait([ref], fetch_local=False, timeout=30)
show("ready", len(ready), len(rest))

# == inside_a_task ==
@ray.remote
def child(i):
    return i

@ray.remote
def parent():
    refs = [child.remote(i) for i in range(6)]
    seen = []
    while refs:
        ready, refs = ray.wait(refs, num_returns=min(2, len(refs)))
        seen += ray.get(ready)
    return sorted(seen)

show("seen", ray.get(parent.remote()))

# == loop_of_waits ==
@ray.remote
def f(i):
    return i * i

pending, values = [f.remote(i) for i in range(30)], []
while pending:
    ready, pending = ray.wait(pending)
    values += ray.get(ready)
show("values", sorted(values))

# == unfinished_actor_calls ==
gate = Flag()

@ray.remote
class A:
    def slow(self):
        gate.wait()
        return "slow"

    def fast(self):
        return "fast"

a = A.remote()
slow, fast = a.slow.remote(), a.fast.remote()
show("in turn", [len(x) for x in ray.wait([slow, fast], num_returns=2, timeout=0.3)])
gate.set()
show("both", [len(x) for x in ray.wait([slow, fast], num_returns=2, timeout=30)])

# == blocked_tasks_give_their_cpu_back ==
# More parents than CPUs wait for children.
@ray.remote
def child(i):
    return i

@ray.remote
def parent(i):
    return ray.get(ray.wait([child.remote(i)])[0][0])

show("sum", sum(ray.get([parent.remote(i) for i in range(8)])))
