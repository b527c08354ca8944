# ruff: noqa: PLC0415 -- `--help` must not import what only a command needs
"""Options that several commands share, and the configuration they lead to.

Its own module because `--config` and `--json` mean the same on every command.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from immich_sync.core.folder import Setup
    from immich_sync.logs import Outlet

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The configuration file to read."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def seconds(option: str, text: str | None) -> float | None:
    """The duration given to `option`, a plain number being seconds; None if it was not given.

    Raises Misconfigured.
    """
    from immich_sync.config.values import duration
    from immich_sync.core.errors import Misconfigured

    if text is None:
        return None
    try:
        return duration(f"{text}s" if text[-1:].isdecimal() else text)
    except ValueError as error:
        raise Misconfigured(f"{option}: {error}.") from None


def setup_from(config: Path | None, *, folders: bool = True) -> "Setup":
    """The setup that file and environment describe. Raises Misconfigured."""
    from immich_sync.config import load, resolve

    return resolve(load(config), folders=folders)


def account_from(config: Path | None, name: str | None = None) -> "Setup":
    """The setup of one account (the default one, or `name`), whether or not its folders are there.

    Raises Misconfigured.
    """
    from immich_sync.config import load
    from immich_sync.config.accounts import DEFAULT, resolve_accounts
    from immich_sync.config.resolve import resolve_limits, state_folder
    from immich_sync.core.errors import Misconfigured
    from immich_sync.core.folder import Setup

    written = load(config)
    wanted = name or DEFAULT
    if wanted not in {DEFAULT, *written.settings.accounts}:
        raise Misconfigured(f"--account: there is no account {wanted!r} in the configuration.")
    found = resolve_accounts(written, (wanted,))
    account = next(one for one in found if one.name == wanted)
    return Setup((account,), (), resolve_limits(written), state_folder(written))


@contextmanager
def logging_for(setup: "Setup", *, quiet: bool = False) -> Iterator["Outlet"]:
    """Logs go to standard error, without the setup's keys; `quiet`: only what is bad.

    With IMMICH_SYNC_DEBUG in the environment all there is.
    """
    from immich_sync import logs

    level = logging.ERROR if quiet else logging.INFO
    level = logging.DEBUG if os.environ.get("IMMICH_SYNC_DEBUG") else level
    outlet = logs.configure(secrets=setup.secrets, level=level)
    try:
        yield outlet
    finally:
        outlet.close()


def print_json(value: object) -> None:
    """A dataclass or plain values as JSON on standard output."""
    import json
    from dataclasses import asdict, is_dataclass

    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    typer.echo(json.dumps(plain, indent=2))


def on_a_terminal() -> bool:
    """Whether a person sees standard output."""
    return sys.stdout.isatty()
