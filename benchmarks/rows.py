"""The rows of the table: what is measured, by which script, and what must come out."""

from __future__ import annotations

from dataclasses import dataclass

OURS = "thornback"
# Thornback too, of another build: what the present one is compared with, see --before-python.
BEFORE = "before"


@dataclass(frozen=True)
class Row:
    """One figure of one script.

    Attributes
    ----------
    key : str, as the script emits it
    title : str, as the table shows it
    unit : str, of the raw samples
    question : str, the script's name without .py
    better : "more" or "less"
    """

    key: str
    title: str
    unit: str
    question: str
    better: str = "more"


@dataclass(frozen=True)
class Goal:
    """What thornback's row must reach against one peer's row.

    Attributes
    ----------
    row, peer, peer_row : keys; the peer's row stands beside ours in any case
    kind : "ratio" to the peer, "limit" on our own value, or "floor": share of that floor
    must, aim : float or None, in the kind's own unit
    floor : str, key of the floor when kind is "floor"
    quick : bool, part of the quick run
    new : bool, a build of before can't run it; see --before-python
    """

    row: str
    peer: str = "ray"
    peer_row: str = ""
    kind: str = "ratio"
    must: float | None = None
    aim: float | None = None
    floor: str = ""
    quick: bool = True
    new: bool = False


@dataclass(frozen=True)
class Share:
    """A row that stands on a floor; both are turned into rates before they are divided."""

    row: str
    floor: str


def _rows(question: str, *rows: tuple[str, ...]) -> list[Row]:
    return [Row(row[0], row[1], row[2], question, *row[3:]) for row in rows]


ROWS = {
    row.key: row
    for row in [
        *_rows(
            "start",
            ("import_s", "import", "s", "less"),
            ("init_s", "`init()` returns", "s", "less"),
            ("first_task_s", "first task's result after it", "s", "less"),
        ),
        *_rows(
            "task_overhead",
            ("task_sync", "task sync (get of one)", "/s"),
            ("task_async", "tasks async, 1,000 at a time", "/s"),
        ),
        *_rows(
            "actor_overhead",
            ("actor_sync", "1:1 actor sync", "/s"),
            ("actor_async", "1:1 actor async", "/s"),
            ("actor_n_n", "n:n actors async (2 callers, 2 actors)", "/s"),
            ("actor_1mb", "actor call with a 1 MB argument", "/s"),
        ),
        *_rows(
            "actor_concurrency",
            ("actor_async_sync", "async actor, one call at a time", "/s"),
            ("actor_async_async", "async actor, 1,000 calls at a time", "/s"),
            ("actor_threaded_sync", "threaded actor, one call at a time", "/s"),
            ("actor_threaded_async", "threaded actor, 1,000 calls at a time", "/s"),
            ("named_lookup", "look-up of a named actor", "/s"),
        ),
        *_rows("generator_items", ("generator_items", "items of a streaming generator", "/s")),
        *_rows("await_refs", ("await_1k", "`await` of 1,000 references of tasks", "/s")),
        *_rows(
            "many_values",
            ("many_arguments", "5,000 arguments to one task (arguments)", "/s"),
            ("many_returns", "2,000 results of one task (results)", "/s"),
            ("get_list", "get of a list of 2,000 objects (objects)", "/s"),
            ("get_holder", "get of an object that holds 2,000 references (references)", "/s"),
        ),
        *_rows(
            "pool_map",
            ("util_pool_map", "`util.multiprocessing.Pool.map(chunksize=1)` (items)", "/s"),
        ),
        *_rows("joblib_small", ("joblib_small", 'joblib, backend "ray" (batch_size=1)', "/s")),
        *_rows("dask_graph", ("dask_graph", "Dask graph of 10,000 small tasks (tasks)", "/s")),
        *_rows("chain", ("chain_100", "chain of 100 dependent tasks (tasks)", "/s")),
        *_rows("wait_refs", ("wait_1k", "wait over 1,000 references (rounds)", "/s")),
        *_rows(
            "object_small",
            ("put_small", "put small", "/s"),
            ("get_small", "get small", "/s"),
        ),
        *_rows(
            "object_bandwidth",
            ("put_100mb", "put 100 MB into touched memory", "GB/s"),
            ("put_100mb_new", "put 100 MB into new memory", "GB/s"),
            ("put_1mb", "put 1 MB", "GB/s"),
            ("get_100mb", "get 100 MB (zero-copy)", "/s"),
        ),
        *_rows("actor_lifecycle", ("actors_created", "actors created, called, killed (30)", "/s")),
        *_rows(
            "idle",
            ("idle_actor", "private memory of an idle actor", "MB", "less"),
            ("idle_cpu", "idle: CPU of all processes (of one core)", "%", "less"),
            (
                "idle_memory",
                "idle: memory of driver + zygote + one worker above plain Python's",
                "MB",
                "less",
            ),
        ),
        *_rows(
            "queue_million",
            ("queue_million_s", "a million tasks queued, then drained", "s", "less"),
            ("queue_task_bytes", "memory in the driver per queued task", "B", "less"),
        ),
        *_rows(
            "scaling",
            ("queue_growth", "cost per task, queue 1,000 -> 1,000,000", "x", "less"),
            ("actor_growth", "cost per call to 2 actors, live actors 2 -> 300", "x", "less"),
            (
                "actor_growth_rotating",
                "cost per sync call to all in turn, live actors 2 -> 300",
                "x",
                "less",
            ),
        ),
        *_rows(
            "pools",
            ("pool_sync", "multiprocessing.Pool.apply", "/s"),
            ("pool_map", "multiprocessing.Pool.map(chunksize=1)", "/s"),
            ("executor_sync", "ProcessPoolExecutor sync", "/s"),
            ("executor_async", "ProcessPoolExecutor async, 1,000 at a time", "/s"),
            ("executor_1mb", "ProcessPoolExecutor, 1 MB argument", "/s"),
            ("loky_async", "joblib (loky, batch_size=1)", "/s"),
            ("dask_sync", "Dask task sync", "/s"),
            ("dask_async", "Dask tasks async, 1,000 at a time", "/s"),
            ("dask_actor", "Dask actor sync", "/s"),
            ("distributed_graph", "Dask distributed, the same graph (tasks)", "/s"),
        ),
    ]
}

GOALS = [
    Goal("init_s", kind="limit", must=0.1, aim=0.05),
    Goal("first_task_s", kind="limit", must=0.2, aim=0.1),
    Goal("import_s", must=5, aim=10),
    Goal("task_sync", must=40, aim=100),
    Goal("task_async", must=40, aim=100),
    Goal("actor_sync", must=20, aim=50),
    Goal("actor_async", must=20, aim=50),
    Goal("actor_n_n", must=15, aim=40),
    Goal("actor_async_sync", must=15, new=True),
    Goal("actor_async_async", must=15, new=True),
    Goal("actor_threaded_sync", must=15, new=True),
    Goal("actor_threaded_async", must=15, new=True),
    Goal("named_lookup", must=10, new=True),
    Goal("generator_items", must=10, new=True),
    Goal("await_1k", must=15, new=True),
    Goal("many_arguments", must=8),
    Goal("many_returns", must=5),
    Goal("get_list", must=8),
    Goal("get_holder", must=3),
    Goal("util_pool_map", must=10, new=True),
    Goal("joblib_small", must=5, new=True),
    Goal("dask_graph", must=10, new=True),
    Goal("chain_100", must=25, aim=60),
    Goal("wait_1k", must=20, aim=60),
    Goal("put_small", must=60, aim=200),
    Goal("get_small", must=40, aim=100),
    Goal("put_100mb", kind="floor", floor="memcpy_warm", must=0.7, aim=0.85),
    Goal("put_100mb_new", must=1, aim=2),
    Goal("put_1mb"),
    Goal("get_100mb", must=20, aim=50),
    Goal("actor_1mb", must=8, aim=15),
    Goal("actors_created", must=20, aim=50),
    Goal("idle_actor", kind="limit", must=8, aim=4, quick=False),
    Goal("queue_million_s", kind="limit", must=20, aim=8, quick=False),
    Goal("queue_task_bytes", kind="limit", must=1000, aim=300, quick=False),
    Goal("queue_growth", kind="limit", must=1.5, aim=1.2, quick=False),
    Goal("actor_growth", kind="limit", must=1.5, aim=1.2, quick=False),
    Goal("actor_growth_rotating", kind="limit", quick=False),
    Goal("idle_cpu", kind="limit", must=1, aim=0.2, quick=False),
    Goal("idle_memory", kind="limit", must=80, aim=40, quick=False),
    Goal("task_sync", "std", "pool_sync", must=4, quick=False),
    Goal("task_async", "std", "pool_map", must=1.5, quick=False),
    Goal("task_sync", "std", "executor_sync", quick=False),
    Goal("task_async", "std", "executor_async", must=8, quick=False),
    Goal("actor_1mb", "std", "executor_1mb", quick=False),
    Goal("task_async", "joblib", "loky_async", must=10, quick=False),
    Goal("task_sync", "dask", "dask_sync", must=100, quick=False),
    Goal("task_async", "dask", "dask_async", must=100, quick=False),
    Goal("actor_sync", "dask", "dask_actor", quick=False),
    Goal("util_pool_map", "std", "pool_map", must=1, quick=False, new=True),
    Goal("joblib_small", "joblib", "loky_async", must=1, quick=False, new=True),
    Goal("dask_graph", "dask", "distributed_graph", must=10, quick=False, new=True),
]

FLOORS = {
    "ring_round_trip_s": ("bare ring, round trip, spinning", "s"),
    "futex_round_trip_s": ("futex ping-pong", "s"),
    "ring_one_way_per_s": ("bare ring, one way", "/s"),
    "ring_echo_per_s": ("bare ring, pipelined there and back", "/s"),
    "memcpy_warm": ("memcpy into touched memory", "GB/s"),
    "memfd_warm": ("memcpy into a touched memfd", "GB/s"),
    "memfd_new": ("memcpy into a new memfd", "GB/s"),
    "memfd_fallocate": ("fallocate of a new memfd and memcpy", "GB/s"),
    "fork_first_s": ("fork of a small zygote, to the child's first instruction", "s"),
    "fork_exit_s": ("fork of a small zygote, to the child's end", "s"),
}

SHARES = [
    Share("task_sync", "ring_round_trip_s"),
    Share("task_sync", "futex_round_trip_s"),
    Share("actor_sync", "ring_round_trip_s"),
    Share("actor_sync", "futex_round_trip_s"),
    Share("task_async", "ring_echo_per_s"),
    Share("actor_async", "ring_echo_per_s"),
    Share("put_100mb", "memcpy_warm"),
    Share("put_100mb", "memfd_warm"),
    Share("put_100mb_new", "memfd_new"),
    Share("put_100mb_new", "memfd_fallocate"),
    Share("actors_created", "fork_first_s"),
    Share("actors_created", "fork_exit_s"),
]


def wanted(engine: str, goals: list[Goal]) -> dict[str, list[str]]:
    """Return the rows that an engine has to run for these goals, by question, in order."""
    keys = [
        goal.row if engine in (OURS, BEFORE) else goal.peer_row or goal.row
        for goal in goals
        if engine in (OURS, goal.peer) or (engine == BEFORE and goal.peer == "ray" and not goal.new)
    ]
    questions: dict[str, list[str]] = {}
    for key in dict.fromkeys(keys):
        questions.setdefault(ROWS[key].question, []).append(key)
    return questions
