start(namespace="home")

# == get_actor ==
@ray.remote
class A:
    def m(self):
        return "mine"

a = A.options(name="fred").remote()
b = ray.get_actor("fred")
show("equal", a == b, type(b).__name__)
show("call", ray.get(b.m.remote()))
show("with namespace", ray.get_actor("fred", "home") == a, ray.get_actor("fred", namespace="home") == a)

# == get_actor_of_nothing ==
attempt("unknown", ray.get_actor, "nobody")
attempt("empty", ray.get_actor, "")
attempt("none", ray.get_actor, None)
attempt("other namespace", ray.get_actor, "nobody", "elsewhere")
attempt("empty namespace", ray.get_actor, "nobody", "")
kind("number", ray.get_actor, 3)

# == name_taken ==
@ray.remote
class A:
    pass

a = A.options(name="fred").remote()
ray.get(a.__ray_ready__.remote())
error = attempt("again", lambda: A.options(name="fred").remote())
show("parents", parents(type(error)))
b = A.options(name="fred", namespace="elsewhere").remote()
show("elsewhere", ray.get(b.__ray_ready__.remote()), a == b)

# == name_free_after_kill ==
@ray.remote
class A:
    def __init__(self, x):
        self.x = x

    def get(self):
        return self.x

a = A.options(name="fred").remote(1)
ray.get(a.get.remote())
ray.kill(a)

def gone():
    try:
        ray.get_actor("fred")
    except ValueError:
        return True

show("gone", until(gone))
b = A.options(name="fred").remote(2)
show("again", ray.get(ray.get_actor("fred").get.remote()))

# == name_free_after_the_last_handle ==
@ray.remote
class A:
    def get(self):
        return 1

a = A.options(name="fred").remote()
ray.get(a.get.remote())
del a

def gone():
    try:
        ray.get_actor("fred")
    except ValueError:
        return True

show("gone", until(gone))

# == wrong_names ==
@ray.remote
class A:
    pass

attempt("empty", lambda: A.options(name="").remote())
attempt("number", lambda: A.options(name=3).remote())
attempt("empty namespace", lambda: A.options(name="x", namespace="").remote())
attempt("number as namespace", lambda: A.options(name="x", namespace=3).remote())
attempt("lifetime", lambda: A.options(name="x", lifetime="forever").remote())
attempt("namespace alone", lambda: type(A.options(namespace="x").remote()).__name__)

# == get_if_exists ==
@ray.remote
class A:
    def __init__(self, x):
        self.x = x

    def get(self):
        return self.x

a = A.options(name="fred", get_if_exists=True).remote(1)
b = A.options(name="fred", get_if_exists=True).remote(2)
show("same", a == b, ray.get(b.get.remote()))
attempt("no name", lambda: A.options(get_if_exists=True).remote(1))
attempt("not asked", lambda: A.options(name="fred", get_if_exists=False).remote(1))

# == get_if_exists_from_many_tasks ==
@ray.remote
class A:
    def __init__(self):
        self.n = 0

    def add(self):
        self.n += 1
        return self.n

@ray.remote(num_cpus=0.1)
def f():
    a = A.options(name="shared", get_if_exists=True, lifetime="detached").remote()
    return ray.get(a.add.remote())

show("counts", sorted(ray.get([f.remote() for _ in range(6)])))

# == list_named_actors ==
@ray.remote
class A:
    pass

keep = [
    A.options(name="a").remote(), A.options(name="b", lifetime="detached").remote(),
    A.options(name="c", namespace="elsewhere").remote(), A.remote(),
]
show("here", sorted(ray.util.list_named_actors()))
everywhere = ray.util.list_named_actors(all_namespaces=True)
show("everywhere", sorted((d["name"], d["namespace"]) for d in everywhere))
show("keys", sorted(everywhere[0]))

# == names_in_tasks ==
@ray.remote
class A:
    def m(self):
        return 1

@ray.remote
def f():
    return ray.get(ray.get_actor("fred").m.remote())

@ray.remote
def g():
    A.options(name="gina", lifetime="detached").remote()

a = A.options(name="fred").remote()
show("found", ray.get(f.remote()))
ray.get(g.remote())
show("made there", ray.get(ray.get_actor("gina").m.remote()))

# == detached ==
# A detached actor outlives its handles.
@ray.remote
class A:
    def m(self):
        return "alive"

A.options(name="fred", lifetime="detached").remote()
import gc
gc.collect()
show("alive", ray.get(ray.get_actor("fred").m.remote()))
ray.kill(ray.get_actor("fred"))

def gone():
    try:
        ray.get_actor("fred")
    except ValueError:
        return True

show("gone", until(gone))

# == detached_without_a_name ==
@ray.remote
class A:
    def m(self):
        return 1

attempt("create", lambda: type(A.options(lifetime="detached").remote()).__name__)
attempt("non_detached", lambda: type(A.options(lifetime="non_detached").remote()).__name__)

# == calls_through_two_handles ==
@ray.remote
class A:
    def __init__(self):
        self.n = 0

    def add(self):
        self.n += 1
        return self.n

a = A.options(name="fred").remote()
b = ray.get_actor("fred")
show("alternating", [ray.get(h.add.remote()) for h in (a, b, a, b)])

# == methods_through_get_actor ==
# The options of @method come along.
@ray.remote
class A:
    @ray.method(num_returns=2)
    def two(self):
        return 1, 2

a = A.options(name="fred").remote()
show("two", ray.get(ray.get_actor("fred").two.remote()))
attempt("unknown", lambda: ray.get_actor("fred").nothing)

# == name_in_the_context ==
@ray.remote
class A:
    def look(self):
        context = ray.get_runtime_context()
        return context.get_actor_name(), context.namespace

a = A.options(name="fred", namespace="elsewhere").remote()
show("seen", ray.get(a.look.remote()))

# == name_of_a_failed_actor ==
@ray.remote
class Bad:
    def __init__(self):
        raise ValueError("no")

    def m(self):
        pass

a = Bad.options(name="fred").remote()
kind("call", lambda: ray.get(a.m.remote()))

def gone():
    try:
        ray.get_actor("fred")
    except ValueError:
        return True

show("gone", until(gone))
