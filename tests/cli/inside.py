"""The command line within the test's own process: a new one costs half a second each time.

Its own module because fixtures cannot be typed by those who use them.
"""

import logging
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from immich_sync.cli import main

FOREIGN = ("IMMICH_", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "NOTIFY_SOCKET")
"""How the names of variables begin that would configure the program."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str


class Inside:
    """Runs commands here, in an environment that says nothing of a server but what is given."""

    def __init__(
        self, home: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self._capture = capture
        patch.setenv("HOME", str(home))
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.delenv(name, raising=False)

    def run(self, *words: str | Path, **variables: str) -> Ended:
        """A command until it ends."""
        code = typed(words, variables)
        out, err = self._capture.readouterr()
        return Ended(code, out, err)


def typed(words: Iterable[str | Path], variables: Mapping[str, str]) -> int:
    """The exit code of the command line, with these in an environment that names no server.

    How it set up logging is undone.
    """
    logging_before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["immich-sync", *map(str, words)])
            for name in [name for name in os.environ if name.startswith(FOREIGN)]:
                patch.delenv(name)
            for name, value in variables.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**logging_before)
    return int(ended.value.code or 0)
