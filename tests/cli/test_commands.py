"""The commands from outside: exit codes, sentences, results on stdout, all else on stderr."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from immich_sync import __version__
from immich_sync.sandbox.sample_files import copy_samples
from tests.cli.conftest import COMMAND, Server, Shell
from tests.cli.inside import Inside

CONFIGURED = Callable[..., Path]


def test_the_version_is_printed(shell: Shell) -> None:
    """It is the package's."""
    ended = shell.run("--version")

    assert (ended.code, ended.out, ended.err) == (0, f"immich-sync {__version__}\n", "")


def test_help_needs_nothing_heavy(shell: Shell) -> None:
    """The help is there, and neither rich nor a server's or database's library was imported."""
    script = (
        "import sys\nsys.argv = ['immich-sync', '--help']\nfrom immich_sync.cli import main\n"
        "try:\n    main()\nfinally:\n"
        "    heavy = {'rich', 'httpx', 'anyio', 'pydantic', 'sqlite3', 'structlog', 'starlette'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(  # noqa: S603 -- our own script
        [sys.executable, "-c", script],
        env=shell.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert all(name in done.stdout for name in ("run", "demo", "sandbox", "upload", "status"))


@pytest.mark.parametrize("words", [(), ("state",)], ids=["all", "state"])
def test_no_command_is_cut_in_the_help(shell: Shell, words: tuple[str, ...]) -> None:
    """At 80 columns, each command's sentence stands whole in its line."""
    shell.environment.update(COLUMNS="80")

    ended = shell.run(*words, "--help")

    commands = ended.out.partition("Commands:\n")[2].splitlines()
    assert len(commands) > 2
    assert [line for line in commands if not line.endswith(".") or line.endswith("...")] == []
    assert max(len(line) for line in commands) <= 80


def test_wrong_use_is_code_2(shell: Shell) -> None:
    """With a sentence on stderr and nothing on stdout."""
    ended = shell.run("run", "--timeout", "5s")

    assert (ended.code, ended.out) == (2, "")
    assert "--timeout" in ended.err
    assert "it needs --once" in ended.err


@pytest.mark.parametrize("words", [["run"], ["status"]], ids=" ".join)
def test_a_wrong_configuration_is_code_2(shell: Shell, words: list[str]) -> None:
    """One sentence names file and key."""
    file = shell.home / "wrong.toml"
    file.write_text("[sever]\n")

    ended = shell.run(*words, "--config", str(file))

    said = f"immich-sync: {file}: 'sever' is not a key that is known here; did you mean server?\n"
    assert (ended.code, ended.out, ended.err) == (2, "", said)


def test_a_wrong_key_is_code_3(shell: Shell, configured: CONFIGURED, tmp_path: Path) -> None:
    """The server refuses it at the start, and the program ends with one sentence."""
    file = configured()
    (tmp_path / "key").write_text("a-key-that-nobody-knows")

    ended = shell.run("run", "--config", str(file))

    assert (ended.code, ended.out) == (3, "")
    assert ended.err.splitlines()[-1].startswith("immich-sync: ")
    assert "a-key-that-nobody-knows" not in ended.err
    assert "Traceback" not in ended.err


def test_what_is_no_immich_is_code_3(shell: Shell, configured: CONFIGURED, server: Server) -> None:
    """An address that leads elsewhere ends the program at the start."""
    file = configured()
    file.write_text(file.read_text().replace(server.url, server.url + "/elsewhere"))

    ended = shell.run("run", "--once", "--timeout", "20s", "--config", str(file))

    assert ended.code == 3
    assert "Traceback" not in ended.err


def test_a_folder_is_synced_once(
    shell: Shell, inside: Inside, configured: CONFIGURED, tmp_path: Path
) -> None:
    """Before: the dry run says what would be done. Then `run --once`. After: nothing is left."""
    file = str(configured('album = "{parent}"\nignore = ["Screenshots/"]\n'))
    copy_samples(tmp_path / "photos")

    before = inside.run("run", "--dry-run", "--json", "--config", file)
    once = shell.run("run", "--once", "--timeout", "40s", "--config", file)
    status = json.loads(inside.run("status", "--json", "--config", file).out)
    after = inside.run("run", "--dry-run", "--config", file)

    rehearsed = json.loads(before.out)["folders"][0]
    assert (rehearsed["files"], rehearsed["to_upload"] + rehearsed["already_there"]) == (9, 9)
    assert (once.code, once.out) == (0, "")
    assert status["daemon"] is None
    assert [(one["files"], one["verified"]) for one in status["folders"]] == [(9, 9)]
    assert "9 already in Immich, 0 to upload" in after.out


def test_a_dry_run_warns_of_an_open_key(
    inside: Inside, configured: CONFIGURED, tmp_path: Path
) -> None:
    """As `run` does, since this is what people do first; a file of their own is no matter."""
    file = str(configured())
    (tmp_path / "key").chmod(0o644)
    warned = inside.run("run", "--dry-run", "--config", file)
    (tmp_path / "key").chmod(0o600)
    content = inside.run("run", "--dry-run", "--config", file)

    assert (warned.code, content.code) == (0, 0), warned.err
    assert warned.err == (
        f"warning: everybody can read the API key: chmod 600 {tmp_path / 'key'}\n"
    )
    assert content.err == ""


def test_files_are_uploaded_by_hand(
    shell: Shell, inside: Inside, server: Server, tmp_path: Path
) -> None:
    """The result is JSON with every file; the second time all are there; a missing path fails."""
    copies = copy_samples(tmp_path / "samples")
    (tmp_path / "samples" / "note.txt").write_text("no photo")
    os.rename(copies[1], os.fsencode(copies[1].parent) + b"/caf\xe9.jpg")  # noqa: PTH104 -- no text
    known = {"IMMICH_INSTANCE_URL": f"{server.url}/api", "IMMICH_API_KEY": server.api_key}
    words = ("upload", "--album-name", "By hand", str(tmp_path / "samples"))

    first = shell.run(*words, "--json", **known)
    second = inside.run(*words, **known)
    missing = inside.run("upload", str(tmp_path / "nowhere.jpg"), **known)

    assert first.code == 0, first.err
    result = json.loads(first.out)
    found = [one["filepath"] for one in (*result["uploaded"], *result["rejected"])]
    assert first.code == 0
    assert (result["stats"]["total"], result["failed"]) == (10, [])
    assert sum(name.endswith("caf\udce9.jpg") for name in found) == 1
    assert (second.code, second.out) == (0, "0 files uploaded, 10 already in Immich, 0 failed.\n")
    assert (missing.code, missing.out) == (1, "0 files uploaded, 0 already in Immich, 1 failed.\n")
    assert "nowhere.jpg" in missing.err


def test_a_daemon_answers_its_commands(
    shell: Shell, inside: Inside, configured: CONFIGURED, tmp_path: Path
) -> None:
    """It is alive, tells its status, takes orders, and ends with 0 on SIGTERM."""
    file = str(configured())
    with shell.running(["run", "--config", file]) as daemon:
        assert daemon.stderr is not None
        assert any("scanned" in line for line in daemon.stderr)
        check = shell.run("status", "--check", "--config", file)
        status = shell.run("status", "--json", "--config", file)
        screen = inside.run("status", "--config", file)
        retry = inside.run("retry", "--all", "--config", file)
        unknown = inside.run("retry", str(tmp_path / "elsewhere.jpg"), "--config", file)
        scan = inside.run("scan", "photos", "--config", file)
        approve = inside.run("approve", "nowhere", "--config", file)
        second = shell.run("run", "--config", file)
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(timeout=20)

    assert (check.code, check.out, check.err) == (0, "", "")
    assert json.loads(status.out)["daemon"]["pid"] == daemon.pid
    assert f"pid {daemon.pid}" in screen.out
    assert (retry.code, retry.out) == (0, "0 files due again.\n")
    assert (unknown.code, unknown.out) == (1, "")
    assert "lies in no folder that is synced" in unknown.err
    assert (scan.code, scan.out) == (0, "Scanning: photos.\n")
    assert approve.code == 1
    assert "There is no folder 'nowhere'" in approve.err
    assert second.code == 2
    assert f"(pid {daemon.pid}) is already running" in second.err
    assert code == 0


def test_without_a_daemon_orders_are_declined(
    inside: Inside, configured: CONFIGURED, tmp_path: Path
) -> None:
    """One sentence says how to start one; also when a folder is offline just then."""
    file = configured()
    shutil.rmtree(tmp_path / "photos")
    said = (
        f"immich-sync: No daemon is running on the state folder {tmp_path / 'state'}; start one"
        " with `immich-sync run`.\n"
    )

    ended = [
        inside.run(*words, "--config", str(file))
        for words in (["retry", "--all"], ["approve", "photos"])
    ]
    check = inside.run("status", "--check", "--config", str(file))

    assert [(one.code, one.out, one.err) for one in ended] == [(1, "", said)] * 2
    assert (check.code, check.out) == (1, "")
    assert "No daemon answers" in check.err


def test_nobody_reading_is_no_error(shell: Shell, configured: CONFIGURED) -> None:
    """`immich-sync status | head -0` says nothing about pipes."""
    file = configured()
    process = subprocess.Popen(  # noqa: S603 -- our own command
        [*COMMAND, "status", "--config", str(file)],
        env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

    assert said == ""


def test_an_unexpected_error_is_one_sentence(
    inside: Inside, configured: CONFIGURED, tmp_path: Path
) -> None:
    """A damaged state that `status` trips over shows no traceback, unless it is asked for."""
    file = str(configured())
    state = tmp_path / "state"
    state.mkdir()
    (state / "state.db").write_bytes(b"this is no database" * 100)

    ended = inside.run("status", "--config", file)

    assert ended.code == 1
    assert ended.err.startswith("immich-sync: ")
    assert ended.err.count("\n") == 1
    assert ended.out == ""


def test_a_taken_port_is_code_2(shell: Shell, server: Server) -> None:
    """The sandbox says what to do."""
    ended = shell.run("sandbox", "--port", server.url.rpartition(":")[2])

    assert (ended.code, ended.out) == (2, "")
    assert "cannot listen there" in ended.err


def test_the_sandbox_ends_on_sigint(shell: Shell) -> None:
    """Ctrl-C is a way to end it, without a traceback."""
    with shell.running(["sandbox", "--port", "0"]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert set(json.loads(process.stdout.readline())) == {"url", "api_key"}
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        code = process.wait(timeout=20)

    assert (code, said) == (0, "")
