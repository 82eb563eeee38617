"""ray.util.metrics: definitions, records of all processes, and the text that Prometheus reads."""

from __future__ import annotations

import json
import logging
import os
import pickle
import threading
import uuid
from importlib import import_module
from typing import Any

import pytest

from support.engine import ray
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")

metrics = import_module(f"{ray.__name__}.util.metrics")
Counter, Gauge, Histogram = metrics.Counter, metrics.Gauge, metrics.Histogram

THE_BASE = {"Component", "NodeAddress", "SessionName", "Version"}


def new_name() -> str:
    """A name that the session does not have yet."""
    return f"t_{uuid.uuid4().hex}"


def samples(name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Values of a series of the session, by the labels that are not on each line."""
    from prometheus_client.parser import text_string_to_metric_families

    return {
        tuple(sorted((k, v) for k, v in sample.labels.items() if k not in THE_BASE)): sample.value
        for family in text_string_to_metric_families(metrics.prometheus_text())
        for sample in family.samples
        if sample.name == f"ray_{name}"
    }


def value(name: str, **labels: str) -> float | None:
    return samples(name).get(tuple(sorted(labels.items())))


def wait_value(expected: float, name: str, **labels: str) -> None:
    wait_until(lambda: value(name, **labels) == expected, 10, lambda: str(samples(name)))


class Recording:
    """An actor's body."""

    def __init__(self, name: str) -> None:
        self.counter = Counter(f"{name}_c")
        self.gauge = Gauge(f"{name}_g", "A gauge.")

    def record(self, number: float) -> str:
        self.counter.inc(number)
        self.gauge.set(number)
        return str(ray.get_runtime_context().get_worker_id())

    def control(self, op: str, text: bytes) -> Any:
        from thornback import _core

        return _core.control(op, text)


# --- definitions, as in Ray -----------------------------------------------------------------------


def test_info_and_pickles() -> None:
    counter = Counter("a", "text", ("k",))
    assert counter.set_default_tags({"k": "v"}) is counter
    info = {"name": "a", "description": "text", "tag_keys": ("k",), "default_tags": {"k": "v"}}
    assert counter.info == info
    assert pickle.loads(pickle.dumps(counter)).info == {**info, "default_tags": {}}
    histogram = Histogram("h", boundaries=[2, 1])
    assert histogram.boundaries == [2, 1]
    assert histogram.info == {
        "name": "h",
        "description": "",
        "tag_keys": (),
        "default_tags": {},
        "boundaries": [2, 1],
    }
    assert pickle.loads(pickle.dumps(histogram)).info == histogram.info
    assert pickle.loads(pickle.dumps(Gauge("g", "d"))).info == Gauge("g", "d").info


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: Counter(""), ValueError, "Empty name is not allowed. Please provide"),
        (lambda: Counter(3), TypeError, "object of type 'int' has no len"),
        (
            lambda: Counter("x", "", ["k"]),
            TypeError,
            "tag_keys should be a tuple type, got: <class",
        ),
        (lambda: Gauge("x", "", "k"), TypeError, "tag_keys should be a tuple type, got: <class"),
        (lambda: Gauge("x", "", (1,)), TypeError, "Tag keys must be str, got <class 'int'>."),
        (lambda: Histogram("x"), ValueError, "boundaries argument should be provided when"),
        (lambda: Histogram("x", "", []), ValueError, "boundaries argument should be provided"),
        (
            lambda: Histogram("x", "", [1, 0]),
            ValueError,
            r"`boundaries` argument at index 1, \[1, 0",
        ),
        (lambda: Histogram("x", "", ["a"]), TypeError, "not supported between instances of 'str'"),
        (lambda: Counter("x").set_default_tags({"b": "1"}), ValueError, "Unrecognized tag key b."),
        (
            lambda: Counter("x", "", ("b",)).set_default_tags({"b": 1}),
            TypeError,
            "Tag values must be str, got <class 'int'>.",
        ),
    ],
)
def test_wrong_definitions(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(
    "record, error, text",
    [
        (lambda: Counter("x").inc(0), ValueError, "value must be >0, got 0"),
        (lambda: Counter("x").inc(-1.5), ValueError, "value must be >0, got -1.5"),
        (lambda: Counter("x").inc("1"), TypeError, "value must be int or float, got <class 'str'>"),
        (lambda: Counter("x").inc(None), TypeError, "value must be int or float, got <class 'None"),
        (lambda: Gauge("y").set("1"), TypeError, "value must be int or float, got <class 'str'>."),
        (lambda: Gauge("y").set(10**400), OverflowError, "int too large to convert to float"),
        (
            lambda: Histogram("z", "", [1]).observe([]),
            TypeError,
            "must be int or float, got <class",
        ),
        (lambda: Counter("x", "", ("a", "b")).inc(), ValueError, r"for tag key\(s\): a,b\."),
        (
            lambda: Counter("x", "", ("a",)).inc(1, {"a": 1}),
            TypeError,
            "Tag values must be str, got",
        ),
    ],
)
def test_wrong_records(record: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        record()


def test_names_that_are_not_recorded_or_not_allowed_for_long() -> None:
    with pytest.warns(UserWarning, match="Invalid metric name: 1a. Metric will be discarded"):
        discarded = Counter("1a")
    discarded.inc()
    with pytest.raises(ValueError, match="must be >0"):
        discarded.inc(0)
    with pytest.warns(FutureWarning, match="Metric name a:b contains a : character, which is no"):
        Gauge("a:b").set(1)


# --- records and text -----------------------------------------------------------------------------


@pytest.mark.only_thornback
def test_records_of_all_processes_are_added_up() -> None:
    name = new_name()

    @ray.remote
    def count(n: int) -> None:
        Counter(f"{name}_c").inc(n)

    @ray.remote
    class Asynchronous:
        async def record(self) -> None:
            Counter(f"{name}_c").inc(1000)

    Counter(f"{name}_c").inc(100)
    actors = [ray.remote(Recording).remote(name) for _ in range(2)]
    ids = ray.get([actor.record.remote(i) for i, actor in enumerate(actors, 1)])
    ray.get([count.remote(10) for _ in range(4)])
    ray.get(Asynchronous.remote().record.remote())
    wait_value(1143, f"{name}_c_total")
    wait_value(1, f"{name}_g", WorkerId=ids[0])
    wait_value(2, f"{name}_g", WorkerId=ids[1])


@pytest.mark.only_thornback
def test_counters_stay_and_gauges_go_when_a_worker_dies() -> None:
    name = new_name()
    actors = [ray.remote(Recording).remote(name) for _ in range(2)]
    ids = ray.get([actor.record.remote(5) for actor in actors])
    wait_until(lambda: len(samples(f"{name}_g")) == 2 and value(f"{name}_c_total") == 10)
    ray.kill(actors[0])
    wait_until(lambda: len(samples(f"{name}_g")) == 1)
    assert samples(f"{name}_g") == {(("WorkerId", ids[1]),): 5}
    assert value(f"{name}_c_total") == 10
    del actors
    wait_until(lambda: not samples(f"{name}_g"))
    assert value(f"{name}_c_total") == 10


@pytest.mark.only_thornback
def test_what_a_worker_records_before_its_end_is_not_lost() -> None:
    name = new_name()

    @ray.remote(max_calls=1)
    def last(n: int) -> None:
        Counter(name).inc(n)

    ray.get([last.remote(n) for n in (1, 2, 3)])

    @ray.remote
    class Leaving:
        def leave(self) -> None:
            Counter(name).inc(10)
            ray.actor.exit_actor()

    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(Leaving.remote().leave.remote())
    wait_value(16, f"{name}_total")


@pytest.mark.only_thornback
def test_histograms() -> None:
    name = new_name()
    histogram = Histogram(name, "Sizes.", boundaries=[10, 1, 5, 1])
    for number in (-4, 0.5, 1, 1.5, 10, 20, float("nan"), True):
        histogram.observe(number)
    buckets = {dict(labels)["le"]: n for labels, n in samples(f"{name}_bucket").items()}
    assert buckets == {"1.0": 4, "5.0": 5, "10.0": 6, "+Inf": 7}
    assert value(f"{name}_count") == 7
    assert value(f"{name}_sum") == 30
    histogram.observe(float("inf"))
    assert value(f"{name}_sum") == float("inf")


@pytest.mark.only_thornback
def test_values_that_are_no_ordinary_numbers() -> None:
    name = new_name()
    counter, gauge = Counter(f"{name}_c"), Gauge(f"{name}_g")
    me = ray.get_runtime_context().get_worker_id()
    for number in (float("nan"), float("inf"), 0.1, True):
        counter.inc(number)
    assert value(f"{name}_c_total") == 1.1
    for number in (float("-inf"), float("inf"), -0.1, 1e300):
        gauge.set(number)
        gauge.set(None)
        assert value(f"{name}_g", WorkerId=me) == number
    gauge.set(float("nan"))
    assert str(value(f"{name}_g", WorkerId=me)) == "nan"


@pytest.mark.only_thornback
def test_tags() -> None:
    name = new_name()
    odd = 'quote " back \\ line \n end \u00e9'
    counter = Counter(name, 'A "text" \\ of\ntwo lines', ("a", "b-c", "1d", "WorkerId", "le"))
    counter.set_default_tags({"a": "one", "b-c": "two", "1d": "", "WorkerId": "me", "le": "x"})
    counter.inc()
    counter.inc(2, tags={"a": odd, "unknown": "left out"})
    counter.inc(3, tags={"1d": "three"})
    assert samples(f"{name}_total") == {
        (("a", "one"), ("b_c", "two")): 1,
        (("a", odd), ("b_c", "two")): 2,
        (("_d", "three"), ("a", "one"), ("b_c", "two")): 3,
    }
    text = metrics.prometheus_text()
    assert f'# HELP ray_{name}_total A "text" \\\\ of\\ntwo lines\n' in text
    assert f"# TYPE ray_{name}_total counter\n" in text
    # The same name with and without "_total" and with other keys, once in the text.
    Counter(f"{name}_total", "other", ("z",)).inc(5, {"z": "z"})
    assert value(f"{name}_total", z="z") == 5
    assert metrics.prometheus_text().count(f"# TYPE ray_{name}_total") == 1


@pytest.mark.only_thornback
def test_threads_lose_nothing() -> None:
    name = new_name()
    counter = Counter(name, "", ("k",))
    histogram = Histogram(f"{name}_h", "", [1])

    def record() -> None:
        for i in range(5000):
            counter.inc(tags={"k": str(i % 3)})
            histogram.observe(i % 2 * 2)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(samples(f"{name}_total").values()) == 20000
    assert value(f"{name}_h_bucket", le="1.0") == 10000
    assert value(f"{name}_h_count") == 20000


@pytest.mark.only_thornback
def test_a_forked_child_counts_nothing_twice() -> None:
    name = new_name()
    counter = Counter(name)

    @ray.remote
    def fork() -> int:
        Counter(name).inc(2)
        pid = os.fork()
        if not pid:
            Counter(name).inc(100)
            from thornback._metrics import recorder

            recorder.flush()
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    counter.inc(1)
    assert ray.get(fork.remote()) == 7
    wait_value(3, f"{name}_total")


# --- limits and nonsense --------------------------------------------------------------------------


def refused() -> float:
    text = metrics.prometheus_text()
    (line,) = [x for x in text.splitlines() if x.startswith("thornback_metrics_refused_total{")]
    return float(line.split()[-1])


@pytest.mark.only_thornback
def test_a_name_keeps_its_kind(caplog: pytest.LogCaptureFixture) -> None:
    name = new_name()
    Gauge(f"{name}_total").set(1)
    Histogram(f"{name}_h", boundaries=[1, 2]).observe(1)
    metrics.prometheus_text()
    before = refused()
    with caplog.at_level(logging.WARNING, "thornback"):
        for _ in range(2):
            Counter(name).inc()
            Histogram(f"{name}_h", boundaries=[1, 3]).observe(1)
            metrics.prometheus_text()
    assert [record.getMessage() for record in caplog.records] == [
        f"Values of the metric {name}_total are not recorded: it is a gauge already, not a counter",
        f"Values of the metric {name}_h are not recorded: it has the boundaries [1 2] already",
    ]
    assert refused() == before + 4
    assert value(f"{name}_h_count") == 1


@pytest.mark.only_thornback
def test_too_many_combinations_of_tags_cost_only_their_metric() -> None:
    name = new_name()
    gauge = Gauge(name, "", ("user",))

    @ray.remote(max_calls=1)
    def explode() -> None:
        mine = Gauge(name, "", ("user",))
        for i in range(20_000):
            mine.set(1, {"user": str(i)})

    actor = ray.remote(Recording).remote(name)
    before = refused()
    ray.get(explode.remote())
    wait_until(lambda: refused() > before)
    gauge.set(1, {"user": "another"})
    ray.get(actor.record.remote(3))
    wait_value(3, f"{name}_c_total")
    # The process has ended, and its gauges have gone.
    wait_until(lambda: len(samples(name)) <= 1)
    gauge.set(2, {"user": "another"})
    assert set(samples(name).values()) == {2}


@pytest.mark.only_thornback
def test_too_long_texts_are_refused_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    name = new_name()
    counter = Counter(name, "x" * 5000, ("k",))
    with caplog.at_level(logging.WARNING, "thornback"):
        counter.inc(tags={"k": "x" * 5000})
        Counter(f"{name}{'x' * 300}").inc()
        counter.inc(tags={"k": "\udc80 short"})
        assert list(samples(f"{name}_total").values()) == [1]
    texts = [record.getMessage() for record in caplog.records]
    assert ["the value of a tag has more than" in texts[0], "the name has more" in texts[1]] == [
        True,
        True,
    ]


@pytest.mark.only_thornback
@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"[]",
        b'{"families": 3}',
        b'{"families": [{"name": "x y", "kind": "counter"}]}',
        b'{"families": [{"name": "x", "kind": "odd"}]}',
        json.dumps(
            {
                "families": [
                    {"name": "bad", "kind": "counter", "series": [{"labels": [], "value": "1"}]},
                    {"name": "x", "kind": "counter", "series": [{"labels": [], "value": "-1"}]},
                ]
            }
        ).encode(),
        b'{"families": []}' + b" " * (1 << 20),
    ],
)
def test_a_worker_that_reports_nonsense_is_refused(report: bytes) -> None:
    actor = ray.remote(Recording).remote(new_name())
    with pytest.raises(RuntimeError, match="metrics: malformed report"):
        ray.get(actor.control.remote("metrics.report", report))
    assert not samples("bad_total")
    assert ray.get(actor.record.remote(1))


@pytest.mark.only_thornback
def test_the_socket_answers_questions_only() -> None:
    from thornback._peer import Peer, find

    with Peer(find(str(os.getpid())), 10) as peer:
        with pytest.raises(ValueError, match="no query"):
            peer.ask("metrics.report", families=[])
        assert "families" in peer.ask("metrics")
