"""The command line within the test's own process: a new one costs half a second each time.

Its own module because fixtures cannot be typed by those who use them.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from immich_sync.cli import main


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
        self._patch = patch
        self._capture = capture
        patch.setenv("HOME", str(home))
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "STATE_DIRECTORY"):
            patch.delenv(name, raising=False)

    def run(self, *words: str | Path, **variables: str) -> Ended:
        """A command until it ends."""
        with self._patch.context() as patch:
            patch.setattr(sys, "argv", ["immich-sync", *map(str, words)])
            for name in ("IMMICH_INSTANCE_URL", "IMMICH_API_KEY"):
                patch.delenv(name, raising=False)
            for name, value in variables.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = self._capture.readouterr()
        return Ended(int(ended.value.code or 0), out, err)
