"""Log lines, written to real pipes."""

import json
import logging
import os
import pty
import re
import termios
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from immich_sync import logs
from immich_sync.core.types import Secret

KEY = 'Zq3"secret\\key-of-the-tests'


class Tapped:
    """A pipe with an outlet at its end."""

    def __init__(self, *, json: bool | None) -> None:
        self.reader, self.writer = os.pipe()
        self.outlet = logs.configure(secrets=[Secret(KEY)], descriptor=self.writer, json=json)

    def read(self) -> str:
        """All that was logged."""
        self.outlet.close()
        os.close(self.writer)
        with os.fdopen(self.reader, "rb") as reader:
            return reader.read().decode()


@pytest.fixture
def tap() -> Iterator[Callable[..., Tapped]]:
    """Makes a tapped log; afterwards the loggers are as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def made(*, json: bool | None = None) -> Tapped:
        return Tapped(json=json)

    with warnings.catch_warnings():
        yield made
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_elsewhere_than_on_a_terminal_a_line_is_json(tap: Callable[..., Tapped]) -> None:
    """Event, level, time and what is bound are fields."""
    tapped = tap()
    with structlog.contextvars.bound_contextvars(path=b"a/b.jpg"):
        structlog.get_logger().info("uploaded", size=3, error=None)

    line = json.loads(tapped.read())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "uploaded",
        "level": "info",
        "path": "a/b.jpg",
        "size": 3,
        "error": None,
    }


def test_a_console_line_is_for_people(tap: Callable[..., Tapped]) -> None:
    """The event and its fields on one line."""
    tapped = tap(json=False)
    structlog.get_logger().warning("retry_scheduled", path=b"a.jpg")

    line = tapped.read()
    assert "retry_scheduled" in line
    assert "path=a.jpg" in line
    assert line.count("\n") == 1


def test_a_terminal_gets_short_lines(tap: Callable[..., Tapped]) -> None:
    """A local time of eight letters, no padding; what is too long goes on below, word by word."""
    del tap  # which puts the loggers back
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 60))
    outlet = logs.configure(secrets=[Secret(KEY)], descriptor=theirs)
    words = [f"word{number}" for number in range(40)]
    structlog.get_logger().warning("retry_scheduled", path=b"a.jpg", error=" ".join(words))
    structlog.get_logger().info("uploaded", key=f"{'a ' * 20}{KEY}")
    outlet.close()
    os.close(theirs)
    seen = b""
    with suppress(OSError):  # the other end is closed
        while block := os.read(ours, 65536):
            seen += block
    os.close(ours)

    lines = re.sub(r"\x1b\[[0-9;]*m", "", seen.decode()).splitlines()
    assert re.match(r"\d\d:\d\d:\d\d \[warning *\] retry_scheduled ", lines[0])
    assert max(map(len, lines)) <= 60
    assert all(line.startswith(" " * 9) for line in lines[1:6])
    assert re.findall(r"word\d+", "\n".join(lines)) == words
    assert KEY not in seen.decode()
    assert "…" in lines[-1]


@pytest.mark.parametrize("as_json", [True, False])
def test_no_line_holds_a_key(tap: Callable[..., Tapped], as_json: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """Not in the event, a field, a nested field, an exception, nor in what a library logs."""
    tapped = tap(json=as_json)
    log = structlog.get_logger()
    event = f"key {KEY}"
    log.info(event, url=f"http://h/?key={KEY}", headers={"X-Api-Key": "another-key-12"})
    log.info("headers", shown="Headers({'x-api-key': 'unknown-key-34'})")
    try:
        raise ValueError(f"Illegal header value {KEY}")  # noqa: TRY301 -- to have an exception
    except ValueError:
        log.exception("failed")
    logging.getLogger("httpx").warning("sent %s", KEY)

    text = tapped.read()
    assert text.count("…") + text.count("\\u2026") >= 6
    for secret in (KEY, json.dumps(KEY)[1:-1], "another-key-12", "unknown-key-34"):
        assert secret not in text


def test_a_file_name_cannot_forge_a_line(tap: Callable[..., Tapped]) -> None:
    """Line breaks and escape sequences are shown, whether a name comes as bytes, path or text."""
    tapped = tap(json=False)
    name = "a\n2024 forged\x1b[2J.jpg"
    structlog.get_logger().info(
        "uploaded", one=name.encode(), two=Path(name), three=name, four=[name]
    )

    text = tapped.read()
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert text.count("forged") == 4


def test_a_name_that_is_no_text_is_logged(tap: Callable[..., Tapped]) -> None:
    """Bytes that are no UTF-8 appear as escapes, also from a text with surrogates."""
    tapped = tap(json=True)
    structlog.get_logger().info("uploaded", one=b"caf\xe9.jpg", two=os.fsdecode(b"caf\xe9.jpg"))

    line = json.loads(tapped.read())
    assert (line["one"], line["two"]) == ("caf\\xe9.jpg", "caf\\xe9.jpg")


def test_libraries_speak_through_the_same_pipe(tap: Callable[..., Tapped]) -> None:
    """Their warnings arrive as JSON with their name; their chatter does not."""
    tapped = tap()
    for name in ("httpx", "httpcore.connection", "watchdog.observers"):
        logging.getLogger(name).info("chatter")
    logging.getLogger("httpx").warning("took %d s", 3)
    logging.getLogger("odd").warning("no %d number", "x")
    warnings.simplefilter("always")
    warnings.warn("beware", RuntimeWarning, stacklevel=1)

    lines = [json.loads(line) for line in tapped.read().splitlines()]
    assert [line["logger"] for line in lines] == ["httpx", "odd", "py.warnings"]
    assert [line["event"] for line in lines[:2]] == ["took 3 s", "no %d number"]
    assert "beware" in lines[2]["event"]


def test_a_reader_that_left_is_no_error(tap: Callable[..., Tapped]) -> None:
    """Logging into a broken pipe goes on as if nothing had happened."""
    tapped = tap()
    os.close(tapped.reader)
    for _ in range(100):
        structlog.get_logger().info("uploaded")
    tapped.outlet.close()
    os.close(tapped.writer)

    assert structlog.get_logger().info("still here") is None


def test_a_reader_that_stops_reading_holds_nothing_up(tap: Callable[..., Tapped]) -> None:
    """More is logged than pipe and queue hold: no call waits, and the loss is told afterwards."""
    tapped = tap()
    for number in range(15_000):
        structlog.get_logger().info("uploaded", number=number)
    os.set_blocking(tapped.reader, True)
    received = b""
    while b"log lines were lost" not in received:
        received += os.read(tapped.reader, 1 << 20)
    tapped.outlet.close()
    os.close(tapped.writer)
    os.close(tapped.reader)

    lines = received.splitlines()
    assert json.loads(lines[0])["number"] == 0
    assert len(lines) > 10_000
