"""Running a program inside this interpreter as ``python`` itself would run it.

The program gets a `__main__` of its own, so that what it defines there pickles by value, and finds
`sys.argv` and `sys.path[0]` as usual. What it raises is shown without the frames of this module.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, ModuleType, TracebackType


class CannotOpenError(Exception):
    """The script is not there or can't be read."""


def run_script(path: str, arguments: list[str]) -> None:
    """Run a file, a folder or archive with a ``__main__.py``, or ``-`` for what stdin holds.

    Raises
    ------
    CannotOpenError
        There is no such script.
    """
    import os

    sys.argv = [path, *arguments]
    if path == "-":
        _set_first_path("")
        _run_text(sys.stdin.read(), "<stdin>")
        return
    # Not abspath: the interpreter doesn't normalise either, and __file__ shows it.
    path = os.path.join(os.getcwd(), path)
    if not os.path.isfile(path) or _is_archive(path):
        _run_container(path)
        return
    _set_first_path(os.path.dirname(os.path.realpath(path)))
    content = _read(path)
    main = _new_main(path)
    _execute(lambda: exec(_compile(content, path), main.__dict__))


def run_module(name: str, arguments: list[str]) -> None:
    """Run a module, as ``python -m`` does."""
    import os

    # runpy puts the file's name in place of the first.
    sys.argv = ["-m", *arguments]
    _set_first_path(os.getcwd())
    _new_main(None)
    _execute(lambda: _as_main(name, alter_argv=True))


def run_code(code: str, arguments: list[str]) -> None:
    """Run code given as text, as ``python -c`` does."""
    sys.argv = ["-c", *arguments]
    _set_first_path("")
    _run_text(code, "<string>")


def _run_text(text: str, name: str) -> None:
    main = _new_main(name if name == "<stdin>" else None)
    _execute(lambda: exec(_compile(text, name), main.__dict__))


def _run_container(path: str) -> None:
    """Run the ``__main__`` of a folder or an archive."""
    import os
    import pkgutil

    if not os.path.exists(path):
        _read(path)  # tells why
    importer = pkgutil.get_importer(path)
    if importer is None or getattr(importer, "find_spec", lambda _: None)("__main__") is None:
        raise CannotOpenError(f"can't find '__main__' module in {path!r}")
    _set_first_path(path)
    _new_main(None)
    _execute(lambda: _as_main("__main__", alter_argv=False))


def _is_archive(path: str) -> bool:
    import zipfile

    return not path.endswith((".py", ".pyc")) and zipfile.is_zipfile(path)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise CannotOpenError(
            f"can't open file {path!r}: [Errno {error.errno}] {error.strerror}"
        ) from None


def _compile(source: str | bytes, name: str) -> CodeType:
    if name.endswith(".pyc") and isinstance(source, bytes):
        import io
        import pkgutil

        code: CodeType | None = pkgutil.read_code(io.BytesIO(source))
        if code is None:
            raise ImportError(f"{name} was made by another Python")
        return code
    return compile(source, name, "exec", dont_inherit=True)


def _as_main(name: str, *, alter_argv: bool) -> None:
    # The interpreter's own -m calls this function, which has been the same since 2.5; run_module
    # would give the module a namespace that is not __main__'s.
    import runpy

    runpy._run_module_as_main(name, alter_argv)  # type: ignore[attr-defined]


def _set_first_path(first: str) -> None:
    """Put the program's folder where the interpreter put that of the command."""
    if sys.flags.safe_path:
        return
    sys.path[:1] = [first]


def _new_main(path: str | None) -> ModuleType:
    """Put an empty ``__main__`` in place of the command's own."""
    import builtins
    from types import ModuleType

    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    if path is None:
        from importlib.machinery import BuiltinImporter

        main.__loader__ = BuiltinImporter
    else:
        from importlib.machinery import SourceFileLoader

        main.__loader__ = SourceFileLoader("__main__", path)
        main.__file__ = path
        main.__dict__["__cached__"] = None
    # The one before must live on: its functions are on the stack.
    before = sys.modules["__thornback_main__"] = sys.modules["__main__"]
    if "__annotations__" in before.__dict__:  # no more from Python 3.14 on
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    return main


def _execute(program: Callable[[], None]) -> None:
    """Call `program`; what it raises is reported as at the top of the interpreter.

    The exception goes on, for the exit status and for what the interpreter does about Ctrl-C, but
    the report has been given: the interpreter's would show our frames.
    """
    try:
        program()
    except SystemExit:
        raise
    except BaseException as error:
        error.__traceback__ = _without_our_frames(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
        sys.excepthook = _say_nothing
        raise


def _without_our_frames(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def _say_nothing(
    _kind: type[BaseException], _error: BaseException, _trace: TracebackType | None
) -> None:
    pass
