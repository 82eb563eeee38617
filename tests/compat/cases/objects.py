start()

# == get_of_wrong_things ==
ref = ray.put(1)
attempt("number", ray.get, 3)
attempt("tuple", ray.get, (ref,))
attempt("string", ray.get, "x")
attempt("none", ray.get, None)
attempt("set", ray.get, {ref})
attempt("list with a number", ray.get, [ref, 3])
attempt("list with none", ray.get, [None])
attempt("nested list", ray.get, [[ref]])
attempt("dict", ray.get, {"a": ref})
attempt("generator", ray.get, (r for r in [ref]))
attempt("empty list", ray.get, [])
attempt("positional timeout", ray.get, ref, 1)

# == get_lists ==
refs = [ray.put(i) for i in range(5)]
show("order", ray.get(list(reversed(refs))))
show("duplicates", ray.get([refs[0], refs[0], refs[1]]))
show("one", ray.get([refs[3]]))
show("type", type(ray.get(refs)).__name__)

# == get_timeouts ==
gate = Flag()

@ray.remote
def f():
    gate.wait()
    return 1

ref, ready = f.remote(), ray.put(2)
attempt("zero", ray.get, ref, timeout=0)
attempt("small", ray.get, ref, timeout=0.05)
attempt("list", ray.get, [ready, ref], timeout=0.05)
attempt("ready", ray.get, ready, timeout=0)
error = attempt("class", ray.get, ref, timeout=0)
show("parents", parents(type(error)))
show("is TimeoutError", isinstance(error, TimeoutError))
gate.set()
attempt("then", ray.get, ref, timeout=30)
attempt("zero again", ray.get, ref, timeout=0)

# == get_negative_timeout ==
ref = ray.put(1)
attempt("-1", ray.get, ref, timeout=-1)
attempt("-2", ray.get, ref, timeout=-2)

# == get_fails_at_the_first_error ==
gate = Flag()

@ray.remote
def slow():
    gate.wait()

@ray.remote
def bad():
    raise ValueError("at once")

attempt("get", ray.get, [slow.remote(), bad.remote()])
gate.set()

# == get_first_error_in_order ==
@ray.remote
def bad(i):
    raise ValueError(f"number {i}")

refs = [bad.remote(i) for i in range(3)]
ray.wait(refs, num_returns=3)
attempt("in order", ray.get, refs)
attempt("reversed", ray.get, refs[::-1])

# == put_of_a_reference ==
ref = ray.put(1)
attempt("reference", ray.put, ref)
show("in a list", ray.get(ray.get(ray.put([ref]))[0]))
attempt("owner", ray.put, 1, _owner=3)

# == put_takes_anything ==
import datetime, decimal, collections, enum

class Color(enum.Enum):
    RED = 1

Pair = collections.namedtuple("Pair", "a b")
for value in (
    None, True, 1, 1.5, 2**100, 1j, "text", b"bytes", bytearray(b"x"), [], (), {}, set(), frozenset([1]),
    range(3), slice(1, 2), datetime.date(2020, 1, 2), decimal.Decimal("1.50"), Color.RED, Pair(1, 2),
    collections.OrderedDict(a=1), collections.Counter("aab"), ..., NotImplemented, int, ValueError("v"),
):
    back = ray.get(ray.put(value))
    show(type(value).__name__, back, type(back) is type(value))

# == identity ==
# A value that comes back is a copy, and small ones too.
value = [1, [2]]
ref = ray.put(value)
show("same", ray.get(ref) is value, ray.get(ref) == value)
a, b = ray.get([ref, ref])
show("shared inside", a == b)
loop = [1]
loop.append(loop)
back = ray.get(ray.put(loop))
show("cycle", back[1] is back)
x = [1]
p, q = ray.get(ray.put([x, x]))
show("shared", p is q)

# == numpy_arrays_are_read_only ==
import numpy as np
for array in (np.zeros(5), np.arange(200_000), np.zeros((3, 4), dtype="f4"), np.array(3)):
    back = ray.get(ray.put(array))
    show("flags", back.flags.writeable, back.dtype.name, back.shape)
    try:
        back[...] = 1
        show("written")
    except ValueError as error:
        show("not written", error)

# == numpy_zero_copy ==
import numpy as np
ref = ray.put(np.arange(1_000_000))
a, b = ray.get(ref), ray.get(ref)
show("shared memory", np.shares_memory(a, b))
show("owns", a.flags.owndata)

@ray.remote
def f(x):
    return x.flags.writeable, int(x[-1])

show("in a task", ray.get(f.remote(ref)))

# == numpy_kinds ==
import numpy as np
for array in (
    np.array(["a", "bc"]), np.array([b"a"]), np.array([1, None], dtype=object), np.array([True, False]),
    np.array(["2020-01-01"], dtype="M8[D]"), np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    np.arange(6).reshape(2, 3).T, np.arange(10)[::2], np.float32(1.5), np.array([], dtype="i8"),
    np.ma.array([1, 2], mask=[0, 1]), np.matrix([[1, 2]]),
):
    back = ray.get(ray.put(array))
    show(type(array).__name__, type(back) is type(array), str(back.dtype), back.tolist(), back.flags.f_contiguous)

# == pandas_frames ==
import pandas as pd
frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[10, 20])
back = ray.get(ray.put(frame))
show("equal", back.equals(frame), list(back.dtypes.astype(str)) == list(frame.dtypes.astype(str)))
series = ray.get(ray.put(pd.Series([1.5, 2.5], name="s")))
show("series", series.name, series.tolist())

# == big_bytes ==
data = bytes(range(256)) * 8192
ref = ray.put(data)
show("equal", ray.get(ref) == data, type(ray.get(ref)).__name__)
show("bytearray", ray.get(ray.put(bytearray(data))) == data)
show("memoryview", type(attempt("view", lambda: len(ray.get(ray.put(memoryview(data)))))).__name__)

# == custom_reduce ==
class Held:
    def __init__(self, ref, n):
        self.ref, self.n = ref, n

    def __reduce__(self):
        return (Held, (self.ref, self.n + 1))

inner = ray.put("inner")
held = ray.get(ray.put(Held(inner, 0)))
show("value", ray.get(held.ref), held.n)
del inner
show("still", ray.get(held.ref))

@ray.remote
def f(h):
    return h.n, ray.get(h.ref)

show("in a task", ray.get(f.remote(held)))

# == getstate_and_setstate ==
class Counted:
    def __init__(self):
        self.state = "made"

    def __getstate__(self):
        return {"state": "pickled"}

    def __setstate__(self, state):
        self.state = state["state"] + ", unpickled"

show("driver", ray.get(ray.put(Counted())).state)
show("task", ray.get(ray.remote(lambda c: c.state).remote(Counted())))

# == unpicklable_values ==
import threading
lock = threading.Lock()
kind("put", ray.put, lock)
kind("in a list", ray.put, [1, {"x": lock}])

@ray.remote
def f(x):
    return 1

kind("argument", f.remote, lock)
kind("keyword", lambda: f.remote(x=[lock]))

@ray.remote
def g():
    return lock

kind("closure", g.remote)

@ray.remote
def h():
    return threading.Lock()

error = kind("result", lambda: ray.get(h.remote()))
show("is a TypeError", isinstance(error, TypeError))
show("cannot pickle", "cannot pickle '_thread.lock' object" in str(error))

# == pickling_that_raises ==
class Bad:
    def __reduce__(self):
        raise RuntimeError("not me")

kind("put", ray.put, Bad())

@ray.remote
def f():
    return Bad()

error = attempt("result", lambda: ray.get(f.remote()))
show("is RuntimeError", isinstance(error, RuntimeError))

# == unpickling_that_raises ==
def explode():
    raise RuntimeError("on arrival")

class Bomb:
    def __reduce__(self):
        return (explode, ())

ref = ray.put(Bomb())
kind("get", ray.get, ref)

@ray.remote
def f(x):
    return "ran"

error = kind("argument", lambda: ray.get(f.remote(ref)))
show("tells", "on arrival" in str(error))

# == recursive_structures ==
class Node:
    def __init__(self):
        self.me = self
        self.children = [self]

back = ray.get(ray.put(Node()))
show("itself", back.me is back, back.children[0] is back)

# == references_deep_inside ==
ref = ray.put("deep")
value = {"a": [({"b": ref},)]}
back = ray.get(ray.put(value))
show("found", ray.get(back["a"][0][0]["b"]), back["a"][0][0]["b"] == ref)

@ray.remote
def nest(n):
    return [ray.put(n)] if n == 0 else [nest.remote(n - 1)]

value = nest.remote(3)
depth = 0
while isinstance(value, ray.ObjectRef):
    value = ray.get(value)[0] if isinstance(ray.get(value), list) else ray.get(value)
    depth += 1
show("depth", depth, value)

# == borrowed_references ==
# A task stores a reference that it got inside a list; the owner lets go of it.
@ray.remote
class Keeper:
    def keep(self, refs):
        self.refs = refs

    def value(self):
        return ray.get(self.refs[0])

keeper = Keeper.remote()
ref = ray.put("kept")
ray.get(keeper.keep.remote([ref]))
del ref
show("value", ray.get(keeper.value.remote()))

# == future ==
import concurrent.futures

@ray.remote
def f(x):
    if x < 0:
        raise ValueError("negative")
    return x

future = f.remote(1).future()
show("type", isinstance(future, concurrent.futures.Future))
attempt("result", future.result, timeout=30)
bad = f.remote(-1).future()
attempt("error", bad.result, timeout=30)
show("exception", type(bad.exception()).__name__)
done, rest = concurrent.futures.wait([f.remote(i).future() for i in range(3)], timeout=30)
show("values", sorted(d.result() for d in done), len(rest))

# == await_references ==
import asyncio

@ray.remote
def f(x):
    if x < 0:
        raise ValueError("negative")
    return x

async def main():
    show("one", await f.remote(1))
    show("gathered", await asyncio.gather(*[f.remote(i) for i in range(5)]))
    try:
        await f.remote(-1)
    except ValueError as error:
        show("error", type(error).__name__)
    show("waited for", await asyncio.wait_for(f.remote(2), 30))
    done, rest = await asyncio.wait([f.remote(i).as_future() for i in range(3)])
    show("wait", sorted(d.result() for d in done), len(rest))

asyncio.run(main())

# == reference_methods ==
ref = ray.put(1)
show("sizes", len(ref.hex()), len(ref.binary()), ref.size())
show("nil", ref.is_nil(), ray.ObjectRef.nil().is_nil())
show("ids", type(ref.task_id()).__name__, type(ref.job_id()).__name__)
show("hash", hash(ref) == hash(ref), {ref: 1}[ref])
show("equal", ref == ref, ref == ray.put(1), ref == 3, ref != ref)
show("text", str(ref), repr(ref))
show("class", ray.ObjectID is ray.ObjectRef)
show("generic", str(ray.ObjectRef[int]).endswith("ObjectRef[int]"))

# == references_from_bytes ==
ref = ray.put("x")
attempt("random", lambda: len(ray.ObjectRef.from_random().hex()))
attempt("nil", lambda: ray.ObjectRef.nil().hex())
attempt("short", ray.ObjectRef, b"12")
attempt("text", ray.ObjectRef, "text")

# == out_of_band ==
# A pickled reference is the same one.
from ray import cloudpickle
import pickle
ref = ray.put("value")
back = cloudpickle.loads(cloudpickle.dumps(ref))
show("equal", back == ref, ray.get(back))
show("pickle", pickle.loads(pickle.dumps(ref)) == ref)

# == copy_of_a_reference ==
import copy
ref = ray.put("value")
attempt("copy", lambda: copy.copy(ref) == ref)
attempt("deepcopy", lambda: copy.deepcopy(ref) == ref)

# == many_small_objects ==
refs = [ray.put(i) for i in range(1000)]
show("sum", sum(ray.get(refs)))
show("distinct", len(set(refs)))

# == dataclasses_and_slots ==
import dataclasses

@dataclasses.dataclass(frozen=True)
class D:
    x: int
    y: list = dataclasses.field(default_factory=list)

class S:
    __slots__ = ("a",)

s = S()
s.a = 1
show("dataclass", ray.get(ray.put(D(1, [2]))))
show("slots", ray.get(ray.put(s)).a)
show("task", ray.get(ray.remote(lambda d: dataclasses.replace(d, x=5)).remote(D(1))))
