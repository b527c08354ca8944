# ruff: noqa: PLC0415 -- `--help` must not import what only a command needs
"""A public link on the command line: its key or slug, and the password it may ask for.

Its own module because a password has no place among words that every user of the machine can read.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

VARIABLE = "IMMICH_LINK_PASSWORD"
_LONGEST = 4096

Key = Annotated[
    str | None,
    typer.Option(metavar="KEY", help="A public link's key (/share/KEY); no API key."),
]
Slug = Annotated[str | None, typer.Option(metavar="SLUG", help="A public link's slug (/s/SLUG).")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help=f"A file with the public link's password; else {VARIABLE} in the environment.",
    ),
]


def password_of(file: Path | None, *, public: bool) -> str | None:
    """The password for a public link; None if there is none, or no link. Raises Misconfigured.

    What ends the file's only line is no part of it.
    """
    from immich_sync.core.errors import Misconfigured

    if file is None:
        return (os.environ.get(VARIABLE) or None) if public else None
    if not public:
        raise typer.BadParameter("it goes with --key or --slug", param_hint="--password-file")
    try:
        with file.expanduser().open("rb") as opened:
            text = opened.read(_LONGEST + 1).decode()
    except OSError as error:
        why = error.strerror or "it cannot be opened"
        raise Misconfigured(f"--password-file: {file} cannot be read ({why}).") from None
    except ValueError:
        text = ""
    password = text.rstrip("\r\n")
    if not password or len(text) > _LONGEST or "\n" in password:
        raise Misconfigured(f"--password-file: {file} does not hold one line with a password.")
    return password
