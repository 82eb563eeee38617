"""The beginning and the end of a session."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` without its enums
import os
import sys
import threading

from . import _core, _fork, _machine, _named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._context import RayContext
    from ._logs import LogPrinter
    from ._session import SessionFolder

_FILES_MAX = 65_536
# What a session opens in the driver, and what it needs for a moment at its start.
_FILES_FREE = 32
_PRESTART_MAX = 4
_INFO = 20  # logging.INFO
# Ended tasks that the state API knows, about 100 bytes each; as in Ray.
_TASKS_KEPT = 100_000
# Accepted for the sake of programs written for Ray; what they set does not exist here.
_HIDDEN = frozenset(
    {
        "object_spilling_directory",
        "_enable_object_reconstruction",
        "_plasma_directory",
        "_node_ip_address",
        "_driver_object_store_memory",
        "_memory",
        "_redis_username",
        "_redis_password",
        "_temp_dir",
        "_metrics_export_port",
        "_system_config",
        "_tracing_startup_hook",
        "_node_name",
        "_skip_env_hook",
    }
)


class _Session:
    """What the driver holds while a session runs."""

    def __init__(self, folder: SessionFolder, printer: LogPrinter | None) -> None:
        self.folder = folder
        self.printer = printer
        self.context: RayContext | None = None


_mutex = threading.RLock()
_running: _Session | None = None  # guarded by _mutex
_at_exit = False


def init(
    address: str | None = None,
    *,
    num_cpus: int | float | None = None,
    num_gpus: int | float | None = None,
    resources: Mapping[str, float] | None = None,
    labels: Mapping[str, str] | None = None,
    object_store_memory: int | None = None,
    local_mode: bool = False,
    ignore_reinit_error: bool = False,
    include_dashboard: bool | None = None,  # noqa: ARG001
    dashboard_host: str = "127.0.0.1",  # noqa: ARG001
    dashboard_port: int | None = None,  # noqa: ARG001
    job_config: Any = None,
    configure_logging: bool = True,
    logging_level: int | str = "info",
    logging_format: str | None = None,
    logging_config: Any = None,
    log_to_driver: bool | None = None,
    namespace: str | None = None,
    runtime_env: Mapping[str, Any] | None = None,
    enable_resource_isolation: bool = False,  # noqa: ARG001
    cgroup_path: str | None = None,  # noqa: ARG001
    system_reserved_cpu: float | None = None,  # noqa: ARG001
    system_reserved_memory: int | None = None,  # noqa: ARG001
    proxy_server_url: str | None = None,  # noqa: ARG001
    **kwargs: Any,
) -> RayContext:
    """Start a session on this machine.

    Optional: the first ``.remote()``, `put` or `get` starts one with defaults.

    Parameters
    ----------
    address : str, optional
        None or ``"local"``. Sessions of several machines are not available in this release.
    num_cpus, num_gpus : float, optional
        What tasks may use together; by default the cores that this process may run on, and no GPU.
    resources : mapping of str to float, optional
        Custom resources that tasks can ask for.
    object_store_memory : int, optional
        Bytes; by default 30 % of the memory, 200 GB at most.
    ignore_reinit_error : bool
        Return the running session instead of raising.
    log_to_driver : bool, optional
        Whether what workers print appears here; by default it does, unless RAY_LOG_TO_DRIVER=0.
    logging_level, logging_format : optional
        Of the logger ``ray``; the level is ``info`` or what RAY_LOGGER_LEVEL says.
    logging_config : LoggingConfig, optional
        One format for driver and workers; RAY_LOGGING_CONFIG_ENCODING makes one.
    namespace : str, optional
        For names of actors; by default that of `job_config`, or one of the session's own.
    job_config : JobConfig or dict, optional
        Of it count the namespace, the lifetime of actors that name none, and `runtime_env`. When
        not given, the one that the environment variable RAY_JOB_CONFIG_JSON_ENV_VAR holds as JSON.
    labels : mapping of str to str, optional
        Of this node, for tasks and actors that choose nodes by `label_selector`.
    runtime_env : mapping, optional
        Refused in this release unless empty.
    infeasible : {"warn", "error"}, optional
        What becomes of a task or actor that asks for more than there will ever be: it waits and
        you are warned, or `TaskUnschedulableError` or `ActorUnschedulableError` is raised. The
        option of the same name says it for one function or class.
    **kwargs
        These and all other parameters are accepted as Ray has them, and without effect.

    Returns
    -------
    RayContext
        Can be used as a context manager, which ends the session.

    Raises
    ------
    RuntimeError
        A session runs already, or the process was forked from one that has a session.
    ConnectionError
        `address` asks for an existing cluster.
    ValueError
        A size or an amount is out of its limits.
    AssertionError
        CPUs, GPUs or memory among the custom resources.
    """
    _check_removed(local_mode, kwargs)
    from . import _accelerators, _labels
    from .job_config import in_force

    job = in_force(job_config)
    _check_unbuilt(runtime_env or job.runtime_env)
    infeasible = _infeasible(kwargs.get("infeasible"))
    with _mutex:
        if _core.session():
            if ignore_reinit_error:
                return _context()
            raise RuntimeError(
                "Maybe you called ray.init twice by accident? This error can be suppressed by "
                "passing in 'ignore_reinit_error=True' or by calling 'ray.shutdown()' prior to "
                "'ray.init()'."
            )
        _check_address(address)
        _fork.check()
        _named.set_namespace(namespace if namespace is not None else job.ray_namespace)
        _named.set_lifetime(job.default_actor_lifetime)
        _labels.set_node(labels)
        memory = _machine.memory_bytes()
        store = _machine.store_bytes(object_store_memory, memory)
        offer = {
            "num_cpus": float(_machine.cpu_count() if num_cpus is None else num_cpus),
            "num_gpus": _accelerators.offered(num_gpus),
            "resources": _offered(resources, kwargs.get("_memory") or memory - store),
            "store_bytes": store,
            "infeasible": infeasible,
            "test_hooks": os.environ.get("THORNBACK_TEST_HOOKS") == "1",
        }
        lineage = os.environ.get("RAY_max_lineage_bytes")  # noqa: SIM112 - Ray's name
        if lineage is not None:
            offer["lineage_bytes"] = int(lineage)
        _check_quantities(offer)
        if configure_logging:
            _set_up_logging(logging_level, logging_format)
        logging_config = _logging_config(logging_config)
        if logging_config is not None:
            logging_config._apply()
        if log_to_driver is None:
            log_to_driver = _env_bool("RAY_LOG_TO_DRIVER", True)
        return _open(offer, bool(log_to_driver), logging_config)


def shutdown(*, wait_for_processes: bool = False, _exiting_interpreter: bool = False) -> None:
    """End the session: its tasks, actors and objects, its processes and files. Idempotent.

    Parameters
    ----------
    wait_for_processes : bool
        For Ray's sake: processes are always waited for.
    """
    global _running
    del wait_for_processes, _exiting_interpreter
    with _mutex:
        ending, _running = _running, None
        if ending is None:
            return
        from ._stacks import disarm

        metrics = sys.modules.get("thornback._metrics")
        if metrics is not None:
            metrics.recorder.flush()  # the next session's must not have them
        try:
            _core.close()
        finally:
            disarm()
            if ending.printer is not None:
                ending.printer.close()
            ending.folder.close()


def is_initialized() -> bool:
    """Whether a session runs; True in workers too."""
    return _core.session() != 0


def auto_init() -> None:
    """Start a session with defaults, unless RAY_ENABLE_AUTO_CONNECT=0 forbids it."""
    if os.environ.get("RAY_ENABLE_AUTO_CONNECT", "1") == "0":
        from ._exceptions import RaySystemError

        raise RaySystemError("Ray has not been started yet. You can start Ray with 'ray.init()'.")
    with _mutex:
        if not _core.session():
            init()


def session_folder() -> str | None:
    """Return the folder of the session that this process has started, None without one."""
    return None if _running is None else _running.folder.path


def forget() -> bool:
    """Drop what a forked child must not end; returns whether there was something."""
    global _running, _mutex
    had, _running = _running is not None, None
    _mutex = threading.RLock()
    return had


def ends_by_signal() -> bool:
    """Whether SIGTERM ends this process through a handler of ours."""
    return _signal.getsignal(_signal.SIGTERM) is _end_by_signal


def _set_up_logging(level: int | str, format: str | None) -> None:
    """Set the logger ``ray`` up, unless the program does not log so far, nor asks for anything."""
    if level == "info":
        level = os.environ.get("RAY_LOGGER_LEVEL", level)
    if "logging" in sys.modules or level not in ("info", _INFO) or format is not None:
        from ._loggers import set_up

        set_up(level, format)


def _logging_config(given: Any) -> Any:
    """Return the `LoggingConfig` that counts: the one given, or the environment's."""
    encoding = os.environ.get("RAY_LOGGING_CONFIG_ENCODING")
    if given is not None or not encoding:
        return given
    from ._logging_config import LoggingConfig

    return LoggingConfig(encoding=encoding)


def _open(offer: dict[str, Any], log_to_driver: bool, logging_config: Any) -> RayContext:
    global _running
    import json

    from . import _session
    from ._boot import zygote_options
    from ._logs import LogPrinter, Style
    from ._stacks import arm, disarm

    _raise_file_limit()
    _check_files()
    namespace = _named.default_namespace()
    # Also where the workers' lines are not wanted, for what the engine has to say.
    printer = LogPrinter(Style(os.environ, prefixes=False) if logging_config else None)
    folder = None
    try:
        folder = _session.plan()
        zygote, imports_ahead = zygote_options(
            folder, namespace, logging_config.to_dict() if logging_config else None
        )
        # The others gain from what the zygote imports before it forks them.
        workers = 1 if imports_ahead else max(1, min(_PRESTART_MAX, int(offer["num_cpus"])))
        options = {
            **offer,
            "session_dir": folder.path,
            "log_fd": printer.write_fd,
            "quiet": not log_to_driver,
            "zygote": zygote,
            "prestart": workers,
            "tasks_kept": _env_int("RAY_task_events_max_num_task_in_gcs", _TASKS_KEPT),
            "node_ip": "127.0.0.1",
            "namespace": namespace,
            "entrypoint": " ".join(sys.orig_argv).encode(errors="replace").decode(),
        }
        session = _core.open(_library(), json.dumps(options).encode())
        # Now that the zygote runs, which removes it if this process is killed.
        folder.make()
        _core.control("begin", b"{}")
        arm(session)
    except BaseException:
        _core.close()
        disarm()
        printer.close()
        if folder is not None:
            folder.close()
        raise
    _running = _Session(folder, printer)
    _running.context = _new_context(folder.path, session)
    _arrange_end()
    return _running.context


def _context() -> RayContext:
    if _running is not None and _running.context is not None:
        return _running.context
    from . import _worker

    return _new_context(str(_worker.boot().get("session_dir", "")), _core.session())


def _new_context(session_dir: str, session: int) -> RayContext:
    from ._context import RayContext, address_info, node_bytes

    return RayContext(address_info(session_dir, node_bytes(session).hex()))


def _env_int(name: str, default: int) -> int:
    """Return a whole number >= 0 that an environment variable holds, the default else."""
    text = os.environ.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() else default


def _env_bool(name: str, default: bool) -> bool:
    """Return what an environment variable says: "1" and "true" are yes, anything else is no."""
    return os.environ[name].lower() in ("1", "true") if name in os.environ else default


def _library() -> str:
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libthornback.so")
    if not os.path.exists(path):
        raise RuntimeError(f"{path} is missing: this installation of thornback is incomplete")
    return path


def _arrange_end() -> None:
    """End the session with the process, however it ends."""
    global _at_exit
    import atexit
    import signal

    if not _at_exit:
        atexit.register(shutdown)
        _at_exit = True
    is_main = threading.current_thread() is threading.main_thread()
    # A handler of the user's own stays.
    if is_main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end_by_signal)


def _end_by_signal(number: int, _frame: object) -> None:
    sys.exit(number)


def _raise_file_limit() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _FILES_MAX)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        # Forbidden here; what there is has to do.
        return


def _check_files() -> None:
    """Refuse to start without room for what a session opens: the Go runtime would abort."""
    held: list[int] = []
    try:
        held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        held.extend(os.dup(held[0]) for _ in range(_FILES_FREE - 1))
    except OSError as error:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise OSError(
            error.errno,
            f"{os.strerror(error.errno or 0)}: init() needs {_FILES_FREE} free file descriptors; "
            f"this process may have {limit} (RLIMIT_NOFILE, ulimit -n)",
        ) from None
    finally:
        for fd in held:
            os.close(fd)


def _offered(resources: Mapping[str, float] | None, memory: int) -> dict[str, float]:
    from ._resources import custom_error

    _check_custom(resources or {})
    # Negative ones have a text of their own, see _check_quantities.
    error = custom_error({k: v for k, v in (resources or {}).items() if not _is_negative(v)})
    if error:
        raise ValueError(error)
    offered = {name: float(amount) for name, amount in (resources or {}).items()}
    return {"memory": float(memory), **offered}


def _is_negative(quantity: object) -> bool:
    return isinstance(quantity, (int, float)) and quantity < 0


def _check_custom(resources: Mapping[str, float]) -> None:
    arguments = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}
    arguments["object_store_memory"] = "object_store_memory"
    for name in arguments.keys() & resources.keys():
        # Ray's class: programs that catch it look for that one.
        raise AssertionError(
            f"{dict(resources)} -> `{name}` cannot be a custom resource because it is one of the "
            f"default resources ({set(arguments)}). Use `{arguments[name]}` instead."
        )


def _check_quantities(offer: Mapping[str, Any]) -> None:
    quantities = {**offer["resources"], "CPU": offer["num_cpus"], "GPU": offer["num_gpus"]}
    for name, quantity in quantities.items():
        if quantity >= 0 and quantity.is_integer():
            continue
        rule = "be nonnegative" if quantity < 0 else "all be whole numbers"
        raise ValueError(
            f"Resource quantities must {rule}. Violated by resource '{name}' in {quantities}."
        )


def _infeasible(wanted: object) -> str:
    if wanted in (None, "warn", "error"):
        return str(wanted or "warn")
    raise ValueError(f"infeasible must be 'warn' or 'error', got {wanted!r}")


def _check_removed(local_mode: bool, kwargs: Mapping[str, Any]) -> None:
    if "allow_multiple" in kwargs:
        raise RuntimeError(
            "`allow_multiple` argument is passed to `ray.init` when the ray client is not used "
            "(https://docs.ray.io/en/releases-2.60.0/cluster/running-applications/job-submission/"
            "ray-client.html#connect-to-multiple-ray-clusters-experimental). "
            "Do not pass the `allow_multiple` to `ray.init` to fix the issue."
        )
    if "storage" in kwargs:
        raise RuntimeError(
            "Cluster-wide storage configuration has been removed. "
            "The last Ray version supporting the `storage` argument is `ray==2.47`."
        )
    unknown = [name for name in kwargs if name not in _HIDDEN and name != "infeasible"]
    if unknown:
        raise RuntimeError(f"Unknown keyword argument(s): {', '.join(unknown)}")
    if local_mode:
        raise RuntimeError(
            "`local_mode` is no longer supported. For interactive debugging consider using the Ray "
            "distributed debugger."
        )
    if not isinstance(kwargs.get("_system_config") or {}, dict):
        raise TypeError("The _system_config must be a dict.")


def _check_unbuilt(runtime_env: Mapping[str, Any] | None) -> None:
    """Refuse what would change how tasks run, rather than run without it."""
    if runtime_env:
        raise NotImplementedError("init(runtime_env=...) is not available in this release")


def _check_address(address: str | None) -> None:
    wanted = address
    if address in (None, "auto"):
        wanted = os.environ.get("RAY_ADDRESS") or address
    if wanted in (None, "local"):
        return
    if wanted == "auto":
        raise ConnectionError(
            "Could not find any running Ray instance. Please specify the one to connect to by "
            "setting `--address` flag or `RAY_ADDRESS` environment variable."
        )
    raise ConnectionError(
        f"can't connect to {wanted!r}: this release runs sessions on one machine; clusters of "
        "several are to come. Leave the address out, or pass address='local', to start one here."
    )
