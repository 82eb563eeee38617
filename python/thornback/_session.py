"""The session's folder: where workers' output lies while the session lives, and nothing after it.

A folder belongs to the process that holds the record lock on its `lock` file. The kernel gives that
lock back however the process ends, so a folder whose lock can be had is stale, and the next session
of the same user removes it.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PREFIX = "session_"
_ROOT_PREFIX = "thornback-"
_LOCK = "lock"
_NEW_LOCK = ".lock"
_KEEP = "keep"
# Killed in the middle of making or removing a folder, a process leaves one without a lock behind.
_UNLOCKED_AGE_S_MAX = 60.0
# So often the folder of all sessions may vanish while one is made in it.
_TRIES = 5


class SessionFolder:
    """A session's folder, locked by this process.

    Attributes
    ----------
    path : str
        Absolute; holds the folder `logs`.
    keep : bool
        Whether the folder outlives the session (THORNBACK_KEEP_LOGS=1).
    """

    def __init__(self, path: str, keep: bool) -> None:
        self.path = path
        self.keep = keep
        self._lock = -1

    @property
    def logs(self) -> str:
        """Folder of the workers' output."""
        return os.path.join(self.path, "logs")

    @property
    def name(self) -> str:
        """Last part of the path."""
        return os.path.basename(self.path)

    def make(self) -> None:
        """Make the folder, readable by this user only, and lock it.

        Called when the process runs that removes it should this one be killed.
        """
        for attempt in range(_TRIES):
            try:
                os.mkdir(self.path, 0o700)
                break
            except FileNotFoundError:
                # Another session has ended meanwhile, and taken the folder of all along.
                if attempt == _TRIES - 1:
                    raise
                root_folder()
        os.mkdir(self.logs, 0o700)
        new = os.path.join(self.path, _NEW_LOCK)
        lock = _lock(new, create=True)
        if lock is None:
            raise RuntimeError(f"the new session folder {self.path} is locked by another process")
        self._lock = lock
        if self.keep:
            kept = os.path.join(self.path, _KEEP)
            os.close(os.open(kept, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        # Under its name only when it is locked: so no sweep takes the folder for stale.
        os.rename(new, os.path.join(self.path, _LOCK))

    def close(self) -> None:
        """End the session's claim on the folder and remove it, unless it is to be kept."""
        if not self.keep:
            remove_session(self.path)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def plan() -> SessionFolder:
    """Sweep what dead sessions of this user left, and name a folder for a new one.

    Raises
    ------
    RuntimeError
        When the folder that would hold it belongs to somebody else or is open to others.
    """
    root = root_folder()
    sweep(root)
    keep = os.environ.get("THORNBACK_KEEP_LOGS", "0") not in ("", "0")
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S") + f"_{time.time_ns() // 1000 % 1_000_000:06d}"
    return SessionFolder(os.path.join(root, f"{_PREFIX}{stamp}_{os.getpid()}"), keep)


def root_folder() -> str:
    """Return the folder that holds the sessions, made if need be.

    THORNBACK_TMPDIR and RAY_TMPDIR name it; else it is a folder of the user's own in the system's
    temporary directory, `thornback-<uid>`.
    """
    path = _root_path()
    if _chosen():
        os.makedirs(path, exist_ok=True)
        return path
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        _check_private(path)
    return path


def _chosen() -> str | None:
    return os.environ.get("THORNBACK_TMPDIR") or os.environ.get("RAY_TMPDIR")


def _root_path() -> str:
    """Return the path of that folder, which may not exist."""
    chosen = _chosen()
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    # The rule of `tempfile.gettempdir`, without its import and its trial files.
    named = map(os.environ.get, ("TMPDIR", "TEMP", "TMP"))
    base = next((path for path in named if path and os.path.isdir(path)), "/tmp")
    return os.path.join(os.path.abspath(base), f"{_ROOT_PREFIX}{os.getuid()}")


def sweep(root: str) -> list[str]:
    """Remove the folders of dead sessions of this user below `root`; returns their paths."""
    swept = []
    try:
        entries = os.scandir(root)
    except FileNotFoundError:
        return []  # the last session of others has taken it along
    with entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and _is_stale(entry):
                remove_tree(entry.path)
                swept.append(entry.path)
    return swept


def live_sessions(own: str | None = None) -> list[tuple[str, int]]:
    """Return the folders of this user's running sessions with their drivers' pids, newest first.

    Parameters
    ----------
    own : str, optional
        The folder of this process's own session. Its lock must not be touched: closing any
        descriptor of the file would give the lock back.
    """
    found = []
    try:
        entries = list(os.scandir(_root_path()))
    except (FileNotFoundError, NotADirectoryError):
        return []
    for entry in entries:
        if not entry.name.startswith(_PREFIX) or not entry.is_dir(follow_symlinks=False):
            continue
        if entry.stat(follow_symlinks=False).st_uid != os.getuid():
            continue
        pid = os.getpid() if entry.path == own else _holder(os.path.join(entry.path, _LOCK))
        if pid:
            found.append((entry.path, pid))
    # The name begins with the time of the start.
    return sorted(found, reverse=True)


def _holder(path: str) -> int:
    """Return the pid of the process that holds the lock; 0 when nobody does."""
    import fcntl
    import struct

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        # struct flock: type, whence, start, length, pid.
        ask = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(fd, fcntl.F_GETLK, ask))
    finally:
        os.close(fd)
    if kind == fcntl.F_UNLCK:
        return 0
    # 0 for a holder that this pid namespace can not name: the folder's name ends with its own.
    return pid or int(os.path.dirname(path).rpartition("_")[2])


def remove_session(path: str) -> None:
    """Remove a session's folder, and the folder of all sessions if it was the last one.

    The latter only where it is our own, not one that the user has named.
    """
    remove_tree(path)
    root = os.path.dirname(path)
    if os.path.basename(root) == f"{_ROOT_PREFIX}{os.getuid()}":
        _ignore_missing(os.rmdir, root)


def remove_tree(path: str) -> None:
    """Remove a folder and what is in it; what is gone already, or not ours, is no error."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    remove_tree(entry.path)
                else:
                    _ignore_missing(os.unlink, entry.path)
    except OSError:
        return
    _ignore_missing(os.rmdir, path)


def _ignore_missing(act: Any, path: str) -> None:
    try:
        act(path)
    except OSError:
        # Another sweep, or the zygote, was faster.
        return


def _is_stale(entry: os.DirEntry[str]) -> bool:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    if not entry.is_dir(follow_symlinks=False) or status.st_uid != os.getuid():
        return False
    if os.path.exists(os.path.join(entry.path, _KEEP)):
        return False
    lock_path = os.path.join(entry.path, _LOCK)
    if not os.path.exists(lock_path):
        return time.time() - status.st_mtime > _UNLOCKED_AGE_S_MAX
    lock = _lock(lock_path, create=False)
    if lock is None:
        return False
    os.close(lock)
    return True


def _lock(path: str, *, create: bool) -> int | None:
    """Return a descriptor that holds the lock, None when another process does.

    A record lock, not `flock`: a child that the user forks must not keep the session alive.
    """
    import fcntl

    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def _check_private(path: str) -> None:
    status = os.lstat(path)
    import stat

    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise RuntimeError(
            f"{path} must be a folder of this user (uid {os.getuid()}) that nobody else can open "
            f"(mode 0700); it is of uid {status.st_uid} with mode {status.st_mode & 0o7777:04o}. "
            "Remove it, or name another folder in THORNBACK_TMPDIR."
        )
