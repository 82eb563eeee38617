start()

# == simple ==
@ray.remote
def f(x, y=2, *rest, z=3, **more):
    return x, y, rest, z, sorted(more.items())

show("one", ray.get(f.remote(1)))
show("all", ray.get(f.remote(1, 5, 6, 7, z=8, a=9, b=10)))
show("keywords", ray.get(f.remote(x=1, y=0)))

# == called_directly ==
@ray.remote
def f():
    return 1

attempt("f()", f)
attempt("f(1, x=2)", f, 1, x=2)

# == remote_of_wrong_things ==
attempt("number", ray.remote, 3)
attempt("string", ray.remote, "f")
attempt("none", ray.remote, None)
attempt("nothing", ray.remote)
attempt("positional", ray.remote, 1, 2)
attempt("function and option", ray.remote, len, num_cpus=1)

class Callable:
    def __call__(self):
        return 1

attempt("callable object", ray.remote, Callable())
import functools
attempt("partial", ray.remote, functools.partial(len, [1]))

# == builtins ==
attempt("len", lambda: ray.get(ray.remote(len).remote([1, 2])))
import math, operator
attempt("sqrt", lambda: ray.get(ray.remote(math.sqrt).remote(9)))
attempt("add", lambda: ray.get(ray.remote(operator.add).remote(9, 1)))

# == lambdas ==
double = ray.remote(lambda x: 2 * x)
show("values", ray.get([double.remote(i) for i in range(4)]))
attempt("missing", double.remote)
attempt("call", double)

# == async_function ==
async def f():
    return 1

attempt("async", ray.remote, f)

# == wrong_arguments ==
@ray.remote
def f(a, b=1, *, c):
    return a, b, c

attempt("missing a", f.remote, c=1)
attempt("missing c", f.remote, 1)
attempt("too many", f.remote, 1, 2, 3, c=4)
attempt("unknown", f.remote, 1, c=2, d=3)
attempt("twice", f.remote, 1, a=2, c=3)
attempt("good", lambda: ray.get(f.remote(1, c=2)))

# == positional_only ==
@ray.remote
def f(a, b, /, c):
    return a, b, c

attempt("good", lambda: ray.get(f.remote(1, 2, c=3)))
attempt("by name", lambda: ray.get(f.remote(1, b=2, c=3)))

# == references_as_arguments ==
@ray.remote
def f(*args, **kwargs):
    return [type(a).__name__ for a in args], {k: type(v).__name__ for k, v in kwargs.items()}

ref = ray.put(5)
show("top level", ray.get(f.remote(ref, 1, x=ref)))
show("nested", ray.get(f.remote([ref], {"a": ref}, (ref,))))

# == nested_references ==
@ray.remote
def f(refs, mapping):
    return ray.get(refs), ray.get(mapping["a"])

one, two = ray.put(1), ray.remote(lambda: 2).remote()
show("values", ray.get(f.remote([one, two], {"a": two})))

# == return_of_a_reference ==
@ray.remote
def f():
    return ray.put("inner")

@ray.remote
def g(ref):
    return type(ref).__name__

outer = f.remote()
inner = ray.get(outer)
show("types", type(inner).__name__, ray.get(inner))
show("as an argument", ray.get(g.remote(outer)))

# == num_returns ==
@ray.remote(num_returns=3)
def three():
    return 1, 2, 3

@ray.remote(num_returns=0)
def none():
    return 5

@ray.remote(num_returns=1)
def one():
    return 1, 2

a, b, c = three.remote()
show("three", ray.get([a, b, c]))
show("type", type(three.remote()).__name__)
show("none", none.remote())
show("one", ray.get(one.remote()))
show("options", ray.get(one.options(num_returns=2).remote()))
show("_remote", ray.get(one._remote(num_returns=2)))

# == wrong_number_of_returns ==
@ray.remote(num_returns=2)
def f(n):
    return tuple(range(n))

for n in (1, 2, 3):
    refs = f.remote(n)
    attempt(f"{n} of 2", lambda: ray.get(refs))

@ray.remote(num_returns=2)
def g():
    return 5

attempt("a number", lambda: ray.get(g.remote()))
attempt("second", lambda: ray.get(g.remote()[1]))

# == returns_from_list_and_iterators ==
@ray.remote(num_returns=2)
def f(how):
    if how == "list":
        return [1, 2]
    if how == "string":
        return "ab"
    if how == "dict":
        return {"x": 1, "y": 2}
    if how == "array":
        import numpy
        return numpy.arange(2)
    return iter((1, 2))

for how in ("list", "string", "dict", "array", "iterator"):
    attempt(how, lambda: [x for x in ray.get(f.remote(how))])

# == options_object ==
@ray.remote
def f():
    return 1

g = f.options(num_returns=2)
show("has remote", hasattr(g, "remote"), hasattr(g, "bind"))
attempt("value", lambda: ray.get(f.options(num_cpus=0.5, name="n").remote()))
attempt("f itself", lambda: ray.get(f.remote()))
attempt("unknown", lambda: f.options(nothing=1))
attempt("max_calls", lambda: f.options(max_calls=1))

# == underscore_remote ==
@ray.remote
def f(a, b=1):
    return a, b

attempt("args", lambda: ray.get(f._remote(args=[1])))
attempt("kwargs", lambda: ray.get(f._remote(args=(1,), kwargs={"b": 2})))
attempt("only kwargs", lambda: ray.get(f._remote(kwargs={"a": 1})))
attempt("options", lambda: len(f._remote(args=[1], num_returns=2)))
attempt("nothing", lambda: f._remote())

# == closures ==
factor = 3

def outer(n):
    def inner(x):
        return x * n * factor
    return inner

times = ray.remote(outer(2))
show("first", ray.get(times.remote(1)))
factor = 100
show("captured when exported", ray.get(times.remote(1)))
again = ray.remote(outer(2))
show("exported anew", ray.get(again.remote(1)))

# == globals_captured_at_the_first_call ==
setting = 1

@ray.remote
def f():
    return setting

setting = 2
show("at the first call", ray.get(f.remote()))
setting = 3
show("later", ray.get(f.remote()))

# == redefinition ==
@ray.remote
def f():
    return "first"

old = f
show("first", ray.get(f.remote()))

@ray.remote
def f():
    return "second"

show("second", ray.get(f.remote()))
show("old", ray.get(old.remote()))

# == references_in_closures ==
ref = ray.put([1, 2, 3])

@ray.remote
def f():
    return sum(ray.get(ref))

show("sum", ray.get(f.remote()))
del ref
show("still there", ray.get(f.remote()))

# == references_as_defaults ==
ref = ray.put(7)

@ray.remote
def f(x=ref):
    return type(x).__name__, ray.get(x) if hasattr(x, "hex") else x

show("default", ray.get(f.remote()))
show("given", ray.get(f.remote(ref)))

# == nested_tasks ==
@ray.remote
def leaf(x):
    return x + 1

@ray.remote
def branch(n):
    return sum(ray.get([leaf.remote(i) for i in range(n)]))

@ray.remote
def root():
    return ray.get([branch.remote(i) for i in range(4)])

show("tree", ray.get(root.remote()))

# == recursion ==
@ray.remote
def fib(n):
    return n if n < 2 else sum(ray.get([fib.remote(n - 1), fib.remote(n - 2)]))

show("fib", ray.get(fib.remote(6)))

# == decorated_inside_a_task ==
@ray.remote
def outer():
    @ray.remote
    def inner(x):
        return x * 10
    return ray.get([inner.remote(i) for i in range(3)])

show("inner", ray.get(outer.remote()))

# == functions_as_arguments ==
@ray.remote
def apply(f, x):
    return f(x)

@ray.remote
def plus(x):
    return x + 1

@ray.remote
def call(remote, x):
    return ray.get(remote.remote(x))

show("lambda", ray.get(apply.remote(lambda x: x * 3, 2)))
show("remote function", ray.get(call.remote(plus, 2)))

# == chain ==
@ray.remote
def add(x, y):
    return x + y

ref = add.remote(0, 1)
for i in range(20):
    ref = add.remote(ref, i)
show("end", ray.get(ref))

# == arguments_are_copies ==
@ray.remote
def f(items):
    items.append(4)
    return items

mine = [1, 2, 3]
show("changed", ray.get(f.remote(mine)))
show("mine", mine)
ref = ray.put(mine)
show("from the store", ray.get(f.remote(ref)))
show("store", ray.get(ref))
mine.append(5)
show("after a change here", ray.get(ref))

# == many_arguments ==
@ray.remote
def f(*args, **kwargs):
    return len(args), sum(args), len(kwargs), sum(kwargs.values())

refs = [ray.put(i) for i in range(100)]
show("sums", ray.get(f.remote(*refs, **{f"k{i}": refs[i] for i in range(50)})))

# == attributes_of_remote_functions ==
@ray.remote
def documented(x):
    """What it does."""

show("plain function", documented._function.__name__)
show("callable", callable(documented))

# == methods_and_static_functions ==
class Tool:
    k = 3

    def __init__(self, n):
        self.n = n

    def times(self, x):
        return self.n * x

    @staticmethod
    def plus(x):
        return x + 1

    @classmethod
    def cls(cls, x):
        return cls.k * x

attempt("bound", lambda: ray.get(ray.remote(Tool(5).times).remote(2)))
attempt("static", lambda: ray.get(ray.remote(Tool.plus).remote(2)))
attempt("class", lambda: ray.get(ray.remote(Tool.cls).remote(2)))

# == large_arguments_and_results ==
import numpy as np

@ray.remote
def f(a):
    return a * 2

big = np.arange(300_000)
result = ray.get(f.remote(big))
show("sum", int(result.sum()), result.shape, result.dtype.name)
show("again", int(ray.get(f.remote(f.remote(big))).sum()))

# == pickled_remote_functions ==
from ray import cloudpickle

@ray.remote(num_cpus=0.5)
def f(x):
    return x + 1

g = cloudpickle.loads(cloudpickle.dumps(f))
show("value", ray.get(g.remote(1)))
show("type", type(g) is type(f))

# == none_and_missing_returns ==
@ray.remote
def f():
    pass

show("value", ray.get(f.remote()))
show("two", ray.get(ray.remote(lambda: (None, None)).options(num_returns=2).remote()))

# == environment_of_tasks ==
import os, sys

@ray.remote
def f():
    return os.getcwd() == cwd, __name__, sys.argv[0] != ""

cwd = os.getcwd()
show("seen", ray.get(f.remote())[:1])

# == modules_of_results ==
class Point:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(other) is Point and self.x == other.x

@ray.remote
def f(p):
    return Point(p.x + 1), isinstance(p, Point)

p, same = ray.get(f.remote(Point(1)))
show("point", type(p) is Point, p == Point(2), same)
