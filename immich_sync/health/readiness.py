"""What keeps the program from bringing photos in just now.

Its own module because it is told to strangers: words from a fixed list, and never a name or a path.
"""

from collections.abc import Iterator

from immich_sync.core.errors import Full, Refused
from immich_sync.core.roots import RootState
from immich_sync.engine import Engine


def failing(engine: Engine) -> list[str]:
    """The conditions that are not fulfilled, each once, in the order of their names."""
    return sorted({*_of_process(engine), *_of_servers(engine), *_of_folders(engine)})


def _of_process(engine: Engine) -> Iterator[str]:
    if engine.stopping:
        yield "stopping"
    if engine.world.store.trouble is not None:
        yield "state_failing"


def _of_servers(engine: Engine) -> Iterator[str]:
    if len(engine.links) < len(engine.setup.accounts):
        yield "starting"
    for link in engine.links.values():
        match link.immich.gate.trouble:
            case None:
                if link.name not in engine.keepers:  # reached and audited, or not yet
                    yield "starting"
            case Refused():
                yield "key_refused"
            case Full():
                yield "server_full"
            case _:
                yield "server_unreachable"


def _of_folders(engine: Engine) -> Iterator[str]:
    if len(engine.intakes) < len(engine.setup.folders):
        yield "starting"
    for folder, intake in engine.intakes.items():
        if engine.unapproved(folder) or intake.root.state is RootState.UNAPPROVED:
            yield "approval_needed"
        elif intake.root.unseen:
            yield "starting"
        elif not intake.root.online:
            yield "folder_offline"
