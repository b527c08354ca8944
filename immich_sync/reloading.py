"""Whether a new configuration may take the place of the one that is in force.

Its own module because this is asked before anything ends: a mistake must not cost what works.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import anyio
import structlog

from immich_sync.core.errors import Misconfigured, NotImmich, Refused, ServerTrouble, Untrusted
from immich_sync.core.folder import Account, Setup
from immich_sync.engine import Surroundings
from immich_sync.link import demand, needed_permissions

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Vetted:
    """What the servers said, by the accounts' names."""

    users: Mapping[str, str]  # whose the keys are
    not_asked: Mapping[str, str]  # why a server could not be asked, a sentence


async def vet(setup: Setup, before: Setup, surroundings: Surroundings) -> Vetted:
    """What is learnt of `setup`, which can be worked with.

    A server that is down is no reason against it.

    Raises Misconfigured; NotImmich, Refused or Untrusted where an address, a key or a certificate
    would have kept it from starting.
    """
    if setup.state != before.state:
        raise Misconfigured(
            f"state_dir cannot change while it runs (it is {before.state}): stop it, move the"
            " folder, and start it again."
        )
    wrong: list[ServerTrouble] = []
    users: dict[str, str] = {}
    not_asked: dict[str, str] = {}

    async def ask(account: Account) -> None:
        try:
            users[account.name] = await _ask(account, setup, surroundings)
        except (NotImmich, Refused, Untrusted) as trouble:
            wrong.append(trouble)
        except ServerTrouble as trouble:
            not_asked[account.name] = str(trouble)
            log.warning("server_not_asked", account=account.name, error=str(trouble))

    async with anyio.create_task_group() as tasks:
        for account in setup.accounts:
            tasks.start_soon(ask, account)
    if wrong:
        raise wrong[0]
    return Vetted(users, not_asked)


async def _ask(account: Account, setup: Setup, surroundings: Surroundings) -> str:
    """Whose the key is."""
    folders = [one for one in setup.folders if one.account == account.name]
    async with surroundings.connect(account, setup.limits) as immich:
        await immich.version()
        me = await immich.whoami()
    demand(me, needed_permissions(folders), account)
    return me.identity
