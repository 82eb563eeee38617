start()
from ray import exceptions

# == class_of_the_cause ==
@ray.remote
def f(error):
    raise error

for error in (
    ValueError("v"), KeyError("k"), OSError(2, "gone"), ZeroDivisionError("z"), TypeError(), StopIteration(3),
    RuntimeError("many", 2), UnicodeDecodeError("utf8", b"x", 0, 1, "bad"), FileNotFoundError(2, "no", "file"),
    AssertionError("a"), Exception("e"), NotImplementedError("n"), IndexError(5), TimeoutError("t"),
):
    seen = kind(type(error).__name__, lambda: ray.get(f.remote(error)))
    show("  parents", parents(type(seen))[:3])
    show("  cause", seen.cause, seen.args == error.args, isinstance(seen, exceptions.RayTaskError))
    show("  last", last_line(seen))

# == attributes_of_the_cause ==
class Mine(Exception):
    level = "class"

    def __init__(self, code, text):
        super().__init__(code, text)
        self.code = code

    def method(self):
        return self.code + 1

@ray.remote
def f():
    error = Mine(5, "text")
    error.extra = [1, 2]
    raise error

try:
    ray.get(f.remote())
except Mine as error:
    show("attributes", error.code, error.extra, error.level, error.method())
    show("class", type(error).__name__, type(error.cause).__name__)
    show("args", error.args, error.cause.args)
    show("text", last_line(error))

# == fields_of_a_task_error ==
@ray.remote
def f():
    raise ValueError("v")

try:
    ray.get(f.remote())
except exceptions.RayTaskError as error:
    show("text", [line.strip() for line in str(error).splitlines()])
    show("cause", repr(error.cause), type(error.cause).__name__)
    show("args", error.args)

# == repr_of_a_task_error ==
@ray.remote
def f():
    raise ValueError("v")

try:
    ray.get(f.remote())
except ValueError as error:
    show("repr starts", repr(error)[:23])
    show("class", type(error).__name__, type(error).__qualname__, type(error).__module__)

# == unpickled_errors ==
import pickle

@ray.remote
def f():
    raise ValueError("v")

try:
    ray.get(f.remote())
except ValueError as error:
    from ray import cloudpickle
    back = cloudpickle.loads(cloudpickle.dumps(error))
    show("type", type(back).__name__, isinstance(back, ValueError), isinstance(back, exceptions.RayTaskError))
    show("cause", back.cause)

# == errors_of_dependencies ==
@ray.remote
def bad():
    raise ValueError("root")

@ray.remote
def f(x):
    return x

error = attempt("argument", lambda: ray.get(f.remote(bad.remote())))
show("cause", repr(error.cause), type(error).__name__)
error = attempt("far away", lambda: ray.get(f.remote(f.remote(f.remote(bad.remote())))))
show("cause", repr(error.cause))

# == errors_of_nested_tasks ==
@ray.remote
def bad():
    raise ValueError("root")

@ray.remote
def middle():
    return ray.get(bad.remote())

@ray.remote
def top():
    return ray.get(middle.remote())

error = attempt("nested", lambda: ray.get(top.remote()))
show("cause", repr(error.cause), type(error.cause).__name__)
show("names", [name for name in ("top", "middle", "bad") if f"ray::{name}()" in str(error)])

# == caught_in_a_task ==
@ray.remote
def bad():
    raise KeyError("k")

@ray.remote
def f():
    try:
        ray.get(bad.remote())
    except KeyError as error:
        return type(error).__name__, repr(error.cause)

show("seen", ray.get(f.remote()))

# == chained_errors ==
@ray.remote
def f():
    try:
        raise KeyError("first")
    except KeyError as error:
        raise ValueError("second") from error

error = attempt("chained", lambda: ray.get(f.remote()))
show("both in the text", "KeyError: 'first'" in str(error), "ValueError: second" in str(error))
show("direct cause", "direct cause" in str(error))
show("__cause__", type(error.cause.__cause__).__name__, type(error.__cause__).__name__)

# == context_of_errors ==
@ray.remote
def f():
    try:
        raise KeyError("first")
    except KeyError:
        raise ValueError("second")

error = attempt("context", lambda: ray.get(f.remote()))
show("another", "another exception occurred" in str(error))

# == exception_groups ==
@ray.remote
def f():
    raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])

error = kind("group", lambda: ray.get(f.remote()))
show("parents", parents(type(error))[:3])
show("message", error.cause.message, [type(e).__name__ for e in error.cause.exceptions])
try:
    ray.get(f.remote())
except* ValueError as group:
    show("values", [repr(e) for e in group.exceptions])
except* KeyError as group:
    show("keys", [repr(e) for e in group.exceptions])

# == base_exceptions ==
@ray.remote(max_retries=0)
def f(error):
    raise error

class Base(BaseException):
    pass

kind("base", lambda: ray.get(f.remote(Base("b"))))
kind("keyboard", lambda: ray.get(f.remote(KeyboardInterrupt())))
kind("generator", lambda: ray.get(f.remote(GeneratorExit())))

# == system_exit_in_a_task ==
import sys

@ray.remote(max_retries=0)
def f(code):
    sys.exit(code)

for code in (0, 1, None, "text"):
    error = kind(f"{code!r}", lambda: ray.get(f.remote(code)))
    show("parents", parents(type(error))[:2])
show("goes on", ray.get(ray.remote(lambda: 1).remote()))

# == os_exit_in_a_task ==
import os

@ray.remote(max_retries=0)
def f():
    os._exit(1)

error = kind("exit", lambda: ray.get(f.remote()))
show("parents", parents(type(error)))
show("text", first_line(error).split(".")[0])
show("goes on", ray.get(ray.remote(lambda: 1).remote()))

# == killed_in_a_task ==
import os, signal

@ray.remote(max_retries=0)
def f():
    os.kill(os.getpid(), signal.SIGKILL)
    until(lambda: False)

error = kind("killed", lambda: ray.get(f.remote()))
show("text", first_line(error).split(".")[0])

# == unpicklable_errors ==
import threading

class Holding(Exception):
    def __init__(self):
        super().__init__("holding a lock")
        self.lock = threading.Lock()

@ray.remote
def f():
    raise Holding()

error = kind("unpicklable", lambda: ray.get(f.remote()))
show("class of the cause", parents(type(error.cause))[0])
show("tells", "holding a lock" in str(error), "holding a lock" in str(error.cause))
show("still a task error", isinstance(error, exceptions.RayTaskError))

# == errors_that_do_not_unpickle ==
class Two(Exception):
    def __init__(self, a, b):
        super().__init__("only one")

@ray.remote
def f():
    raise Two(1, 2)

try:
    ray.get(f.remote())
except exceptions.UnserializableException as error_:
    error = error_
show("tells", "only one" in str(error))

# == errors_that_cannot_be_subclassed ==
class Final(Exception):
    def __init_subclass__(cls):
        raise TypeError("no children")

@ray.remote
def f():
    raise Final("end")

error = kind("final", lambda: ray.get(f.remote()))
show("cause", repr(error.cause), last_line(error))

# == frozen_errors ==
import dataclasses

@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    code: int

    def __reduce__(self):
        return (Frozen, (self.code,))

@ray.remote
def f():
    raise Frozen(7)

error = kind("frozen", lambda: ray.get(f.remote()))
show("cause", error.cause.code, isinstance(error, exceptions.RayTaskError))

# == errors_with_notes ==
@ray.remote
def f():
    error = ValueError("v")
    error.add_note("look here")
    raise error

error = attempt("notes", lambda: ray.get(f.remote()))
show("in the text", "look here" in str(error))

# == errors_with_keyword_only_constructor ==
class Keyword(Exception):
    def __init__(self, *, code):
        super().__init__(f"code {code}")
        self.code = code

    def __reduce__(self):
        return (restore, (self.code,))

def restore(code):
    return Keyword(code=code)

@ray.remote
def f():
    raise Keyword(code=4)

error = kind("keyword", lambda: ray.get(f.remote()))
show("code", getattr(error, "code", None), last_line(error))

# == returned_errors_are_values ==
show("value", ray.get(ray.put(ValueError("v"))))
show("from a task", ray.get(ray.remote(lambda: KeyError("k")).remote()))

# == raised_twice ==
@ray.remote
def f():
    raise ValueError("v")

ref = f.remote()
attempt("first", ray.get, ref)
attempt("second", ray.get, ref)

# == errors_of_many_returns ==
@ray.remote(num_returns=3)
def f():
    raise ValueError("all of them")

for i, ref in enumerate(f.remote()):
    attempt(f"{i}", ray.get, ref)

# == actor_errors ==
@ray.remote
class A:
    def bad(self):
        raise ValueError("v")

    def __repr__(self):
        return "<mine>"

    def good(self):
        return 1

a = A.remote()
error = attempt("bad", lambda: ray.get(a.bad.remote()))
show("repr in the text", "repr=<mine>" in str(error), "actor_id=" in str(error))
show("first line", first_line(error))
show("still alive", ray.get(a.good.remote()))

# == raising_a_reference_error ==
# What a task raises from ray.get of a failed reference has the first cause.
@ray.remote
def bad():
    raise LookupError("far")

@ray.remote
def f():
    try:
        ray.get(bad.remote())
    except LookupError as error:
        raise RuntimeError("near") from error

error = attempt("chain", lambda: ray.get(f.remote()))
show("cause", type(error.cause).__name__, "far" in str(error))

# == name_of_nested_functions ==
class Space:
    @staticmethod
    def inside():
        raise ValueError("v")

def make():
    def local():
        raise ValueError("v")
    return local

for target in (Space.inside, make(), lambda: 1 / 0):
    error = kind(target.__name__, lambda: ray.get(ray.remote(target).remote()))
    show("header", first_line(error))

# == syntax_and_import_errors ==
@ray.remote
def f(text):
    exec(text)

for text in ("1 +", "import no_such_module", "undefined"):
    error = kind(text, lambda: ray.get(f.remote(text)))
    show("last", last_line(error))

# == recursion_error ==
@ray.remote
def f(n):
    return f_(n)

def f_(n):
    return f_(n + 1)

error = kind("deep", lambda: ray.get(f.remote(0)))
show("last", last_line(error))
