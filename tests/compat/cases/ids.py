# == sizes ==
for name in (
    "ActorClassID", "ActorID", "NodeID", "JobID", "WorkerID", "FunctionID", "ObjectID", "ObjectRef",
    "TaskID", "UniqueID", "PlacementGroupID",
):
    cls = getattr(ray, name)
    attempt(name, lambda: (cls.size(), cls.__name__))

# == nil ==
for cls in (ray.ActorID, ray.NodeID, ray.JobID, ray.WorkerID, ray.TaskID, ray.UniqueID, ray.PlacementGroupID, ray.ObjectRef):
    nil = cls.nil()
    show(cls.__name__, nil.is_nil(), nil == cls.nil(), len(nil.binary()), repr(nil))

# == from_random ==
for cls in (ray.NodeID, ray.WorkerID, ray.UniqueID, ray.FunctionID, ray.ObjectRef, ray.ActorID, ray.PlacementGroupID):
    attempt(cls.__name__, lambda: (len(cls.from_random().hex()), cls.from_random() == cls.from_random()))

# == from_bytes_and_hex ==
for cls in (ray.ActorID, ray.NodeID, ray.JobID, ray.WorkerID, ray.TaskID, ray.UniqueID, ray.PlacementGroupID):
    value = cls(bytes(range(cls.size())))
    show(cls.__name__, value.hex(), value.binary() == bytes(range(cls.size())), value.is_nil())
    attempt("  from_binary", lambda: cls.from_binary(value.binary()) == value)

# == from_hex ==
for cls in (ray.ActorID, ray.NodeID, ray.JobID, ray.WorkerID, ray.TaskID, ray.PlacementGroupID, ray.ObjectRef):
    value = cls(bytes(range(cls.size())))
    attempt(cls.__name__, lambda: cls.from_hex(value.hex()) == value)

# == wrong_bytes ==
for cls in (ray.ActorID, ray.NodeID, ray.JobID, ray.TaskID, ray.UniqueID, ray.ObjectRef):
    attempt(f"{cls.__name__} short", cls, b"12")
    attempt(f"{cls.__name__} text", cls, "12")
    kind(f"{cls.__name__} nothing", cls)

# == equality_and_hash ==
a, b = ray.NodeID(b"a" * 28), ray.NodeID(b"a" * 28)
show("equal", a == b, hash(a) == hash(b), a != b, a == "a")
show("classes", ray.NodeID(b"a" * 28) == ray.WorkerID(b"a" * 28), ray.UniqueID(b"a" * 28) == a)
show("sorted", sorted([ray.JobID(b"bbbb"), ray.JobID(b"aaaa")], key=lambda j: j.binary())[0].binary())

# == pickled ==
import pickle
for value in (ray.NodeID(b"a" * 28), ray.JobID(b"aaaa"), ray.TaskID(b"a" * 24), ray.ActorID(b"a" * 16), ray.PlacementGroupID(b"a" * 18)):
    attempt(type(value).__name__, lambda: pickle.loads(pickle.dumps(value)) == value)

# == job_ids ==
job = ray.JobID.from_int(7)
show("int", job.hex(), job.int() if hasattr(job, "int") else None)

# == repr_and_str ==
for value in (ray.NodeID(b"\1" * 28), ray.JobID(b"\1" * 4), ray.TaskID(b"\1" * 24), ray.ActorID(b"\1" * 16), ray.ObjectRef(b"\1" * 28)):
    show(type(value).__name__, str(value), repr(value))
