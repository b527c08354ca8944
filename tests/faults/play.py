"""A scenario on the stage: deeds are done one after another, and the promises looked after.

Its own module because it is the engine of both drivers: the one that makes scenarios up, and the
one that lets each of its scenarios die at every step.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha1
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from immich_sync.control import Request
from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import Limits, Setup
from immich_sync.core.roots import RootState
from immich_sync.core.types import Evidence
from immich_sync.orders import Orders
from immich_sync.sandbox.records import Album, AlbumUser, Asset
from immich_sync.sandbox.state import iso
from tests.faults.deeds import (
    Backup,
    Begin,
    Break,
    ChangeDuring,
    Deed,
    Delete,
    Fail,
    Finish,
    FullDisk,
    Jump,
    Key,
    Link,
    Mend,
    Mount,
    MoveTree,
    Overflow,
    Person,
    PowerCut,
    Process,
    PutBack,
    Rename,
    Rival,
    Rotate,
    Sidecar,
    Swap,
    Undo,
    Wait,
    Write,
    bytes_of,
    half_of,
)
from tests.faults.memory_disk import ASIDE, MemoryDisk, Trap, Volume, volume
from tests.faults.mortality import Effects
from tests.faults.stage import KEY, Stage, until
from tests.faults.witness import Ledger, Row, Witness

PATIENCE = 2 * 3600.0
"""Virtual seconds in which everything has to be well after the last fault."""
REVIVAL = 1.0
"""Seconds until a process that died is started again; a minute if it found no use in running."""
CLEANED_AFTER = 60.0
"""Virtual seconds until a photo is cleaned away, and until it is deleted from the quarantine."""
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


@dataclass(frozen=True, slots=True)
class ServerCopy:
    """What a server had."""

    assets: tuple[Asset, ...]
    albums: tuple[Album, ...]
    members: frozenset[tuple[str, str]]


@dataclass(slots=True)
class Play:
    """One scenario while it is played."""

    stage: Stage
    tasks: TaskGroup
    witness: Witness
    home: Volume
    other: Volume
    on_delete: str = "ignore"  # ignore | trash: what becomes in Immich of what is deleted here
    after_upload: str = "keep"  # keep | quarantine | delete: what becomes here of what went up
    wanted: bool = True  # whether the daemon is meant to run
    fired: list[Fail] = field(default_factory=list)
    undoes: bool = False  # a person wants back what was cleaned away
    state_backup: bytes | None = None
    server_backup: ServerCopy | None = None
    kill_rival: Callable[[], None] | None = None

    @property
    def disk(self) -> MemoryDisk:
        """The disk."""
        return self.stage.disk

    def setup(self) -> Setup:
        """Quick to give up waiting, so that a scenario ends within hours."""
        limits = Limits(in_flight=8, retry_longest=120.0)
        setup = self.stage.setup(limits=limits, scan_every=900.0, on_delete=self.on_delete)
        cleaned = replace(
            setup.folders[0],
            after_upload=self.after_upload,
            quarantine_dir=ASIDE if self.after_upload == "quarantine" else b"",
            cleanup_after=CLEANED_AFTER,
            quarantine_for=CLEANED_AFTER,
        )
        return replace(setup, folders=(cleaned,))

    async def play(self, steps: Sequence[tuple[Deed, float]]) -> None:
        """Every deed is done, and so many seconds after it the promises hold."""
        for deed, pause in steps:
            await self.do(deed)
            self.witness.look(self.disk.files)
            await anyio.sleep(pause)
            self.check()

    def check(self) -> None:
        """The promises hold just now."""
        self.witness.check(
            self.home.files, home=self.disk.mounted is self.home and not self.disk.missing
        )

    async def keep_alive(self) -> None:
        """For ever: what died is started again, if it is meant to run."""
        while True:
            await self.stage.endings.heard()
            await anyio.sleep(60 * REVIVAL if self.stage.refused else REVIVAL)
            if self.wanted and self.stage.engine is None:
                self.stage.start(self.tasks, self.setup())

    async def do(self, deed: Deed) -> None:  # noqa: C901, PLR0912 - one case for each deed
        """The deed is done, if there is anything to do it to."""
        disk = self.disk
        match deed:
            case ChangeDuring(path, content, after):
                disk.traps.append(Trap(path, after, lambda: self._change(path, content)))
            case Break(path, mended):
                (disk.broken.discard if mended else disk.broken.add)(path)
            case Mount(what):
                self._mount(what)
            case Overflow(silent):
                disk.overflow(silent=silent)
            case Fail(fault, where, times):
                self.stage.faults.add(fault, path=where, times=times)
                self.fired.append(deed)
            case Mend():
                self.stage.faults.clear()
            case Key(works):
                self._turn_key(works=works)
            case Person():
                self._act(deed)
            case Process(what):
                await self._process(what)
            case Jump(seconds):
                self.stage.clock.ahead += seconds
                self.witness.set_clock(seconds, self.stage.clock.now())
            case FullDisk(times):
                self.stage.state_failures = times
            case Wait(seconds):
                await anyio.sleep(seconds)
            case PowerCut(share):
                await self._cut_power(share)
            case Backup(whose):
                self._back_up(whose)
            case PutBack(whose):
                await self._put_back(whose)
            case Rotate():
                await self._rotate()
            case Rival(runs):
                self._run_rival(runs=runs)
            case Undo():
                self.undoes = True
                self.tasks.start_soon(self._undo)
            case _:
                self._handle_files(deed)

    def _handle_files(self, deed: Deed) -> None:
        disk = self.disk
        files, now = disk.files, self.stage.clock.now()
        match deed:
            case Write(path, content):
                disk.write(path, bytes_of(path, content), now)
            case Begin(path, content):
                disk.write(path, half_of(path, content), now, Evidence.BEGUN)
            case Finish(path, content, keep_mtime, unseen) if path in files:
                heard = disk.listening and not unseen
                disk.listening, was = heard, disk.listening
                disk.rewrite(path, bytes_of(path, content), now, keep_mtime=keep_mtime)
                disk.listening = was
            case Swap(path, content) if path in files:
                mtime_ns = files[path].stamp.mtime_ns
                disk.write(path, bytes_of(path, content), now, mtime_ns=mtime_ns)
            case Rename(path, to) if path in files:
                disk.rename(path, to, now)
            case Link(path, to) if path in files and path != to:
                disk.link(path, to, now)
            case Delete(path) if path in files:
                disk.remove(path)
            case MoveTree(directory, to):
                for path in sorted(one for one in files if one.startswith(directory + b"/")):
                    disk.rename(path, to + path[len(directory) :], now)
            case Sidecar(path, whole):
                disk.write(path + b".xmp", XMP if whole else XMP[:20], now)
            case _:
                pass

    def _change(self, path: bytes, content: int) -> None:
        if path in self.disk.files:
            self.disk.rewrite(path, bytes_of(path, content), self.stage.clock.now())
            self.witness.look(self.disk.files)

    def _mount(self, what: str) -> None:
        disk = self.disk
        disk.missing = what == "missing"
        disk.mounted = {"home": self.home, "other": self.other}.get(what, volume("mount point"))

    def _turn_key(self, *, works: bool) -> None:
        server = self.stage.server
        known = server.key_of(self.stage.key)
        if works and known is None:
            server.add_key(server.admin.id, "again", ("all",), self.stage.key)
        elif not works and known is not None:
            server.drop_key(known)

    def _act(self, deed: Person) -> None:
        server, witness = self.stage.server, self.witness
        assets, stamp = list(server.assets), iso(server.now())
        albums = [album for album in server.albums if album.id not in witness.foreign]
        one = assets[deed.which % len(assets)] if assets else None
        album = albums[deed.which % len(albums)] if albums else None
        match deed.does:
            case "upload":
                asset_id = self._upload(bytes_of(b".raw", deed.which)).id
                witness.created.add(asset_id)
                witness.others.add(asset_id)
            case "trash" if one is not None and one.trashed_at is None:
                witness.touched.add(one.checksum)
                server.assets.put(replace(one, trashed_at=stamp))
            case "restore" if one is not None:
                server.assets.put(replace(one, trashed_at=None))
            case "purge" if one is not None:
                self._purge(one)
            case "take_out" if album is not None and server.members.of(album.id):
                members = server.members.of(album.id)
                asset_id = members[deed.which % len(members)]
                witness.takes_out(album.id, asset_id)
                server.members.remove(album.id, asset_id)
            case "drop_album" if album is not None:
                self._drop(album)
            case "wipe":
                for each in assets:
                    self._purge(each)
                for gone in albums:
                    self._drop(gone)
            case _:
                pass

    def _upload(self, data: bytes) -> Asset:
        """By another way than ours: from the phone, say."""
        server, checksum = self.stage.server, sha1(data, usedforsecurity=False).hexdigest()
        if known := server.asset_of(server.admin.id, checksum):
            return known
        owner, at = server.admin.id, server.stamp()
        return server.add_asset(
            Asset(
                server.new_id(), owner, checksum, len(data), "IMAGE", "x.raw", "-", at, at, at, at
            )
        )

    def _purge(self, asset: Asset) -> None:
        self.witness.purges(asset)
        self.stage.server.erase(asset)

    def _drop(self, album: Album) -> None:
        self.witness.dropped.add(album.name)
        self.stage.server.members.forget(album.id)
        self.stage.server.albums.drop(album.id)

    async def _process(self, what: str) -> None:
        stage = self.stage
        if what in {"pause", "resume"}:
            self._hold_back(back=what == "pause")
            return
        self.wanted = what == "start"
        match what:
            case "kill":
                await stage.kill()
            case "stop":
                await stage.stop()
            case "start" if stage.engine is None:
                stage.start(self.tasks, self.setup())
            case _:
                pass

    async def _undo(self) -> None:
        """Until everything is back or deleted, by whichever process runs."""
        while self.undoes:
            if engine := self.stage.engine:
                with anyio.CancelScope() as scope:
                    self.stage.dies_with_it(scope)
                    with suppress(Misconfigured):  # nothing is away, or not yet
                        await Orders(engine).handle(Request("undo", since=0.0))
            states = {state for _, _, state in self.witness.ledger.cleaned()}
            self.undoes = not states or not states <= {"undone", "deleted", "expired"}
            await anyio.sleep(REVIVAL)

    def _hold_back(self, *, back: bool) -> None:
        if engine := self.stage.engine:
            for folder in engine.intakes:
                (engine.crew.pause if back else engine.crew.resume)(folder)

    # What happens to states, servers and keys as a whole.

    async def _cut_power(self, share: float) -> None:
        """Whatever SQLite had not waited for may be lost: the end of its write-ahead log."""
        stage = self.stage
        await stage.kill()
        self._lose(share)

    def _lose(self, share: float) -> None:
        stage = self.stage
        log = Path(f"{stage.state}-wal")
        written = log.read_bytes() if log.exists() else b""
        whole = stage.state.read_bytes()
        kept = max(stage.synced, round(len(written) * (1.0 - share)))
        self._replace_state(whole, written[:kept])  # to close it takes the log into the file

    def _replace_state(self, whole: bytes, log: bytes = b"") -> None:
        stage = self.stage
        self.witness.ledger.close()
        stage.state.write_bytes(whole)
        Path(f"{stage.state}-shm").unlink(missing_ok=True)
        Path(f"{stage.state}-wal").write_bytes(log)
        stage.synced = len(log)
        self.witness.forgets()

    def _back_up(self, whose: str) -> None:
        server = self.stage.server
        if whose == "state":
            self.state_backup = self.witness.ledger.image()
        else:
            pairs = {(a.id, one) for a in server.albums for one in server.members.of(a.id)}
            self.server_backup = ServerCopy(
                tuple(server.assets), tuple(server.albums), frozenset(pairs)
            )

    async def _put_back(self, whose: str) -> None:
        if whose == "state" and self.state_backup is not None:
            await self.stage.stop()
            self._replace_state(self.state_backup)
        elif whose == "server" and self.server_backup is not None:
            self._put_server_back(self.server_backup)

    def _put_server_back(self, copy: ServerCopy) -> None:
        server, witness = self.stage.server, self.witness
        then = {one.id for one in copy.assets}
        for asset in server.assets:
            if asset.id not in then:
                self._purge(asset)
        for album in server.albums:
            if album not in copy.albums:
                self._drop(album)
        for asset in copy.assets:
            witness.created.add(asset.id)
            witness.touched.add(asset.checksum)
            server.add_asset(asset)
        for album in copy.albums:
            witness.dropped.add(album.name)
            server.albums.put(album)
        for album_id, asset_id in sorted(copy.members):
            witness.taken_out.discard((album_id, asset_id))
            server.members.add(album_id, asset_id)

    async def _rotate(self) -> None:
        server, stage = self.stage.server, self.stage
        await stage.stop()
        if (known := server.key_of(stage.key)) is not None:
            server.drop_key(known)
        stage.key = f"{KEY}-{len(server.requests)}"
        self._turn_key(works=True)

    def _run_rival(self, *, runs: bool) -> None:
        if runs and self.kill_rival is None:
            self.witness.meets_rival()
            self.kill_rival = self.stage.start_rival(self.tasks, self.setup())
        elif not runs and self.kill_rival is not None:
            self.kill_rival()
            self.kill_rival = None

    # When the faults have stopped.

    async def heal(self) -> None:
        """Nothing is wrong any more, and the daemon runs."""
        disk = self.disk
        disk.broken.clear()
        disk.traps.clear()
        self.stage.state_failures = 0
        self.stage.faults.clear()
        self._mount("home")
        for path in [path for path in self.home.files if path.endswith(b".xmp")]:
            disk.rewrite(path, XMP, self.stage.clock.now())
        self._turn_key(works=True)
        self._run_rival(runs=False)
        await self._process("start")
        await self._process("resume")

    async def settle_down(self, silence: float = 100.0) -> None:
        """I15 to I17: everything ends well, once; then there is silence, even after a restart."""
        await self.heal()
        began = anyio.current_time()
        while troubles := self.unfinished():
            waited = anyio.current_time() - began
            assert waited < PATIENCE, f"I15: never: {troubles}"
            await self._approve()
            await anyio.sleep(1.0 + waited / 4)
            self.check()
        self._judge_the_end()
        before = self._work_done()
        await anyio.sleep(silence)
        assert self._work_done() == before, "I17: still busy though there is nothing to do"
        await self._process("stop")
        await self._process("start")
        await anyio.sleep(10.0)
        await until(lambda: not self.unfinished(), within=60.0)  # it may have died just now
        assert self._work_done() == before, "I17: a restart did work"

    def unfinished(self) -> list[str]:
        """What keeps the scenario from being over."""
        engine = self.stage.engine
        if engine is None or not engine.crew.routes or not engine.intakes:
            return ["the daemon is not at work"]
        troubles = [f"{path!r} is due" for path in self.witness.ledger.jobs()]
        troubles += [f"{place} is in hand" for place in engine.crew.busy]
        troubles += ["something settles" for one in engine.intakes.values() if not one.is_quiet()]
        troubles += [
            str(intake.root.why) for intake in engine.intakes.values() if not intake.root.online
        ]
        rows = self.witness.ledger.rows()
        if self.on_delete == "trash":
            troubles += [f"{path!r} has departed" for path in self.witness.ledger.departed()]
        if self.after_upload != "keep":
            troubles += self._uncleaned(rows)
        troubles += [
            f"{path!r} is known, not there" for path in rows if path not in self.home.files
        ]
        for path, inode in self.home.files.items():
            if path.endswith(b".xmp"):
                continue
            row = rows.get(path)
            if row is None:
                troubles.append(f"{path!r} is not known")
            elif row.stamp != inode.stamp:
                troubles.append(f"{path!r} is known as it was")
        return troubles

    def _uncleaned(self, rows: Mapping[bytes, Row]) -> list[str]:
        """What is still to be cleaned away, to be deleted from the quarantine or to come back."""
        troubles = ["somebody wants it back"] if self.undoes else []
        cleaned, trashed = self.witness.ledger.cleaned(), self.witness.touched
        undone = {path for path, _, state in cleaned if state == "undone"}
        for path, inode in self.home.files.items():
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
        for path, inode in self.disk.aside.items():
            if sha1(inode.data, usedforsecurity=False).hexdigest() not in trashed:
                troubles.append(f"{path!r} lies in quarantine")
        return troubles

    async def _approve(self) -> None:
        engine = self.stage.engine
        if engine is None:
            return
        for folder, intake in list(engine.intakes.items()):
            emptied = intake.root.state is RootState.OFFLINE and not self.home.files
            if emptied or intake.root.state is RootState.UNAPPROVED or engine.unapproved(folder):
                await engine.approve(folder, removed=True)

    def _judge_the_end(self) -> None:
        rows, witness, server = self.witness.ledger.rows(), self.witness, self.stage.server
        for path, inode in self.home.files.items():
            if path.endswith(b".xmp"):
                continue
            row, checksum = rows[path], sha1(inode.data, usedforsecurity=False).hexdigest()
            assert row.checksum == checksum, f"I4: {path!r} is known with other bytes"
            if row.hold is not None:
                gone = checksum in witness.removed | witness.touched
                reasons = {"removed": gone, "missing": gone}
                assert reasons.get(row.hold, bool(self.fired)), f"I15: {path!r} is {row.hold}"
                continue
            assert row.verified_at is not None, f"I5: {path!r}"
            if checksum in witness.touched:
                continue
            found = [one for one in server.assets if one.checksum == checksum]
            assert [one.trashed_at for one in found] == [None], f"I15: {path!r} is not there once"
            name = path.rpartition(b"/")[0].decode() or "photos"
            albums = {a.name: a.id for a in server.albums if a.id not in witness.foreign}
            if (
                name not in witness.dropped
                and (albums.get(name), found[0].id) not in witness.excused
            ):
                assert server.members.has(albums.get(name, ""), found[0].id), f"I16: {path!r}"

    def _work_done(self) -> tuple[int, int]:
        """Files hashed and requests that change something (an audit only asks)."""
        asking = ("GET", "/api/assets/bulk-upload-check")
        requests = self.stage.server.requests
        return self.stage.effects.hashed, sum(
            not {one.method, one.path} & {*asking} for one in requests
        )


@asynccontextmanager
async def playing(
    seed: int,
    path: Path,
    effects: Effects | None = None,
    *,
    hurried: bool = False,
    on_delete: str = "ignore",
    after_upload: str = "keep",
) -> AsyncIterator[Play]:
    """A stage with the daemon on it, which is started again whenever it dies."""
    stage = Stage(seed, path, hurried=hurried, effects=effects or Effects())
    ledger = Ledger(stage.state)
    witness = Witness(stage.server, ledger)
    stage.answered = lambda request, answer: witness.answered(request, answer, stage.clock.now())
    stage.told = witness.heard
    witness.foreign = {_strangers_album(stage)}
    other = volume("other")
    try:
        async with anyio.create_task_group() as tasks:
            play = Play(stage, tasks, witness, stage.disk.mounted, other, on_delete, after_upload)
            witness.may_take = lambda: after_upload != "keep" and stage.disk.mounted is play.home
            stage.disk.took = partial(witness.takes, stage.disk)
            witness.may_trash = lambda: on_delete == "trash" and stage.disk.mounted is play.home
            witness.lies_here = lambda: {
                sha1(inode.data, usedforsecurity=False).hexdigest()
                for inode in play.home.files.values()
            }
            stage.disk.mounted = other
            stage.disk.write(b"DCIM/a.raw", bytes_of(b"DCIM/a.raw", 77), stage.clock.now() - 9e5)
            stage.disk.write(b"stranger.raw", bytes_of(b".raw", 78), stage.clock.now() - 9e5)
            witness.look(other.files)
            stage.disk.mounted = play.home
            stage.start(tasks, play.setup())
            tasks.start_soon(play.keep_alive)
            yield play
            play.wanted = False
            await play.do(Rival(runs=False))
            await stage.kill()
            tasks.cancel_scope.cancel()
    finally:
        ledger.close()


def _strangers_album(stage: Stage) -> str:
    """Somebody else's album of the same name, into which we might put photos."""
    server = stage.server
    stranger = server.add_user("stranger@example.com", "Stranger", "-")
    members = (AlbumUser(server.admin.id, "editor"),)
    album = Album(server.new_id(), stranger.id, "DCIM", "", members, server.stamp(), server.stamp())
    return server.albums.put(album).id
