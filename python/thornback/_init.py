"""The beginning and the end of a session."""

from __future__ import annotations

import os
import sys
import threading

from . import _core, _fork, _ids, _machine, _named
from ._context import RayContext, address_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._logs import LogPrinter
    from ._session import SessionFolder

_INFO = 20  # logging.INFO
_FILES_MAX = 65_536
_PRESTART_MAX = 4
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
    job_config: Any = None,  # noqa: ARG001
    configure_logging: bool = True,  # noqa: ARG001
    logging_level: int = _INFO,  # noqa: ARG001
    logging_format: str | None = None,  # noqa: ARG001
    logging_config: Any = None,  # noqa: ARG001
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
        Whether what workers print appears here; by default it does.
    namespace : str, optional
        For names of actors; by default one of the session's own.
    labels, runtime_env : mapping, optional
        Refused in this release unless empty.
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
    """
    _check_removed(local_mode, kwargs)
    _check_unbuilt(runtime_env, labels)
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
        _named.set_namespace(namespace)
        memory = _machine.memory_bytes()
        store = _machine.store_bytes(object_store_memory, memory)
        offer = {
            "num_cpus": float(_machine.cpu_count() if num_cpus is None else num_cpus),
            "num_gpus": float(num_gpus or 0),
            "resources": _offered(resources, kwargs.get("_memory") or memory - store),
            "store_bytes": store,
        }
        _check_quantities(offer)
        return _open(offer, log_to_driver is not False)


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
        try:
            _core.close()
        finally:
            if ending.printer is not None:
                ending.printer.close()
            ending.folder.close()


def is_initialized() -> bool:
    """Whether a session runs; True in workers too."""
    return _core.session() != 0


def auto_init() -> None:
    """Start a session with defaults, unless RAY_ENABLE_AUTO_CONNECT=0 forbids it."""
    if os.environ.get("RAY_ENABLE_AUTO_CONNECT", "1") == "0":
        raise RuntimeError("Ray has not been started yet. You can start Ray with 'ray.init()'.")
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


def _open(offer: dict[str, Any], log_to_driver: bool) -> RayContext:
    global _running
    import json

    from . import _session
    from ._boot import zygote_options
    from ._logs import LogPrinter

    _raise_file_limit()
    namespace = _named.default_namespace()
    printer = LogPrinter() if log_to_driver else None
    folder = None
    try:
        folder = _session.plan()
        zygote, imports_ahead = zygote_options(folder, namespace)
        # The others gain from what the zygote imports before it forks them.
        workers = 1 if imports_ahead else max(1, min(_PRESTART_MAX, int(offer["num_cpus"])))
        options = {
            **offer,
            "session_dir": folder.path,
            "log_fd": printer.write_fd if printer is not None else -1,
            "zygote": zygote,
            "prestart": workers,
            "node_ip": "127.0.0.1",
        }
        session = _core.open(_library(), json.dumps(options).encode())
        # Now that the zygote runs, which removes it if this process is killed.
        folder.make()
        _core.control("begin", b"{}")
    except BaseException:
        _core.close()
        if printer is not None:
            printer.close()
        if folder is not None:
            folder.close()
        raise
    _running = _Session(folder, printer)
    _running.context = RayContext(address_info(folder.path, _ids.node_id(session).hex()))
    _arrange_end()
    return _running.context


def _context() -> RayContext:
    if _running is not None and _running.context is not None:
        return _running.context
    from . import _worker

    node = _ids.node_id(_core.session()).hex()
    return RayContext(address_info(str(_worker.boot().get("session_dir", "")), node))


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
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(number))


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


def _offered(resources: Mapping[str, float] | None, memory: int) -> dict[str, float]:
    from ._resources import custom_error

    error = custom_error(resources)
    if error:
        raise ValueError(error)
    offered = {name: float(amount) for name, amount in (resources or {}).items()}
    return {"memory": float(memory), **offered}


def _check_quantities(offer: Mapping[str, Any]) -> None:
    quantities = {**offer["resources"], "CPU": offer["num_cpus"], "GPU": offer["num_gpus"]}
    for name, quantity in quantities.items():
        if quantity >= 0 and quantity.is_integer():
            continue
        rule = "be nonnegative" if quantity < 0 else "all be whole numbers"
        raise ValueError(
            f"Resource quantities must {rule}. Violated by resource '{name}' in {quantities}."
        )


def _check_removed(local_mode: bool, kwargs: Mapping[str, Any]) -> None:
    if "allow_multiple" in kwargs:
        raise RuntimeError(
            "`allow_multiple` argument is passed to `ray.init` when the ray client is not used. "
            "Do not pass the `allow_multiple` to `ray.init` to fix the issue."
        )
    if "storage" in kwargs:
        raise RuntimeError(
            "Cluster-wide storage configuration has been removed. "
            "The last Ray version supporting the `storage` argument is `ray==2.47`."
        )
    unknown = [name for name in kwargs if name not in _HIDDEN]
    if unknown:
        raise RuntimeError(f"Unknown keyword argument(s): {', '.join(unknown)}")
    if local_mode:
        raise RuntimeError(
            "`local_mode` is no longer supported. For interactive debugging consider using the Ray "
            "distributed debugger."
        )
    if not isinstance(kwargs.get("_system_config") or {}, dict):
        raise TypeError("The _system_config must be a dict.")


def _check_unbuilt(runtime_env: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> None:
    """Refuse what would change where or how tasks run, rather than run without it."""
    for name, value in (("runtime_env", runtime_env), ("labels", labels)):
        if value:
            raise NotImplementedError(f"init({name}=...) is not available in this release")


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
