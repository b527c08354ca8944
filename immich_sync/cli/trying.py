# ruff: noqa: FBT002, PLC0415 -- typer makes flags of parameters that are true or false;
#     and `--help` must not import what only a command needs
"""`demo` and `sandbox`: the program and a server to try it on, with nothing to set up.

Its own module because these run without any configuration.
"""

import json
import os
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from immich_sync.cli.options import on_a_terminal

VERSIONS = ("3.1.0", "2.7.5")
"""The servers that the sandbox knows how to be."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (demo, sandbox):
        app.command()(command)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End as soon as the sample photos are in.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the demo's folder afterwards.")
    ] = False,
) -> None:
    """See it work: sample photos, a small server, the real daemon."""
    import anyio

    from immich_sync.cli import demonstration
    from immich_sync.cli.screens import demo as screens

    live = on_a_terminal() and os.environ.get("TERM") != "dumb"
    screen = screens.Live() if live else screens.Plain()
    raise typer.Exit(anyio.run(partial(demonstration.demonstrate, screen, once=once, keep=keep)))


def sandbox(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 2283,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep everything here; else it is forgotten.")
    ] = None,
    server_version: Annotated[str, typer.Option(help=f"One of {', '.join(VERSIONS)}.")] = VERSIONS[
        0
    ],
    api_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="A key to accept, beside those that --data knows; else one is made."
        ),
    ] = None,
) -> None:
    """Serve an Immich in small, to try things on.

    Prints its address and key as JSON.
    """
    if server_version not in VERSIONS:
        raise typer.BadParameter(
            f"choose from {', '.join(VERSIONS)}", param_hint="--server-version"
        )
    import anyio

    from immich_sync.sandbox import serve

    def ready(url: str, key: str) -> None:
        print(json.dumps({"url": url, "api_key": key}), flush=True)  # noqa: T201 -- its result

    server = partial(
        serve,
        ready=ready,
        host=host,
        port=port,
        data=data,
        server_version=server_version,
        api_key=api_key,
    )
    anyio.run(_until_stopped, server)


async def _until_stopped(server: Callable[[], Coroutine[Any, Any, None]]) -> None:
    import signal

    import anyio

    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_explained, server)
            async for _ in signals:
                break
            tasks.cancel_scope.cancel()


async def _explained(server: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the server; what a person can mend is a sentence."""
    from immich_sync.core.errors import Misconfigured

    try:
        await server()
    except OSError as error:
        raise Misconfigured(
            f"The sandbox cannot listen there or write to its folder ({error.strerror}); "
            "give it another --port (0 finds a free one) or --data."
        ) from None
    except ValueError as error:
        raise Misconfigured(f"The sandbox cannot start: {error}.") from None
