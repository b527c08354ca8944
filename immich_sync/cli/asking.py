# ruff: noqa: FBT002, PLC0415 -- typer makes flags of parameters that are true or false;
#     and `--help` must not import what only a command needs
"""`retry`, `dismiss`, `approve`, `scan`, `pause`, `resume`, `reload`: what a daemon is asked to do.

Its own module because all of these are one question over the control socket.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from immich_sync.cli.options import Config, Json, print_json
from immich_sync.cli.screens import words
from immich_sync.core.errors import Misconfigured, Refused

RELOAD_PATIENCE = 120.0
"""Seconds for a reload: servers are asked whether the keys are good, and uploads in hand end."""

Folder = Annotated[
    str | None, typer.Argument(metavar="FOLDER", help="A folder's name or path; else all of them.")
]


class Unanswered(Exception):
    """No daemon did what was asked; the text says why."""


_REFUSALS: Mapping[str, type[Exception]] = {"misconfigured": Misconfigured, "refused": Refused}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (retry, dismiss, approve, scan, pause, resume, reload):
        app.command()(command)


def retry(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH…", help="Files or folders.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that failed.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Upload again even what was removed from Immich.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Try again now what failed, was given up, or waits."""
    if bool(paths) == everything:
        raise typer.BadParameter("name paths, or give --all", param_hint="PATH")
    if force and everything:
        raise typer.BadParameter("name what is to go up again", param_hint="--force")
    found = None if everything else tuple(map(os.path.abspath, paths or ()))
    answer = ask(config, "retry", paths=found, force=force)
    due, gone = _numbers(answer, "retried", "gone")
    sentence = f"{words.count(due, 'file')} due again."
    if gone:
        sentence += f" {words.count(gone, 'file')} gone from Immich; these need --force."
    _say(answer, sentence, json=json)


def dismiss(
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Files or folders.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """List these files as problems no more.

    They are listed again once their bytes change.
    """
    answer = ask(config, "dismiss", paths=tuple(map(os.path.abspath, paths)))
    number = answer.get("dismissed") if isinstance(answer, dict) else None
    unlisted = answer.get("not_listed") if isinstance(answer, dict) else None
    sentence = f"{words.count(number or 0, 'file')} dismissed."
    if unlisted:
        sentence += f" Not listed as a problem: {', '.join(unlisted)}"
    _say(answer, sentence, json=json)


def approve(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="The folder's name or path.")],
    removed: Annotated[
        bool,
        typer.Option("--removed", help="What is gone from the server was removed on purpose."),
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Confirm that a folder, or its server, is the right one.

    It is asked for where one of them looks different. Photos that the server
    lost go up again then, unless they were removed on purpose.
    """
    answer = ask(config, "approve", folder=_folder(folder), removed=removed)
    said = answer if isinstance(answer, dict) else {}
    told = [
        f"Approved: {name}: {'; '.join(follows)}." if follows else f"Nothing waited in {name}."
        for name, follows in said.items()
    ]
    _say(answer, "\n".join(told), json=json)


def scan(folder: Folder = None, config: Config = None, json: Json = False) -> None:
    """Scan a folder (or all) now, and ask its server as well."""
    answer = ask(config, "scan", folder=_folder(folder))
    _say(answer, f"Scanning: {_names(answer)}.", json=json)


def pause(folder: Folder = None, config: Config = None, json: Json = False) -> None:
    """Stop syncing a folder (or all) until `resume`."""
    answer = ask(config, "pause", folder=_folder(folder))
    _say(answer, f"Paused: {_names(answer)}.", json=json)


def resume(folder: Folder = None, config: Config = None, json: Json = False) -> None:
    """Go on syncing a folder (or all)."""
    answer = ask(config, "resume", folder=_folder(folder))
    _say(answer, f"Resumed: {_names(answer)}.", json=json)


def reload(config: Config = None, json: Json = False) -> None:
    """Have the configuration read anew.

    A wrong one is refused, and the old one stays.
    """
    answer = ask(config, "reload", timeout=RELOAD_PATIENCE)
    said = answer if isinstance(answer, dict) else {}
    sentence = f"Reloaded: {_names(said.get('folders'))}."
    for account, why in said.get("not_asked", {}).items():
        sentence += (
            f"\nIt is in force, but the server of account {account!r} could not be asked: {why}"
        )
    _say(answer, sentence, json=json)


def ask(
    config: Path | None,
    command: str,
    *,
    paths: tuple[str, ...] | None = None,
    folder: str | None = None,
    force: bool = False,
    removed: bool = False,
    timeout: float = 30.0,
) -> object:
    """What the daemon answers. Raises Unanswered; Misconfigured if its state cannot be found.

    For a configuration that it refuses: Misconfigured or Refused, as a start with it would.
    """
    from immich_sync import control

    socket = socket_of(config)
    request = control.Request(command, paths, folder, force, removed)
    try:
        return control.ask(socket, request, timeout)
    except control.NoDaemon:
        raise Unanswered(
            f"No daemon is running on the state folder {socket.parent}; start one with"
            " `immich-sync run`."
        ) from None
    except control.Declined as error:
        kind = error.kind if command == "reload" else ""
        raise _REFUSALS.get(kind, Unanswered)(str(error)) from None


def socket_of(config: Path | None) -> Path:
    """Where the daemon of this configuration listens; its folders need not be there."""
    from immich_sync.config import load
    from immich_sync.config.resolve import state_folder
    from immich_sync.control import SOCKET

    return Path(state_folder(load(config))) / SOCKET


def _folder(given: str | None) -> str | None:
    """A folder's name as it is, its path as the daemon knows it."""
    return os.path.realpath(given) if given and given.startswith((".", "/")) else given


def _say(answer: object, sentence: str, *, json: bool) -> None:
    if json:
        print_json(answer)
    else:
        typer.echo(sentence)


def _numbers(answer: object, *names: str) -> list[int]:
    """The numbers of these names that the daemon says; 0 for what it does not."""
    said = answer if isinstance(answer, dict) else {}
    return [number if isinstance(number := said.get(name), int) else 0 for name in names]


def _names(answer: object) -> str:
    """The folders that the daemon says it did it for."""
    return ", ".join(map(str, answer)) if isinstance(answer, list) else "the folder"
