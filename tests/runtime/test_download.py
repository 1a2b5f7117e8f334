"""Downloads from a server on this machine that breaks off, lies, ignores ranges and serves web pages."""

import concurrent.futures
import hashlib
import http.server
import socket
import threading
import time

import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime import download

BODY = bytes(range(256)) * 1200  # more than one chunk
SIZE = len(BODY)
HASH = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


class Server(http.server.ThreadingHTTPServer):
    """Serves `body`, and notes each request's Range header and the bytes sent for it."""

    daemon_threads = True
    body = BODY
    behavior = "obey"
    break_after: tuple[int, ...] = ()  # bytes sent before the connection is cut, request by request

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.sent = 0
        self.url = f"http://127.0.0.1:{self.server_port}/vgg19.h5"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args):
        pass

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        getattr(self, self.server.behavior)(int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0)

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **dict(headers)}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        turn = len(self.server.ranges) - 1
        stop = self.server.break_after[turn] if turn < len(self.server.break_after) else len(body)
        self.server.sent += len(body[:stop])  # counted before the client can have seen it
        self.wfile.write(body[:stop])
        self.close_connection = True

    def obey(self, start):
        body = self.server.body
        if start >= len(body):
            self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        elif start:
            self.answer(206, body[start:], {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"})
        else:
            self.answer(200, body)

    def ignore_range(self, start):
        self.answer(200, self.server.body)

    def wrong_range(self, start):
        self.answer(206, self.server.body, {"Content-Range": f"bytes 0-{SIZE - 1}/{SIZE}"})

    def say_less(self, start):
        self.answer(200, self.server.body, {"Content-Length": SIZE - 1000})

    def say_more(self, start):
        self.answer(200, self.server.body, {"Content-Length": SIZE + 1000})

    def say_nothing(self, start):
        self.answer(200, self.server.body, {"Content-Length": None})

    def page(self, start):
        self.answer(200, b"<html>Sign in</html>", {"Content-Type": "text/html; charset=utf-8"})

    def disguised_page(self, start):
        self.answer(200, b"\n<!DOCTYPE html>Sign in", {"Content-Type": "application/octet-stream"})

    def absent(self, start):
        self.answer(404, b"<html>no</html>")

    def busy_once(self, start):
        if len(self.server.ranges) == 1:
            self.answer(503, b"")
        else:
            self.obey(start)

    def slow(self, start):
        time.sleep(0.3)
        self.obey(start)

    def hang_up(self, start):
        self.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "vgg19.h5"


def fetch(server, target, **options):
    download.fetch(server.url, target, **({"size": SIZE, "hash": HASH, "progress": False} | options))


def part(target):
    return target.with_name(target.name + ".part")


@pytest.mark.parametrize("size", [SIZE, None])
def test_a_file_arrives_whole_and_is_fetched_once(server, target, size):
    fetch(server, target, size=size)
    fetch(server, target, size=size)
    assert target.read_bytes() == BODY
    assert server.ranges == [None]
    assert not part(target).exists()


@pytest.mark.parametrize("size", [SIZE, None])
def test_a_broken_connection_is_taken_up_where_it_ended(server, target, size):
    server.break_after = (100_000, 50_000)
    fetch(server, target, size=size)
    assert target.read_bytes() == BODY
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]
    assert server.sent == SIZE  # not one byte twice


def test_what_has_arrived_outlives_the_process_that_gave_up(server, target):
    server.break_after = (1000,) * download.ATTEMPTS
    with pytest.raises(JaxstyleError, match=f"the connection ended after 4000 of {SIZE} bytes"):
        fetch(server, target)
    assert not target.exists()
    assert part(target).read_bytes() == BODY[:4000]
    fetch(server, target)
    assert target.read_bytes() == BODY
    assert server.ranges[-1] == "bytes=4000-"


def test_an_interrupt_leaves_the_part_and_no_target(server, target, monkeypatch):
    server.break_after = (1000,)

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(download.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(server, target)
    assert not target.exists()
    assert part(target).stat().st_size == 1000


def test_a_server_that_ignores_ranges_starts_over(server, target):
    server.behavior, server.break_after = "ignore_range", (100_000,)
    fetch(server, target)
    assert target.read_bytes() == BODY
    assert server.ranges == [None, "bytes=100000-"]


def left_over(target, content):
    target.parent.mkdir()
    part(target).write_bytes(content)


def test_a_complete_part_needs_no_more_bytes(server, target):
    left_over(target, BODY)
    fetch(server, target)
    assert (target.read_bytes(), server.ranges) == (BODY, [])


def test_a_complete_part_of_unknown_size_is_confirmed_by_the_server(server, target):
    left_over(target, BODY)
    fetch(server, target, size=None)
    assert (target.read_bytes(), server.ranges, server.sent) == (BODY, [f"bytes={SIZE}-"], 0)


@pytest.mark.parametrize("size", [SIZE, None])
def test_a_part_longer_than_the_file_is_started_over(server, target, size):
    left_over(target, BODY + b"more")
    fetch(server, target, size=size)
    assert (target.read_bytes(), server.ranges[-1]) == (BODY, None)


def test_a_part_of_another_file_is_found_out_and_removed(server, target):
    left_over(target, b"x" * 1000)
    with pytest.raises(JaxstyleError, match="its hash is wrong"):
        fetch(server, target)
    assert not target.exists()
    assert not part(target).exists()
    fetch(server, target)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("behavior", ["page", "wrong_range"])
def test_a_useless_answer_does_not_cost_what_has_arrived(server, target, behavior):
    left_over(target, BODY[:1000])
    server.behavior = behavior
    with pytest.raises(JaxstyleError, match=r"a web page|another part"):
        fetch(server, target)
    assert part(target).read_bytes() == BODY[:1000]


@pytest.mark.parametrize(
    ("behavior", "sentence"),
    [
        ("page", "a web page, not the file"),
        ("disguised_page", "a web page, not the file"),
        ("absent", "the server answers 404"),
        ("say_less", f"the server's file has {SIZE - 1000} bytes, not {SIZE}"),
        ("say_more", f"the server's file has {SIZE + 1000} bytes, not {SIZE}"),
    ],
)
def test_a_wrong_answer_ends_the_matter_at_once(server, target, behavior, sentence):
    server.behavior = behavior
    with pytest.raises(JaxstyleError, match=sentence) as error:
        fetch(server, target, size=None if "page" in behavior else SIZE)
    assert server.ranges == [None]
    assert not target.exists()
    assert not part(target).exists()
    for hint in (server.url, HASH, str(target.parent), target.name):
        assert hint in str(error.value)


def test_a_length_that_lies_is_caught_by_the_hash_when_no_size_is_known(server, target):
    server.behavior = "say_less"
    with pytest.raises(JaxstyleError, match="its hash is wrong"):
        fetch(server, target, size=None)
    server.behavior = "say_more"
    with pytest.raises(JaxstyleError, match=f"ended after {SIZE} of {SIZE + 1000}"):
        fetch(server, target, size=None)
    assert not target.exists()


def test_a_server_that_says_no_length_is_stopped_when_it_sends_too_much(server, target):
    server.behavior = "say_nothing"
    fetch(server, target)
    assert target.read_bytes() == BODY
    target.unlink()
    server.body = BODY + b"more"
    with pytest.raises(JaxstyleError, match=f"more than {SIZE} bytes"):
        fetch(server, target)
    assert not part(target).exists()


def test_a_busy_server_is_asked_again(server, target):
    server.behavior = "busy_once"
    fetch(server, target)
    assert target.read_bytes() == BODY


def test_a_server_that_hangs_up_is_asked_a_few_times(server, target):
    server.behavior = "hang_up"
    with pytest.raises(JaxstyleError, match="cannot be fetched"):
        fetch(server, target)
    assert len(server.ranges) == download.ATTEMPTS


@pytest.mark.parametrize("sum_of", ["md5", "sha256", "sha256-prefix"])
def test_each_kind_of_hash_accepts_the_file_and_no_other(server, target, sum_of):
    digest = hashlib.new(sum_of.removesuffix("-prefix"), BODY).hexdigest()[: 8 if "prefix" in sum_of else None]
    with pytest.raises(JaxstyleError, match="its hash is wrong"):
        fetch(server, target, hash=f"{sum_of}:{digest[:-1]}{'0' if digest[-1] != '0' else '1'}")
    fetch(server, target, hash=f"{sum_of}:{digest}")
    assert target.read_bytes() == BODY


def test_no_network_names_the_way_out_and_does_not_wait(target, monkeypatch):
    def no_name_service(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name_service)
    monkeypatch.setattr(download.time, "sleep", pytest.fail)
    url = "https://weights.invalid/vgg19.h5"
    with pytest.raises(JaxstyleError, match="no connection: Name or service not known") as error:
        download.fetch(url, target, size=SIZE, hash=HASH, progress=False)
    for hint in (url, HASH, str(target.parent), target.name):
        assert hint in str(error.value)


def test_a_cache_that_cannot_be_made_is_an_error(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JaxstyleError, match=r"Not a directory|File exists"):
        fetch(server, tmp_path / "file" / "vgg19.h5")
    assert server.ranges == []


def test_progress_goes_to_stderr_and_only_when_wanted(server, target, capsys):
    fetch(server, target)
    assert capsys.readouterr() == ("", "")
    target.unlink()
    fetch(server, target, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "vgg19.h5: 100%" in err


def test_several_at_once_download_once(server, target, capsys):
    server.behavior = "slow"  # so that all are there before the first is done
    # Threads stand in for processes: each opens the lock file anew, and the lock belongs to the opened file.
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for result in [pool.submit(fetch, server, target) for _ in range(3)]:
            result.result(timeout=60)
    assert target.read_bytes() == BODY
    assert server.ranges == [None]
    assert capsys.readouterr().err.count("waiting for another process") == 2


def test_without_file_locks_each_process_has_a_part_of_its_own(server, target, monkeypatch):
    monkeypatch.setattr(download, "fcntl", None)
    left_over(target, b"of another process")
    fetch(server, target)
    assert target.read_bytes() == BODY
    assert part(target).read_bytes() == b"of another process"
