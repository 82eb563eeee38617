import io, json, logging, os, re, sys, time

def stream(name):
    """Replace a standard stream, before the session begins, by one that can be looked at."""
    made = io.StringIO()
    setattr(sys, name, made)
    return made

def plain(text):
    return re.sub(r"pid=\d+", "pid=N", re.sub(r", ip=[\d.]+", "", text))

# == config ==
# `LoggingConfig`: defaults, forms and what it refuses.
config = ray.LoggingConfig()
show("default", config)
show("dict", config.to_dict())
own = ray.LoggingConfig("JSON", "DEBUG", ["name", "process"])
show("own", own, own == ray.LoggingConfig.from_dict(own.to_dict()))
for wrong in ({"encoding": "json"}, {"encoding": "XML"}, {"log_level": 10}):
    attempt(f"{wrong}", lambda: ray.LoggingConfig(**wrong))
kind("attribute", lambda: ray.LoggingConfig(additional_log_standard_attrs=["nope"]))

# == config_in_json ==
# What the driver's loggers are like with a `LoggingConfig`.
err = stream("stderr")
start(logging_config=ray.LoggingConfig(encoding="JSON", log_level="WARNING", additional_log_standard_attrs=["name"]))
logging.getLogger("mine").info("not this")
logging.getLogger("mine").warning("this %s", "one", extra={"k": 3})
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("mine").exception("trouble")
lines = [json.loads(line) for line in err.getvalue().splitlines() if line.startswith("{")]
for line in (line for line in lines if line["name"] == "mine"):
    show("keys", sorted(line))
    show("values", line["levelname"], line["message"], line["name"], line["job_id"], line.get("k"))
root, own = logging.getLogger(), logging.getLogger("ray")
show("levels", root.level, own.level, own.propagate, len(own.handlers))

# == config_in_workers ==
# A worker's loggers, and which ids its lines have.
start(logging_config=ray.LoggingConfig(encoding="JSON", log_level="DEBUG"))

def look():
    err = io.StringIO()
    handler = logging.getLogger().handlers[-1]
    handler.setStream(err)
    logging.getLogger("mine").debug("here")
    root, own = logging.getLogger(), logging.getLogger("ray")
    return sorted(json.loads(err.getvalue())), root.level, own.level, own.propagate

@ray.remote
def f():
    return look()

@ray.remote
class A:
    def m(self):
        return look()

show("task", ray.get(f.remote()))
show("actor", ray.get(A.options(name="a").remote().m.remote()))

# == level_and_format ==
# The logger ray, as `init` sets it up.
start(logging_level=logging.WARNING, logging_format="%(levelname)s|%(message)s")
own = logging.getLogger("ray")
show("ray", own.level, own.propagate, [h.formatter._fmt for h in own.handlers])

# == level_by_variable ==
# env: RAY_LOGGER_LEVEL=error
start()
show("ray", logging.getLogger("ray").level)

# == prefixes ==
# What comes before a line that a task or an actor prints.
# env: RAY_DEDUP_LOGS=0
# env: RAY_COLOR_PREFIX=0
out = stream("stdout")
start(log_to_driver=True)

@ray.remote
def f():
    print("task says")

@ray.remote
class Plain:
    def m(self):
        print("plain says")

@ray.remote
class Named:
    def __repr__(self):
        return "Own(3)"

    def m(self):
        print("named says")

ray.get([f.remote(), f.options(name="other").remote()])
actors = [Plain.remote(), Plain.options(name="called").remote(), Named.remote()]
ray.get([actor.m.remote() for actor in actors])
until(lambda: out.getvalue().count("says") >= 5)
show("lines", sorted(plain(line) for line in out.getvalue().splitlines() if "says" in line))

# == colours ==
# The prefix in colour.
out = stream("stdout")
start(log_to_driver=True)

@ray.remote
def f():
    print("says")

ray.get(f.remote())
until(lambda: "says" in out.getvalue())
show("lines", [plain(line) for line in out.getvalue().splitlines() if "says" in line])

# == no_prefix ==
# env: RAY_DISABLE_WORKER_LOG_PREFIX=1
# env: RAY_COLOR_PREFIX=0
out = stream("stdout")
start(log_to_driver=True)

@ray.remote
def f():
    print("says")

ray.get(f.remote())
until(lambda: "says" in out.getvalue())
show("lines", [plain(line) for line in out.getvalue().splitlines() if "says" in line])

# == log_to_driver_by_variable ==
# env: RAY_LOG_TO_DRIVER=0
out = stream("stdout")
ray.init(num_cpus=2, include_dashboard=False)

@ray.remote
def f():
    print("says")
    sys.stdout.flush()

ray.get(f.remote())
ray.shutdown()
show("heard", "says" in out.getvalue())

# == deduplication ==
# Lines alike of several processes are printed once, then counted.
# env: RAY_COLOR_PREFIX=0
# env: RAY_DEDUP_LOGS_AGG_WINDOW_S=2
out = stream("stdout")
start(log_to_driver=True, num_cpus=3)

@ray.remote(num_cpus=1)
class A:
    def m(self, i):
        print("alike", i)

    def tick(self):
        print("tick")

actors = [A.remote() for _ in range(3)]
for i, actor in enumerate(actors):
    ray.get(actor.m.remote(i))
# What is counted is printed when more comes, at the latest.
until(lambda: ray.get(actors[0].tick.remote()) or "repeated" in out.getvalue())
lines = [plain(line) for line in out.getvalue().splitlines() if "alike" in line]
show("number", len(lines))
show("first", re.sub(r"\d$", "I", lines[0]))
show("repeated", re.search(r"\x1b\[32m \[repeated 2x across cluster\]", lines[1]) is not None)
show("advice", lines[1].partition("cluster]")[2])

# == deduplication_off ==
# env: RAY_COLOR_PREFIX=0
# env: RAY_DEDUP_LOGS=0
out = stream("stdout")
start(log_to_driver=True, num_cpus=3)

@ray.remote(num_cpus=1)
class A:
    def m(self):
        print("alike")

ray.get([actor.m.remote() for actor in [A.remote() for _ in range(3)]])
until(lambda: out.getvalue().count("alike") == 3)
show("number", out.getvalue().count("alike"))

# == skipped ==
# env: RAY_COLOR_PREFIX=0
# env: RAY_DEDUP_LOGS_SKIP_REGEX=secret
out = stream("stdout")
start(log_to_driver=True)

@ray.remote
def f():
    print("a secret")
    print("the end")

ray.get(f.remote())
until(lambda: "the end" in out.getvalue())
show("secret", "secret" in out.getvalue())

# == unhandled_errors ==
# Errors whose results nobody asks for.
told = []

class Keeper(logging.Handler):
    def emit(self, record):
        told.append((record.levelname, record.getMessage()))

start()
logging.getLogger("ray").addHandler(Keeper())

@ray.remote
def fails(text):
    raise ValueError(text)

@ray.remote
def takes(x):
    pass

@ray.remote
class A:
    def m(self, text):
        raise ValueError(text)

asked = fails.remote("asked")
try:
    ray.get(asked)
except ValueError:
    pass
waited = fails.remote("waited")
ray.wait([waited])
held = fails.remote("held")
argument = fails.remote("argument")
consumer = takes.remote(argument)
del asked, waited, argument, consumer
actor = A.remote()
actor.m.remote("of an actor")
fails.remote("dropped")
until(lambda: sum("ValueError" in text for _, text in told) >= 3)
mine = sorted((text.splitlines()[-1], level, text) for level, text in told if "ValueError" in text)
for last, level, text in mine:
    show("told", level, last, re.sub(r"\x1b\[\d+m|, repr=<.*?>", "", plain(text.splitlines()[0])))
del held
until(lambda: any("held" in text for _, text in told))
show("held", any("held" in text for _, text in told))

# == unhandled_errors_ignored ==
# env: RAY_IGNORE_UNHANDLED_ERRORS=1
told = []

class Keeper(logging.Handler):
    def emit(self, record):
        told.append(record.getMessage())

start()
logging.getLogger("ray").addHandler(Keeper())

@ray.remote
def fails():
    raise ValueError("text")

dropped = fails.remote()
ray.wait([dropped])
del dropped
ray.get(ray.remote(lambda: 1).remote())
show("told", [text for text in told if "ValueError" in text])

# == references_out_of_band ==
# References may only be pickled where they are counted.
# env: RAY_allow_out_of_band_object_ref_serialization=0
import copy, pickle
import ray.cloudpickle as cloudpickle
start()
ref = ray.put(1)
attempt("cloudpickle", lambda: cloudpickle.dumps(ref))
show("pickle", type(pickle.loads(pickle.dumps(ref))).__name__, type(copy.copy(ref)).__name__)
show("put", ray.get(ray.get(ray.put([ref]))[0]))

def capturing(thing):
    @ray.remote
    def by_closure():
        return thing

    @ray.remote
    def by_default(x=thing):
        return x

    @ray.remote
    class A:
        def m(self):
            return thing

    return by_closure, by_default, A

for what in capturing(ref):
    kind("captured", what.remote)

@ray.remote
class Counter:
    def add(self):
        return 7

counter = Counter.remote()

@ray.remote
def uses():
    return ray.get(counter.add.remote())

show("handle", ray.get(uses.remote()), type(cloudpickle.loads(cloudpickle.dumps(counter))).__name__)

@ray.remote
def inside(refs):
    try:
        cloudpickle.dumps(refs)
    except Exception as error:
        return type(error).__name__

show("inside", ray.get(inside.remote([ref])))
