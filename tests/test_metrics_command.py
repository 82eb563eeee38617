"""``thornback metrics``, in a process of its own beside a driver."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.commands import thornback
from support.programs import Driver, Room

pytestmark = pytest.mark.only_thornback

PROGRAM = """
    from ray.util.metrics import Counter, Gauge

    @ray.remote
    def count(n):
        Counter("rows", "Rows read.", ("table",)).inc(n, {"table": "t"})

    Gauge("before").set(1)
    ray.get([count.remote(n) for n in (1, 2, 3)])
    Gauge("seats").set(4)
    text = ""
    while "} 6.0" not in text:
        text = ray.util.metrics.prometheus_text()
        time.sleep(0.01)
    assert "ray_before" in text
    print("up", flush=True)
    while not os.path.exists("end"):
        time.sleep(0.01)
    ray.shutdown()
    Gauge("between").set(1)
    ray.init(num_cpus=1)
    assert "ray_" not in ray.util.metrics.prometheus_text()
"""


@pytest.fixture
def running(room: Room) -> Iterator[Driver]:
    driver = room.start(PROGRAM.replace("from ray.", "from thornback."))
    driver.wait_for("up")
    yield driver
    (room.work / "end").touch()
    driver.finish().ok()


def rows(text: str) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def listening(process: psutil.Process) -> list[object]:
    """The network sockets at which a process waits; none when it has ended."""
    try:
        return [c for c in process.net_connections("inet") if c.status == "LISTEN"]
    except psutil.NoSuchProcess:
        return []


def test_the_text(room: Room, running: Driver) -> None:
    text = thornback(room, "metrics").ok()
    assert rows(text) == {
        "ray_before": 1,
        "ray_rows_total": 6,
        "ray_seats": 4,
        "thornback_metrics_refused_total": 0,
    }
    assert "# HELP ray_rows_total Rows read.\n" in text


def asked(url: str, credential: str | None) -> Any:
    """Ask an address, with a credential if there is one."""
    headers = {} if credential is None else {"Authorization": credential}
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10)


def test_it_listens_only_when_asked(room: Room, running: Driver) -> None:
    driver = psutil.Process(running.pid)
    assert not [c for p in [driver, *driver.children(recursive=True)] for c in listening(p)]
    server = subprocess.Popen(
        [sys.executable, "-m", "thornback", "metrics", "--listen", "0"],
        env=room.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        token = server.stdout.readline().strip().removeprefix("Authorization: ")
        with asked(url, token) as reply:
            assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert rows(reply.read().decode())["ray_rows_total"] == 6
        with pytest.raises(urllib.error.HTTPError) as caught:
            asked(url.replace("/metrics", "/other"), token)
        caught.value.close()
        assert caught.value.code == 404
        (room.work / "end").touch()
        running.finish().ok()
        with pytest.raises(urllib.error.HTTPError) as caught:
            asked(url, token)
        caught.value.close()
        assert caught.value.code == 503
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
    finally:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


@pytest.mark.parametrize("path", ["/metrics", "/other", "/"])
@pytest.mark.parametrize(
    "credential", [None, "", "Bearer ", "Bearer other", "Basic c2VjcmV0", "secret"]
)
def test_every_route_asks_for_the_credential(
    room: Room, running: Driver, path: str, credential: str | None
) -> None:
    (room.work / "token").write_text("secret\n")
    server = subprocess.Popen(
        [sys.executable, "-m", "thornback", "metrics", "--listen=0", "--token-file=token"],
        env=room.environment(),
        cwd=room.work,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        with asked(url, "Bearer secret") as reply:
            assert rows(reply.read().decode())["ray_rows_total"] == 6
        with pytest.raises(urllib.error.HTTPError) as caught:
            asked(url.removesuffix("/metrics") + path, credential)
        assert caught.value.headers["WWW-Authenticate"] == "Bearer"
        assert caught.value.read() == b""
        caught.value.close()
        assert caught.value.code == 401
    finally:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


@pytest.mark.parametrize("token", [None, "", " \n"])
def test_wrong_token_files(room: Room, token: str | None) -> None:
    if token is not None:
        (room.work / "token").write_text(token)
    done = thornback(room, "metrics", "--listen=0", f"--token-file={room.work / 'token'}")
    assert done.code in (1, 2)
    assert "--token-file" in done.err


@pytest.mark.parametrize("where", ["x", "-1", "1:2:", "127.0.0.1:99999"])
def test_wrong_addresses(room: Room, where: str) -> None:
    done = thornback(room, "metrics", f"--listen={where}")
    assert done.code == 2
    assert "--listen takes [HOST:]PORT" in done.err


def test_an_address_in_use(room: Room) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = thornback(room, "metrics", "--listen", str(taken.getsockname()[1]))
    assert done.code == 1
    assert "Address already in use" in done.err
