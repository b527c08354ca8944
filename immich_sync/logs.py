"""Where log lines go and what they look like: a console's on a terminal, JSON elsewhere.

Its own module because only the command line decides this; all others call structlog and know
nothing of terminals, secrets or pipes that nobody reads.
"""

import json as json_module
import logging
import os
import queue
import re
import select
import sys
import threading
import warnings
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import PurePath
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from immich_sync.core.naming import shown
from immich_sync.core.types import Secret

_MASK = "…"
_SECRET_FIELDS = frozenset(
    {"x-api-key", "api_key", "apikey", "authorization", "cookie", "set-cookie", "password", "token"}
)
_FIRST = {"timestamp": 0, "level": 1, "event": 2}
_SECRET_TEXT = re.compile(r"(?i)((?:x-api-key|api_key|authorization)\W{1,6}(?:bearer )?)[!-~]{6,}")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_INDENT = " " * len("12:34:56 ")
_CHATTY = ("httpx", "httpcore", "watchdog", "asyncio", "uvicorn")


class Outlet:
    """Lines on their way to a descriptor; never blocks and never fails its caller.

    A thread of its own writes them, so a terminal that is stopped (Ctrl-S) or a pipe that nobody
    reads costs lines, which are counted, and nothing else.
    """

    def __init__(self, descriptor: int, room: int = 10_000) -> None:
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes | None] = queue.Queue(room)
        self._lost = 0
        self.hidden: tuple[str, ...] = ()  # what no line may hold, the longest last
        self._thread = threading.Thread(target=self._drain, name="log outlet", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Queue `text`; dropped and counted when there is no room."""
        try:
            self._lines.put_nowait(text.encode("utf-8", "backslashreplace"))
        except queue.Full:
            self._lost += 1

    def hide(self, secrets: Iterable[Secret]) -> None:
        """None of these is ever written from now on, nor what was hidden before."""
        known = {secret.reveal() for secret in secrets} - {""}
        spelled = {spelling(one)[1:-1] for one in known for spelling in (json_module.dumps, repr)}
        self.hidden = tuple(sorted({*self.hidden, *known, *spelled}, key=len))

    def flush(self) -> None:
        """Nothing: what is queued is written as soon as the descriptor takes it."""

    def close(self, patience: float = 1.0) -> None:
        """Wait until all is written, at most `patience` seconds; nothing is taken after that."""
        try:
            self._lines.put(None, timeout=patience)
        except queue.Full:
            return
        self._thread.join(patience)

    def _drain(self) -> None:
        while (line := self._lines.get()) is not None:
            self._put(line)
            if self._lost and self._lines.empty():
                lost, self._lost = self._lost, 0
                self._put(b"(%d log lines were lost: nobody read them in time)\n" % lost)

    def _put(self, line: bytes) -> None:
        while line:
            try:
                line = line[os.write(self._descriptor, line) :]
            except BlockingIOError:  # somebody we share it with made it so
                select.select([], [self._descriptor], [], 1.0)
            except OSError:  # the reader is gone: there is nobody to tell
                return


def configure(
    *,
    secrets: Iterable[Secret] = (),
    descriptor: int | None = None,
    json: bool | None = None,
    level: int = logging.INFO,
) -> Outlet:
    """Make structlog and the standard library's loggers write to `descriptor` (standard error).

    `json`: None means JSON unless it is a terminal. None of `secrets` is ever written. Whoever
    configures closes the outlet at the end.
    """
    target = sys.stderr.fileno() if descriptor is None else descriptor
    terminal = os.isatty(target)
    as_json = not terminal if json is None else json
    outlet = Outlet(target)
    outlet.hide(secrets)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamper(json=as_json),
            structlog.processors.format_exc_info,
            _readable,
            *_renderers(terminal=terminal, json=as_json),
            _masking(outlet),
            *([_folding(target)] if terminal and not as_json else []),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # It asks for a file, of which it calls no more than write and flush.
        logger_factory=structlog.WriteLoggerFactory(outlet),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Bridge()], level=level, force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)
    # It prints its whole table of watches, with every folder's name, into one warning.
    warnings.filterwarnings("ignore", module=r"watchdog\.")
    return outlet


def _renderers(*, terminal: bool, json: bool) -> list[Processor]:
    if json:
        return [structlog.processors.JSONRenderer()]
    colours = terminal and not os.environ.get("NO_COLOR")
    return [
        structlog.dev.ConsoleRenderer(
            colors=colours,
            exception_formatter=structlog.dev.plain_traceback,
            pad_event_to=0,
            pad_level=False,
        )
    ]


def _stamper(*, json: bool) -> Processor:
    """Who watches a terminal knows the day and the zone; who reads a file later does not."""
    if json:
        return structlog.processors.TimeStamper(fmt="iso", utc=True)
    return structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)


def _folding(terminal: int) -> Processor:
    """Goes on at the next word in the line below, where the terminal would break in a word.

    After the masking, so that no break can hide a key from it.
    """

    def fold(_logger: WrappedLogger, _method: str, line: MutableMapping[str, Any]) -> str:
        try:
            width = os.get_terminal_size(terminal).columns
        except OSError:
            width = 0
        text = str(line)
        return "\n".join(_folded(one, width) for one in text.split("\n")) if width else text

    return fold


def _folded(line: str, width: int) -> str:
    folded, length = "", 0
    for number, word in enumerate(line.split(" ")):
        cells = len(_COLOUR.sub("", word))
        if number == 0:
            folded, length = word, cells
        elif length + 1 + cells <= width or length <= len(_INDENT):
            folded, length = f"{folded} {word}", length + 1 + cells
        else:
            folded, length = f"{folded}\n{_INDENT}{word}", len(_INDENT) + cells
    return folded


def _readable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Names as `shown`, so that no file can forge a line; fields that hold secrets masked."""
    fields = sorted(event, key=lambda field: _FIRST.get(field, len(_FIRST)))
    return {
        field: event[field] if field == "exception" else _plain(field, event[field])
        for field in fields
    }


def _plain(field: object, value: object) -> object:
    if isinstance(field, str) and field.lower() in _SECRET_FIELDS:
        return _MASK
    if isinstance(value, bytes):
        return shown(value)
    if isinstance(value, PurePath):
        return shown(os.fsencode(value))
    if isinstance(value, str):
        return value if value.isprintable() else _escaped(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(None, inner) for inner in value]
    return value if isinstance(value, int | float | None) else _plain(None, str(value))


def _escaped(text: str) -> str:
    try:
        return shown(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return shown(text.encode("utf-8", "backslashreplace"))


def _masking(outlet: Outlet) -> Processor:
    """Takes known keys out of a finished line, wherever they came from."""

    def mask(_logger: WrappedLogger, _method: str, line: MutableMapping[str, Any]) -> str:
        text = str(line)
        for spelling in reversed(outlet.hidden):
            text = text.replace(spelling, _MASK)
        return _SECRET_TEXT.sub(rf"\1{_MASK}", text)

    return mask


class _Bridge(logging.Handler):
    """Hands what libraries log to structlog, so that all lines look alike."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        log = structlog.get_logger()
        log.log(record.levelno, text, logger=record.name, exc_info=record.exc_info or None)
