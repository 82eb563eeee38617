"""Serializers, strategies, the key-value table, names, and names of Ray's that libraries touch."""

from __future__ import annotations

import copy
import io
import pickle
import threading
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from support.engine import ray
from support.gates import Gate
from support.programs import Room

pytestmark = [pytest.mark.usefixtures("balanced"), pytest.mark.only_thornback]


def sub(name: str) -> Any:
    return import_module(f"{ray.__name__}.{name}")


# --- serializers ------------------------------------------------------------------------------


class Locked:
    """Unpicklable, because of the lock."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.lock = threading.Lock()


class Derived(Locked):
    pass


@pytest.fixture
def registered() -> Any:
    ray.util.register_serializer(Locked, serializer=lambda v: v.value, deserializer=Locked)
    yield
    ray.util.deregister_serializer(Locked)


@ray.remote(num_cpus=0)
def value_of(obj: Any) -> Any:
    return obj.value


@ray.remote(num_cpus=0)
def values_in(obj: Any) -> Any:
    return [part.value for part in obj["x"][0]]


def test_serializers_are_used_everywhere(registered: None) -> None:
    one = Locked(1)
    assert ray.get(ray.put(one)).value == 1
    assert ray.get(value_of.remote(one)) == 1
    assert ray.get(values_in.remote({"x": [(one, Locked(2))]})) == [1, 2]

    @ray.remote(num_cpus=0)
    def closure() -> Any:
        return one.value

    assert ray.get(closure.remote()) == 1


def test_serializers_registered_in_workers() -> None:
    @ray.remote(num_cpus=0)
    def give() -> Any:
        ray.util.register_serializer(Locked, serializer=lambda v: v.value, deserializer=Locked)
        try:
            return [Locked(3), Locked(ray.get(ray.put(Locked(4))).value)]
        finally:
            # The result is encoded after this task.
            pass

    assert [v.value for v in ray.get(give.remote())] == [3, 4]


def test_serializers_leave_others_alone(registered: None) -> None:
    with pytest.raises(TypeError, match="lock"):
        ray.put(Derived(1))
    with pytest.raises(TypeError):
        pickle.dumps(Locked(1))
    with pytest.raises(TypeError):
        copy.deepcopy(Locked(1))


def test_deregistered() -> None:
    ray.util.register_serializer(Locked, serializer=lambda v: v.value, deserializer=Locked)
    ray.util.deregister_serializer(Locked)
    ray.util.deregister_serializer(Locked)
    with pytest.raises(TypeError, match="lock"):
        ray.put(Locked(1))


def test_a_serializer_for_arrays_comes_before_our_encoding() -> None:
    ray.util.register_serializer(
        np.ndarray, serializer=lambda a: a.tolist(), deserializer=lambda x: np.array(x) + 1
    )
    try:
        assert ray.get(ray.put(np.zeros(2))).tolist() == [1.0, 1.0]
        assert ray.get(ray.put({"a": np.zeros(1)}))["a"].tolist() == [1.0]
    finally:
        ray.util.deregister_serializer(np.ndarray)
    assert ray.get(ray.put(np.zeros(2))).tolist() == [0.0, 0.0]


class WithRefs:
    def __init__(self, ref: Any) -> None:
        self.ref = ref

    def __reduce__(self) -> Any:
        return (WithRefs, (self.ref,))


def test_reduce_that_holds_references() -> None:
    """The object is held by what contains its reference, however that is pickled."""
    box = ray.put(WithRefs(ray.put([7])))
    assert ray.get(ray.get(box).ref) == [7]
    assert ray.get(ray.remote(num_cpus=0)(lambda b: ray.get(b.ref)).remote(box)) == [7]


def test_references_in_closures_and_defaults() -> None:
    ref = ray.put(5)

    @ray.remote(num_cpus=0)
    def closure() -> Any:
        return ray.get(ref)

    @ray.remote(num_cpus=0)
    def default(a: Any = [ref], *, b: Any = {"r": ref}) -> Any:  # noqa: B006
        return ray.get(a[0]) + ray.get(b["r"])

    @ray.remote(num_cpus=0)
    class Actor:
        kept = ref

        def get(self) -> Any:
            return ray.get(self.kept)

    assert ray.get(closure.remote()) == 5
    assert ray.get(default.remote()) == 10
    assert ray.get(Actor.remote().get.remote()) == 5


def test_inspect_serializability() -> None:
    lock = threading.Lock()

    def culprit() -> Any:
        return lock

    out = io.StringIO()
    good, failures = ray.util.inspect_serializability(culprit, name="culprit", print_file=out)
    assert not good
    (failure,) = failures
    assert failure.path == ("culprit", "lock")
    assert failure.obj is lock
    assert failure.parent is culprit
    text = out.getvalue()
    assert "Checking Serializability of" in text
    assert "Detected 1 nonlocal variables. Checking serializability..." in text
    assert "was found to be non-serializable" in text
    assert ray.util.inspect_serializability([1], print_file=io.StringIO()) == (True, set())
    good, failures = ray.util.inspect_serializability(Locked(1), print_file=io.StringIO())
    assert [f.path for f in failures] == [("lock",)]


# --- strategies -------------------------------------------------------------------------------


@ray.remote(num_cpus=0)
def one() -> int:
    return 1


@ray.remote(num_cpus=0)
class Actor:
    def one(self) -> int:
        return 1


def test_node_affinity() -> None:
    affinity = sub("util.scheduling_strategies").NodeAffinitySchedulingStrategy
    here, other = ray.nodes()[0]["NodeID"], "ab" * 28
    for strategy in (affinity(here, False), affinity(here, True), affinity(other, True)):
        assert ray.get(one.options(scheduling_strategy=strategy).remote()) == 1
        assert ray.get(Actor.options(scheduling_strategy=strategy).remote().one.remote()) == 1
    lost = affinity(other, False)
    with pytest.raises(ray.exceptions.TaskUnschedulableError, match="soft=False was specified"):
        ray.get(one.options(scheduling_strategy=lost).remote())
    with pytest.raises(ray.exceptions.ActorUnschedulableError, match="soft=False was specified"):
        Actor.options(scheduling_strategy=lost).remote()


def test_node_labels() -> None:
    s = sub("util.scheduling_strategies")
    fits = s.NodeLabelSchedulingStrategy({"ray.io/node-id": s.Exists(), "x": s.DoesNotExist()})
    assert ray.get(one.options(scheduling_strategy=fits).remote()) == 1
    soft = s.NodeLabelSchedulingStrategy({}, soft={"x": s.In("y")})
    assert ray.get(one.options(scheduling_strategy=soft).remote()) == 1


def test_labels_that_no_node_has_are_waited_for(room: Room) -> None:
    room.run(
        """
        from thornback.util.scheduling_strategies import In, NodeLabelSchedulingStrategy
        strategy = NodeLabelSchedulingStrategy({"x": In("y")})
        ref = ray.remote(lambda: 1).options(scheduling_strategy=strategy).remote()
        assert ray.wait([ref], timeout=0.3) == ([], [ref])
        """
    ).ok()


def test_strategies_check() -> None:
    s = sub("util.scheduling_strategies")
    for bad in (
        lambda: s.NodeAffinitySchedulingStrategy("ab", True),
        lambda: s.NodeAffinitySchedulingStrategy("x" * 56, True),
        lambda: s.NodeAffinitySchedulingStrategy("ab" * 28, True, _fail_on_unavailable=True),
        lambda: s.NodeAffinitySchedulingStrategy("ab" * 28, False, _spill_on_unavailable=True),
        s.In,
        lambda: s.NotIn(1),
        lambda: s.NodeLabelSchedulingStrategy({}),
        lambda: s.NodeLabelSchedulingStrategy([1]),
        lambda: s.NodeLabelSchedulingStrategy({1: s.Exists()}),
        lambda: s.NodeLabelSchedulingStrategy({"a": "b"}),
    ):
        with pytest.raises(ValueError):
            bad()


def test_placement_groups_say_that_they_come_later() -> None:
    module = sub("util.placement_group")
    for function in (ray.util.placement_group, module, module.placement_group):
        with pytest.raises(NotImplementedError, match="placement groups"):
            function([{"CPU": 1}])
    assert ray.util.get_current_placement_group() is None
    strategy = sub("util.scheduling_strategies").PlacementGroupSchedulingStrategy(object())
    with pytest.raises(NotImplementedError, match="scheduling_strategy"):
        one.options(scheduling_strategy=strategy).remote()
    none = sub("util.scheduling_strategies").PlacementGroupSchedulingStrategy(None)
    assert ray.get(one.options(scheduling_strategy=none).remote()) == 1


# --- key-value table --------------------------------------------------------------------------


def test_internal_kv() -> None:
    kv = sub("experimental.internal_kv")
    assert kv._internal_kv_initialized()
    assert kv._internal_kv_put("a", "1") is False
    assert kv._internal_kv_put(b"a", b"2", overwrite=False) is True
    assert kv._internal_kv_get("a") == b"1"
    assert kv._internal_kv_put("a", "\x00\xff", overwrite=True) is True
    assert kv._internal_kv_get(b"a") == "\x00\xff".encode()
    assert kv._internal_kv_get("a", namespace="n") is None
    assert not kv._internal_kv_exists("b")
    kv._internal_kv_put("empty", "")
    assert kv._internal_kv_get("empty") == b""
    assert kv._internal_kv_list("") == [b"a", b"empty"]
    assert kv._internal_kv_del("", del_by_prefix=True) == 2
    assert kv._internal_kv_del("a") == 0


def test_internal_kv_from_workers_and_large() -> None:
    kv = sub("experimental.internal_kv")
    large = bytes(range(256)) * 256  # 64 KiB

    @ray.remote(num_cpus=0)
    def fill(n: int) -> Any:
        for i in range(n):
            kv._internal_kv_put(f"{i:04}" * 20, large if i == 0 else b"", namespace="w")
        return kv._internal_kv_get("0000" * 20, namespace="w") == large, len(
            kv._internal_kv_list(b"", namespace=b"w")
        )

    assert ray.get(fill.remote(1_000)) == (True, 1_000)
    assert kv._internal_kv_del("", del_by_prefix=True, namespace="w") == 1_000


def test_internal_kv_limits_and_types() -> None:
    kv = sub("experimental.internal_kv")
    with pytest.raises(ValueError, match="at most 65536"):
        kv._internal_kv_put("k", bytes(65537))
    with pytest.raises(ValueError, match="at most 4096"):
        kv._internal_kv_put("k" * 4097, b"")
    for bad in (
        lambda: kv._internal_kv_put(1, b""),
        lambda: kv._internal_kv_put("k", 1),
        lambda: kv._internal_kv_put("k", "v", overwrite=1),
        lambda: kv._internal_kv_get(None),
    ):
        with pytest.raises(AssertionError):
            bad()
    assert kv._internal_kv_list("") == []


# --- small things -----------------------------------------------------------------------------


def test_named_actors_are_listed() -> None:
    assert ray.util.list_named_actors() == []
    actors = [
        Actor.options(name=name, namespace=space).remote()
        for name, space in (("b", None), ("a", None), ("c", "elsewhere"))
    ]
    ray.get([actor.one.remote() for actor in actors])
    assert ray.util.list_named_actors() == ["a", "b"]
    assert {"name": "c", "namespace": "elsewhere"} in ray.util.list_named_actors(True)
    assert ray.get(ray.remote(num_cpus=0)(ray.util.list_named_actors).remote()) == ["a", "b"]


def test_object_locations(tmp_path: Any) -> None:
    gate = Gate(tmp_path)

    @ray.remote(num_cpus=0)
    def late() -> int:
        gate.wait()
        return 1

    pending, small, large = late.remote(), ray.put(b"x"), ray.put(bytes(10**6))
    found = sub("experimental").get_object_locations([pending, small, large])
    assert found[pending] == {"node_ids": [], "object_size": None, "did_spill": False}
    assert found[small]["node_ids"] == []
    assert found[large]["node_ids"] == [ray.nodes()[0]["NodeID"]]
    assert found[large]["object_size"] > 10**6
    gate.open()
    assert ray.get(pending) == 1


def test_log_once() -> None:
    debug = sub("util.debug")
    assert ray.util.log_once("k1")
    assert not ray.util.log_once("k1")
    debug.reset_log_once("k1")
    assert ray.util.log_once("k1")


def test_accelerators() -> None:
    assert ray.util.accelerators.NVIDIA_A100 == "A100"
    assert ray.util.accelerators.AMD_INSTINCT_MI300x == "AMD-Instinct-MI300X-OAM"
    with pytest.warns(DeprecationWarning, match="NVIDIA_A100"):
        assert ray.util.accelerators.NVIDIA_TESLA_A100 == "A100"


def test_addresses() -> None:
    assert ray.util.get_node_ip_address() == ray.nodes()[0]["NodeManagerAddress"]
    assert ray.util.get_node_instance_id() == ""
    with pytest.raises(NotImplementedError, match="cluster"):
        ray.util.connect("host:1")
    ray.util.disconnect()


def test_private_names(caplog: pytest.LogCaptureFixture) -> None:
    worker = sub("_private.worker").global_worker
    assert worker.connected
    assert worker.mode == ray.SCRIPT_MODE
    assert worker.core_worker.get_actor_id().is_nil()
    assert worker.current_job_id.hex() == ray.get_runtime_context().get_job_id()
    assert ray._private.services.get_node_ip_address() == "127.0.0.1"
    assert ray._private.state.cluster_resources() == ray.cluster_resources()
    assert list(ray._private.state.total_resources_per_node()) == [ray.nodes()[0]["NodeID"]]
    with caplog.at_level("WARNING"):
        for _ in range(2):
            assert ray.worker.global_worker is worker
    assert caplog.text.count("ray.worker.global_worker") == 1
    assert ray.state.state.node_table() == ray.nodes()
    assert ray.ray_constants.ID_SIZE == 28

    @ray.remote(num_cpus=0)
    class Inside:
        def look(self) -> Any:
            from thornback._private.worker import global_worker as here

            context = ray.get_runtime_context()
            return here.mode, here.core_worker.get_actor_id().hex() == context.get_actor_id()

    assert ray.get(Inside.remote().look.remote()) == (ray.WORKER_MODE, True)


def test_types_and_stubs() -> None:
    assert sub("types").ObjectRef is ray.ObjectRef
    assert sub("_raylet").ObjectRef is ray.ObjectRef
    assert isinstance(one, sub("remote_function").RemoteFunction)
    assert isinstance(ray.get_runtime_context(), sub("runtime_context").RuntimeContext)
    assert not sub("util.client").ray.is_connected()
    assert not isinstance(ray.put(1), sub("util.client.common").ClientObjectRef)
    for function in ("java_function", "cpp_function"):
        with pytest.raises((NotImplementedError, TypeError)):
            getattr(sub("cross_language"), function)("a")
    config = sub("job_config").JobConfig(ray_namespace="n", metadata={"a": "b"})
    assert (config.ray_namespace, config.metadata) == ("n", {"a": "b"})
    with pytest.raises(ValueError, match="lifetime"):
        sub("job_config").JobConfig(default_actor_lifetime="x")


def test_request_resources() -> None:
    request = sub("autoscaler.sdk").request_resources
    assert request(num_cpus=4, bundles=[{"CPU": 1}]) is None
    for bad, kind in (
        ({"num_cpus": "a"}, TypeError),
        ({"bundles": 1}, TypeError),
        ({"bundles": [1]}, TypeError),
        ({"bundles": [{1: 1}]}, TypeError),
        ({"bundles": [{"CPU": True}]}, TypeError),
        ({"bundle_label_selectors": [{}]}, ValueError),
    ):
        with pytest.raises(kind):
            request(**bad)


@pytest.mark.parametrize("name", ["util", "experimental", "dag", "_private"])
def test_every_public_name_loads(name: str) -> None:
    module = sub(name)
    for public in getattr(module, "__all__", getattr(module, "_MODULES", ())):
        assert getattr(module, public) is not None
    with pytest.raises(AttributeError, match="no_such"):
        module.no_such  # noqa: B018
