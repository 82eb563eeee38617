start()

# == counter ==
@ray.remote
class Counter:
    def __init__(self, start=0):
        self.n = start

    def add(self, k=1):
        self.n += k
        return self.n

c, d = Counter.remote(), Counter.remote(10)
show("c", ray.get([c.add.remote() for _ in range(3)]))
show("d", ray.get(d.add.remote(k=5)))

# == instantiated_directly ==
@ray.remote
class A:
    def m(self):
        return 1

attempt("A()", A)
attempt("A(1)", A, 1)
a = A.remote()
attempt("m()", a.m)
attempt("m(1)", lambda: a.m(1))

# == wrong_constructor_arguments ==
@ray.remote
class A:
    def __init__(self, x, *, y=1):
        pass

attempt("missing", A.remote)
attempt("too many", A.remote, 1, 2)
attempt("unknown", A.remote, 1, z=2)
attempt("options", lambda: A.options(num_cpus=0).remote())

@ray.remote
class B:
    pass

attempt("none wanted", B.remote, 1)

# == wrong_method_arguments ==
@ray.remote
class A:
    def m(self, x, *, y):
        return x, y

a = A.remote()
attempt("missing", a.m.remote)
attempt("missing y", a.m.remote, 1)
attempt("too many", a.m.remote, 1, 2, y=3)
attempt("unknown", a.m.remote, 1, y=2, z=3)
attempt("good", lambda: ray.get(a.m.remote(1, y=2)))

# == unknown_names ==
@ray.remote
class A:
    value = 3

    def m(self):
        pass

a = A.remote()
attempt("method", lambda: a.nothing)
attempt("method remote", lambda: a.nothing.remote())
attempt("class attribute", lambda: a.value)
attempt("class method", lambda: A.nothing)
kind("m of the class", lambda: A.m.__name__)
attempt("assign", lambda: setattr(a, "x", 1))
show("hasattr", hasattr(a, "m"), hasattr(a, "nothing"))

# == order_of_calls ==
@ray.remote
class Log:
    def __init__(self):
        self.items = []

    def add(self, x):
        self.items.append(x)

    def get(self):
        return self.items

log = Log.remote()
for i in range(50):
    log.add.remote(i)
show("in order", ray.get(log.get.remote()) == list(range(50)))

# == order_with_pending_arguments ==
gate = Flag()

@ray.remote
def slow():
    gate.wait()
    return "slow"

@ray.remote
class Log:
    def __init__(self):
        self.items = []

    def add(self, x):
        self.items.append(x)

    def get(self):
        return self.items

log = Log.remote()
log.add.remote(slow.remote())
log.add.remote("fast")
result = log.get.remote()
show("held back", [len(x) for x in ray.wait([result], timeout=0.5)])
gate.set()
show("items", ray.get(result))

# == inheritance ==
class Base:
    def __init__(self, x):
        self.x = x

    def base(self):
        return f"base {self.x}"

    def both(self):
        return "base's"

class Mixin:
    def mixed(self):
        return "mixed"

@ray.remote
class Child(Mixin, Base):
    def both(self):
        return "child's, " + super().both()

c = Child.remote(4)
show("methods", ray.get([c.base.remote(), c.both.remote(), c.mixed.remote()]))

# == inheritance_from_an_actor_class ==
@ray.remote
class A:
    pass

def derive():
    class B(A):
        pass

attempt("derive", derive)

# == static_and_class_methods ==
@ray.remote
class A:
    factor = 3

    @staticmethod
    def static(x):
        return x + 1

    @classmethod
    def cls(cls, x):
        return cls.factor * x, cls.__name__

    @property
    def prop(self):
        return 5

    def read(self):
        return self.prop, self.factor

a = A.remote()
attempt("static", lambda: ray.get(a.static.remote(1)))
attempt("class", lambda: ray.get(a.cls.remote(2)))
attempt("read", lambda: ray.get(a.read.remote()))
attempt("property", lambda: ray.get(a.prop.remote()))

# == dunder_methods ==
@ray.remote
class A:
    def __init__(self):
        self.items = [1, 2, 3]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]

    def __call__(self, x):
        return x * 2

    def __private(self):
        return "private"

    def _protected(self):
        return "protected"

a = A.remote()
attempt("len", lambda: ray.get(a.__len__.remote()))
attempt("getitem", lambda: ray.get(a.__getitem__.remote(1)))
attempt("call", lambda: ray.get(a.__call__.remote(4)))
attempt("protected", lambda: ray.get(a._protected.remote()))
attempt("private", lambda: ray.get(a._A__private.remote()))
kind("len of the handle", len, a)

# == handle_equality ==
@ray.remote
class A:
    def me(self):
        return ray.get_runtime_context().current_actor

    def same(self, other):
        return other == ray.get_runtime_context().current_actor

a, b = A.remote(), A.remote()
show("equal", a == a, a == b, a != b, a == 3)
show("hash", len({a, a, b}))
back = ray.get(a.me.remote())
show("through the actor", back == a, hash(back) == hash(a))
show("as an argument", ray.get(a.same.remote(a)), ray.get(a.same.remote(b)))

# == handle_repr ==
@ray.remote
class A:
    pass

a = A.remote()
show("repr", repr(a), str(a))
show("class", type(a).__name__, type(A).__name__)
show("repr of the class", "ActorClass(A)" in str(A))

# == handles_passed_around ==
@ray.remote
class Store:
    def __init__(self):
        self.items = {}

    def put(self, k, v):
        self.items[k] = v

    def get(self):
        return self.items

@ray.remote
def writer(store, k):
    ray.get(store.put.remote(k, k * k))

store = Store.remote()
ray.get([writer.remote(store, i) for i in range(4)])
show("items", sorted(ray.get(store.get.remote()).items()))
inside = ray.get(ray.put([store]))[0]
show("in an object", inside == store, len(ray.get(inside.get.remote())))

# == pickled_handles ==
from ray import cloudpickle

@ray.remote
class A:
    def m(self):
        return 5

a = A.remote()
b = cloudpickle.loads(cloudpickle.dumps(a))
show("equal", a == b)
show("value", ray.get(b.m.remote()))

# == actors_make_actors ==
@ray.remote
class Child:
    def __init__(self, n):
        self.n = n

    def value(self):
        return self.n

@ray.remote
class Parent:
    def __init__(self):
        self.children = [Child.options(num_cpus=0).remote(i) for i in range(3)]

    def values(self):
        return ray.get([c.value.remote() for c in self.children])

    def child(self, i):
        return self.children[i]

p = Parent.remote()
show("values", ray.get(p.values.remote()))
show("child", ray.get(ray.get(p.child.remote(2)).value.remote()))

# == constructor_gets_references ==
@ray.remote
class A:
    def __init__(self, x, refs):
        self.seen = (x, [type(r).__name__ for r in refs])

    def get(self):
        return self.seen

a = A.remote(ray.put(1), [ray.put(2)])
show("seen", ray.get(a.get.remote()))

# == constructor_failure ==
from ray.exceptions import *

@ray.remote
class A:
    def __init__(self):
        raise ValueError("not today")

    def m(self):
        return 1

a = A.remote()
error = kind("call", lambda: ray.get(a.m.remote()))
show("parents", parents(type(error)))
show("first", first_line(error).split(" (pid")[0])
show("last", last_line(error))
show("init failed", error.actor_init_failed, error.preempted)
show("id", len(error.actor_id))
error = kind("again", lambda: ray.get(a.m.remote()))

# == constructor_argument_fails ==
@ray.remote
def bad():
    raise KeyError("lost")

@ray.remote
class A:
    def __init__(self, x):
        pass

    def m(self):
        return 1

a = A.remote(bad.remote())
error = kind("call", lambda: ray.get(a.m.remote()))
show("tells", "lost" in str(error))

# == kill ==
@ray.remote
class A:
    def m(self):
        return 1

a = A.remote()
ray.get(a.m.remote())
show("kill", ray.kill(a))
error = kind("after", lambda: ray.get(a.m.remote(), timeout=30))
show("parents", parents(type(error)))
show("first", first_line(error))
attempt("twice", ray.kill, a)

# == kill_of_wrong_things ==
@ray.remote
class A:
    pass

attempt("number", ray.kill, 3)
attempt("class", ray.kill, A)
attempt("reference", ray.kill, ray.put(1))
attempt("none", ray.kill, None)
attempt("positional", ray.kill, A.remote(), True)

# == kill_while_running ==
started = Flag()

@ray.remote
class A:
    def hang(self):
        started.set()
        until(lambda: False)

    def m(self):
        return 1

a = A.remote()
running, waiting = a.hang.remote(), a.m.remote()
started.wait()
ray.kill(a)
kind("running", ray.get, running, timeout=30)
kind("waiting", ray.get, waiting, timeout=30)

# == terminate ==
@ray.remote
class A:
    def m(self):
        return 1

a = A.remote()
first = a.m.remote()
last = a.__ray_terminate__.remote()
show("before", ray.get(first))
kind("terminate", ray.get, last, timeout=30)
kind("after", lambda: ray.get(a.m.remote(), timeout=30))

# == ready ==
@ray.remote
class A:
    pass

a = A.remote()
attempt("ready", lambda: ray.get(a.__ray_ready__.remote()))

# == call_a_function ==
@ray.remote
class A:
    def __init__(self):
        self.x = 3

def look(self, k, *, m=0):
    self.x += k
    return self.x + m

a = A.remote()
attempt("call", lambda: ray.get(a.__ray_call__.remote(look, 2)))
attempt("keyword", lambda: ray.get(a.__ray_call__.remote(look, 1, m=100)))
attempt("lambda", lambda: ray.get(a.__ray_call__.remote(lambda self: type(self).__name__)))

# == num_returns_of_methods ==
@ray.remote
class A:
    @ray.method(num_returns=2)
    def two(self):
        return 1, 2

    @ray.method(num_returns=0)
    def none(self):
        return 5

    def one(self):
        return 3, 4

a = A.remote()
show("two", ray.get(a.two.remote()))
show("none", a.none.remote())
show("options", ray.get(a.one.options(num_returns=2).remote()))
show("options one", ray.get(a.two.options(num_returns=1).remote()))
show("_remote", ray.get(a.one._remote(num_returns=2)))
show("args", ray.get(a.__ray_call__._remote(args=[lambda self, x: x, 9])))

# == method_decorator_misuse ==
def f(self):
    pass

attempt("no arguments", lambda: ray.method()(f) is f)
attempt("function", lambda: ray.method(f) is f)
attempt("class", lambda: ray.method(int) is int)
attempt("number", ray.method, 3)
attempt("two", ray.method, f, f)
attempt("unknown", ray.method, num_cpus=1)
attempt("good", lambda: callable(ray.method(num_returns=1)))
attempt("both", lambda: ray.method(num_returns=2, concurrency_group="x")(f) is f)

# == end_with_the_last_handle ==
import os
ended = Flag()

@ray.remote
class A:
    def __init__(self):
        import atexit
        atexit.register(ended.set)

    def pid(self):
        return os.getpid()

a = A.remote()
pid = ray.get(a.pid.remote())
show("alive", os.path.exists(f"/proc/{pid}"))
del a
show("ended", until(lambda: not os.path.exists(f"/proc/{pid}")))

# == calls_before_the_handle_goes ==
# A call submitted before the last handle goes still runs.
@ray.remote
class A:
    def m(self):
        return "ran"

show("value", ray.get(A.remote().m.remote()))

# == attributes_of_actor_classes ==
import inspect

@ray.remote
class Documented:
    """What it is."""

    def __init__(self, x: int, y=2):
        """How it starts."""

    def m(self, z):
        """What it does."""

d = Documented.remote(1)
show("module", Documented.__module__)
show("plain class", Documented.__ray_actor_class__.__name__)
show("methods", sorted(n for n in dir(d) if not n.startswith("_")))
show("public of the class", [n for n in ("remote", "options", "bind") if hasattr(Documented, n)])
show("public of a method", [n for n in ("remote", "options", "bind") if hasattr(d.m, n)])

# == options_of_classes ==
@ray.remote(num_cpus=1)
class A:
    def name(self):
        return ray.get_runtime_context().get_actor_name()

b = A.options(name="fred", num_cpus=0)
show("has remote", hasattr(b, "remote"))
show("name", ray.get(b.remote().name.remote()))
show("no name", ray.get(A.remote().name.remote()))
attempt("_remote", lambda: ray.get(A._remote(name="gina").name.remote()))
attempt("unknown", lambda: A.options(nothing=1))
attempt("task option", lambda: A.options(max_retries=1))
attempt("groups", lambda: A.options(concurrency_groups={"io": 1}))

# == large_state ==
import numpy as np

@ray.remote
class Matrix:
    def __init__(self, a):
        self.a = a

    def get(self):
        return self.a

    def writeable(self):
        return self.a.flags.writeable

m = Matrix.remote(np.arange(500_000))
show("sum", int(ray.get(m.get.remote()).sum()))
show("writeable", ray.get(m.writeable.remote()))
show("direct", ray.get(Matrix.remote(ray.put(np.zeros(200_000))).writeable.remote()))
