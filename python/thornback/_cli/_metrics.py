"""``thornback metrics``: what programs record by `util.metrics`, as Prometheus reads it."""

from __future__ import annotations

from ._session import add_session_options, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from http.server import BaseHTTPRequestHandler


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``metrics``."""
    parser = commands.add_parser(
        "metrics", help="show the metrics of a session as text for Prometheus"
    )
    parser.add_argument(
        "--listen",
        metavar="[HOST:]PORT",
        help="answer GET /metrics over HTTP until interrupted, instead; HOST is 127.0.0.1 when not "
        "given, PORT 0 takes a free one. Each request asks the session that there is by then",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="with --listen: who asks must send `Authorization: Bearer` and what this file holds, "
        "as Prometheus does by `credentials_file`; without one, a token made for this run, which "
        "is printed",
    )
    add_session_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.listen is not None:
        return _listen(options)
    print(_text(options), end="")
    return 0


def _text(options: argparse.Namespace) -> str:
    from .._prometheus import text

    with connect(options) as peer:
        return text(peer.ask("metrics"), peer.ask("session"))


def _token(options: argparse.Namespace) -> str:
    """Return what a request must bring."""
    if options.token_file is None:
        import secrets

        return secrets.token_urlsafe(32)
    from pathlib import Path

    token = Path(options.token_file).read_text().strip()
    if not token:
        raise ValueError(f"--token-file: {options.token_file} holds no token")
    return token


def _listen(options: argparse.Namespace) -> int:
    import contextlib
    import sys
    from http.server import ThreadingHTTPServer

    host, _, port = options.listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"--listen takes [HOST:]PORT, got {options.listen!r}")
    address = (host.strip("[]") or "127.0.0.1", int(port))
    try:
        token = _token(options)
    except (OSError, UnicodeDecodeError) as error:
        print(f"thornback: --token-file: {error}", file=sys.stderr)
        return 1
    try:
        server = ThreadingHTTPServer(address, _handler(options, token))
    except OSError as error:
        print(f"thornback: {options.listen}: {error.strerror or error}", file=sys.stderr)
        return 1
    with server:
        print(f"http://{server.server_address[0]!s}:{server.server_port}/metrics", flush=True)
        if options.token_file is None:
            print(f"Authorization: Bearer {token}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def _handler(options: argparse.Namespace, token: str) -> type[BaseHTTPRequestHandler]:
    import hmac
    from http import HTTPStatus
    from http.server import BaseHTTPRequestHandler

    from .._peer import NoSessionError
    from .._prometheus import CONTENT_TYPE

    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "").encode(errors="replace")
            if not hmac.compare_digest(given, f"Bearer {token}".encode()):
                self.send_response(HTTPStatus.UNAUTHORIZED)
                self.send_header("WWW-Authenticate", "Bearer")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            try:
                body = _text(options).encode(errors="replace")
            except (NoSessionError, RuntimeError, OSError) as error:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain=str(error))
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args  # a scrape every few seconds is no news

    return Handler
