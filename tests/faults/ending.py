"""Judges how a scenario ends: once nothing is wrong any more, all is well, once, and then silent.

Its own module because these are the promises of liveness (I15 to I17); those that hold at every
moment are the witness's.
"""

from collections.abc import Mapping
from hashlib import sha1

import anyio

from immich_sync.core.roots import RootState
from tests.faults.ledger import Row
from tests.faults.on_disk import XMP
from tests.faults.on_server import turn_key
from tests.faults.play import CLEANED_AFTER, Play
from tests.faults.stage import until

PATIENCE = 2 * 3600.0
"""Virtual seconds in which everything has to be well after the last fault."""
TIDIED = 5 * CLEANED_AFTER
"""Virtual seconds after which nothing is left that may be cleaned, or deleted in quarantine."""


async def heal(play: Play) -> None:
    """Nothing is wrong any more, and the daemon runs."""
    disk = play.disk
    disk.broken.clear()
    disk.traps.clear()
    play.stage.state_failures = 0
    play.stage.faults.clear()
    play.mount("home")
    for path in [path for path in play.home.files if path.endswith(b".xmp")]:
        disk.rewrite(path, XMP, play.stage.clock.now())
    turn_key(play.stage, works=True)
    play.run_rival(runs=False)
    await play.process("start")
    await play.process("resume")


async def settle_down(play: Play, silence: float = 100.0, *, spotless: bool = True) -> None:
    """I15 to I17: everything ends well, once; then there is silence, even after a restart.

    `spotless`: nothing is left that was to be cleaned away; where anything may have happened,
    there may be reasons to keep it.
    """
    await heal(play)
    began = anyio.current_time()
    while troubles := unfinished(play, spotless=spotless):
        waited = anyio.current_time() - began
        assert waited < PATIENCE, f"I15: never: {troubles}"
        await _approve(play)
        await anyio.sleep(1.0 + waited / 4)
        play.check()
    if not spotless and play.after_upload != "keep":
        await anyio.sleep(TIDIED)
        play.check()
    _judge_the_end(play)
    before = _work_done(play, spotless=spotless)
    await anyio.sleep(silence)
    assert _work_done(play, spotless=spotless) == before, (
        "I17: still busy though there is nothing to do"
    )
    play.stage.effects.rested = play.stage.effects.count
    await restart(play, spotless=spotless)


async def restart(play: Play, *, spotless: bool = True) -> None:
    """I17: where all had ended well, a process that begins finds nothing to do."""
    before = _work_done(play, spotless=spotless)
    await play.process("stop")
    await play.process("start")
    await anyio.sleep(10.0)
    # It may have died just now.
    await until(lambda: not unfinished(play, spotless=spotless), within=60.0)
    assert _work_done(play, spotless=spotless) == before, "I17: a restart did work"


def unfinished(play: Play, *, spotless: bool) -> list[str]:
    """What keeps the scenario from being over."""
    engine = play.stage.engine
    if engine is None or not engine.crew.routes or not engine.intakes:
        return ["the daemon is not at work"]
    troubles = [f"{path!r} is due" for path in play.witness.ledger.jobs()]
    troubles += [f"{place} is in hand" for place in engine.crew.busy]
    troubles += ["something settles" for one in engine.intakes.values() if not one.is_quiet()]
    troubles += [
        str(intake.root.why) for intake in engine.intakes.values() if not intake.root.online
    ]
    troubles += [f"{one} waits for a word" for one in engine.intakes if engine.waiting(one)]
    rows = play.witness.ledger.rows()
    troubles += [f"{path!r} is changed" for path, row in rows.items() if row.hold == "changed"]
    if play.on_delete == "trash":
        troubles += [f"{path!r} has departed" for path in play.witness.ledger.departed()]
    if play.after_upload != "keep" and spotless:
        troubles += _uncleaned(play, rows)
    elif play.after_upload != "keep":
        cleaned = play.witness.ledger.cleaned()
        half = {"meant", "expiring", "undoing"}
        troubles += [f"{path!r} is {state}" for path, _, state in cleaned if state in half]
    troubles += [f"{path!r} is known, not there" for path in rows if path not in play.home.files]
    for path, inode in play.home.files.items():
        if path.endswith(b".xmp"):
            continue
        row = rows.get(path)
        if row is None:
            troubles.append(f"{path!r} is not known")
        elif row.stamp != inode.stamp:
            troubles.append(f"{path!r} is known as it was")
    return troubles


def _uncleaned(play: Play, rows: Mapping[bytes, Row]) -> list[str]:
    """What is still to be cleaned away, to be deleted from the quarantine or to come back."""
    troubles = ["somebody wants it back"] if play.undoes else []
    cleaned, trashed = play.witness.ledger.cleaned(), play.witness.touched
    undone = {path for path, _, state in cleaned if state == "undone"}
    for path, inode in play.home.files.items():
        checksum, row = sha1(inode.data, usedforsecurity=False).hexdigest(), rows.get(path)
        if path in undone:
            continue
        if checksum not in trashed:
            troubles.append(f"{path!r} is to be cleaned away")
        elif row is not None and row.trashed_at is None:
            troubles.append(f"{path!r} was trashed, and nobody knows")
    for path, checksum, state in cleaned:
        kept = state == "quarantined" and checksum in trashed
        if state not in {"deleted", "expired", "undone"} and not kept:
            troubles.append(f"{path!r} is {state}")
    for path, inode in play.disk.aside.items():
        if sha1(inode.data, usedforsecurity=False).hexdigest() not in trashed:
            troubles.append(f"{path!r} lies in quarantine")
    return troubles


async def _approve(play: Play) -> None:
    engine = play.stage.engine
    if engine is None:
        return
    for folder, intake in list(engine.intakes.items()):
        emptied = intake.root.state is RootState.OFFLINE and not play.home.files
        asked = engine.unapproved(folder) or engine.waiting(folder)
        if emptied or intake.root.state is RootState.UNAPPROVED or asked:
            play.witness.approves(removed=True)
            await engine.approve(folder, removed=True)


def _judge_the_end(play: Play) -> None:
    rows, witness, server = play.witness.ledger.rows(), play.witness, play.stage.server
    for path, inode in play.home.files.items():
        if path.endswith(b".xmp"):
            continue
        row, checksum = rows[path], sha1(inode.data, usedforsecurity=False).hexdigest()
        assert row.checksum == checksum, f"I4: {path!r} is known with other bytes"
        if row.hold is not None:
            gone = checksum in witness.removed | witness.touched
            reasons = {"removed": gone, "missing": gone}
            assert reasons.get(row.hold, bool(play.fired)), f"I15: {path!r} is {row.hold}"
            continue
        assert row.verified_at is not None, f"I5: {path!r}"
        if checksum in witness.touched:
            continue
        found = [one for one in server.assets if one.checksum == checksum]
        assert [one.trashed_at for one in found] == [None], f"I15: {path!r} is not there once"
        name = path.rpartition(b"/")[0].decode() or "photos"
        albums = {a.name: a.id for a in server.albums if a.id not in witness.foreign}
        if name not in witness.dropped and (albums.get(name), found[0].id) not in witness.excused:
            assert server.members.has(albums.get(name, ""), found[0].id), f"I16: {path!r}"


def _work_done(play: Play, *, spotless: bool) -> tuple[int, int]:
    """Files hashed and requests that change something (an audit only asks).

    Where anything may have happened, a photo may become ripe for its cleanup at any time (a clock
    that was set back makes that late), and one that its sidecar keeps is looked at again.
    """
    asking = ("GET", "/api/assets/bulk-upload-check")
    requests = play.stage.server.requests
    hashed = play.stage.effects.hashed if spotless or play.after_upload == "keep" else 0
    return hashed, sum(not {one.method, one.path} & {*asking} for one in requests)
