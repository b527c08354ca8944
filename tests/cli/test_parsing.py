"""What the command line understands, without running anything."""

import pytest
from typer.testing import CliRunner

from immich_sync.cli.app import app
from immich_sync.cli.options import seconds
from immich_sync.core.errors import Misconfigured


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["run", "--nonsense"],
        ["run", "--timeout", "5s"],
        ["run", "--json"],
        ["run", "--once", "--dry-run"],
        ["upload"],
        ["upload", "a", "--concurrency", "0"],
        ["upload", "a", "--album", "--album-name", "b"],
        ["retry"],
        ["retry", "a", "--all"],
        ["retry", "--all", "--force"],
        ["approve"],
        ["sandbox", "--server-version", "1.0"],
        ["sandbox", "--port", "70000"],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_wrong_use(words: list[str]) -> None:
    """Exit code 2 and a sentence, before anything is read or started."""
    ended = CliRunner().invoke(app, words)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "Error" in ended.stderr


@pytest.mark.parametrize(
    "command",
    ["run", "demo", "sandbox", "upload", "status", "retry", "approve", "scan", "pause", "resume"],
)
def test_every_command_has_help(command: str) -> None:
    """And says what it does; `-h` is enough."""
    ended = CliRunner().invoke(app, [command, "-h"])

    assert ended.exit_code == 0
    assert "Usage" in ended.stdout


def test_a_duration_is_given_in_words() -> None:
    """As in the configuration, or as a plain number of seconds; a mistake names the option."""
    assert seconds("--timeout", "90s") == 90
    assert seconds("--timeout", "4") == 4
    assert seconds("--timeout", "0.5") == 0.5
    assert seconds("--timeout", None) is None
    with pytest.raises(Misconfigured, match=r"^--timeout: '' is"):
        seconds("--timeout", "")
    with pytest.raises(Misconfigured, match=r"^--timeout: 'soon' is not a duration"):
        seconds("--timeout", "soon")
