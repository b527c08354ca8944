# ruff: noqa: FBT002, PLC0415 -- typer makes flags of parameters that are true or false;
#     and `--help` must not import what only a command needs
"""`notify --test`: whether those who are to be told can be.

Its own module because it asks neither the daemon nor the server.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from immich_sync.cli.options import Config, Json, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from immich_sync.notify.channels import Channel


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(notify)


def notify(
    test: Annotated[
        bool, typer.Option("--test", help="Send a test message to every configured channel.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Try the channels of [notify].

    Ends with 1 if one of them took nothing.
    """
    import anyio

    from immich_sync.config import load
    from immich_sync.config.outside import resolve_notify
    from immich_sync.core.errors import Misconfigured
    from immich_sync.notify.channels import outside

    if not test:
        raise typer.BadParameter("there is nothing else to do: give --test", param_hint="--test")
    channels = outside(resolve_notify(load(config)))
    if not channels:
        raise Misconfigured(
            "Nobody but the log is told: write webhook_url or apprise_urls_file under [notify]."
        )
    found = anyio.run(_try, channels)
    if json:
        print_json({channel.label: why or "sent" for channel, why in found})
    else:
        for channel, why in found:
            typer.echo(f"{channel.label}: {why or 'sent'}")
    if any(why for _, why in found):
        raise typer.Exit(1)


async def _try(channels: "Sequence[Channel]") -> "list[tuple[Channel, str]]":
    """Each channel, and why it took nothing; "" if it took the message."""
    from immich_sync.notify.message import TEST, NotDelivered

    found = []
    for channel in channels:
        try:
            await channel.send(TEST)
        except NotDelivered as error:
            found.append((channel, f"not sent, {error}"))
        else:
            found.append((channel, ""))
    return found
