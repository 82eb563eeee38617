"""The backend named "ray"."""

from __future__ import annotations

from joblib._parallel_backends import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
)

from ..multiprocessing._function import SharedFunction
from ._pools import idle
from ._shared import Store, fetched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from ..._object_ref import ObjectRef
    from ._shared import Call

    # What the pool tells of a batch: a list of its results, or the engine's error.
    Outcome: TypeAlias = tuple[Any, BaseException | None]


class RayBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Runs joblib's batches in a pool of actors.

    Parameters
    ----------
    nesting_level, inner_max_num_threads
        See joblib.
    ray_remote_args : dict, optional
        Options of the actors; they take no CPUs otherwise.
    """

    supports_retrieve_callback = True
    supports_inner_max_num_threads = False

    def __init__(
        self,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        ray_remote_args: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.ray_remote_args = ray_remote_args
        self._pool: Any = None
        self._options = ray_remote_args
        self._store = Store()
        self._runner: SharedFunction | None = None
        self._nested: tuple[Any, ...] | None = None  # what _runner was made for
        super().__init__(
            nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads, **kwargs
        )

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        prefer: str | None = None,
        require: str | None = None,
        ray_remote_args: dict[str, Any] | None = None,
        **ignored: Any,
    ) -> int:
        """Start the actors; return their number."""
        del prefer, require, ignored
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.terminate()
        self._options = ray_remote_args if ray_remote_args is not None else self.ray_remote_args
        self._pool = idle.take(n_jobs, self._options)
        self.parallel = parallel
        return n_jobs

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return the number of actors for `n_jobs`: all of the session's CPUs when -1."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        if n_jobs > 0:
            return n_jobs
        from ..._api import cluster_resources
        from ..._init import init, is_initialized

        if not is_initialized():
            init()
        return max(int(cluster_resources().get("CPU", 1)) + 1 + n_jobs, 1)

    def submit(
        self, func: Any, callback: Callable[[Outcome], Any] | None = None
    ) -> ObjectRef[list[Any]]:
        """Run a batch; `callback` gets its outcome when it is done."""

        # Ray's pool takes turns; who has least to do is faster where batches differ.
        def tell(value: Any, error: BaseException | None) -> None:
            if callback is not None:
                callback((value, error))

        calls = self._store.replaced(func.items)
        item = calls if calls is func.items else _Sharing(calls)
        ref: ObjectRef[list[Any]] = self._pool._submit(self._function(func), item, tell)
        return ref

    def _function(self, func: Any) -> SharedFunction:
        """Return what runs batches in the actors, which learn it once."""
        nested = (type(func._backend), func._backend.nesting_level, func._n_jobs)
        if self._runner is None or self._nested != nested:
            self._forget()
            runner = _Runner(func._backend, func._n_jobs)
            self._runner = SharedFunction(self._pool, runner, stateless=True)
            self._nested = nested
        return self._runner

    def retrieve_result_callback(self, out: Outcome) -> Any:
        """Return a batch's results, or raise what a call raised."""
        from ..multiprocessing._result import raise_result

        value, error = out
        if error is not None:
            raise error
        (result,) = value
        if isinstance(result, Exception):
            raise_result(result)
        return result

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Kill the actors; start others when more is to come."""
        pool, self._pool = self._pool, None
        self._runner = self._nested = None
        if pool is not None:
            pool.terminate()
        if ensure_ready:
            parallel = self.parallel
            self.configure(parallel.n_jobs, parallel, **parallel._backend_kwargs)

    def terminate(self) -> None:
        """Give the actors up."""
        self._store.clear()
        pool = self._pool
        if pool is not None:
            if pool._running():
                self._forget()
            self._pool = None
            idle.give(pool, self._options)

    def _forget(self) -> None:
        runner, self._runner, self._nested = self._runner, None, None
        if runner is not None:
            runner.forget()


class _Sharing:
    """Calls with `Shared` among their arguments."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls

    def __reduce__(self) -> tuple[Any, ...]:
        return (_Sharing, (self.calls,))


class _Runner:
    """Runs batches in an actor.

    Parameters
    ----------
    backend : joblib backend
        For loops within calls, with `n_jobs`.
    n_jobs : int or None
    """

    def __init__(self, backend: Any, n_jobs: int | None) -> None:
        self._backend = backend
        self._n_jobs = n_jobs

    def __call__(self, calls: Sequence[Call] | _Sharing) -> list[Any]:
        from joblib.parallel import parallel_config

        with parallel_config(backend=self._backend, n_jobs=self._n_jobs):
            if type(calls) is not _Sharing:
                return [function(*args, **kwargs) for function, args, kwargs in calls]  # type: ignore[union-attr]
            return [
                function(*map(fetched, args), **{name: fetched(a) for name, a in kwargs.items()})
                for function, args, kwargs in calls.calls
            ]
