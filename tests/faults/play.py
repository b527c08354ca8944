"""A scenario on the stage: deeds are done one after another, and the promises looked after.

Its own module because it is the engine of both drivers: the one that makes scenarios up, and the
one that lets each of its scenarios die at every step.
"""

from collections.abc import AsyncIterator, Callable, Sequence
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
from immich_sync.orders import Orders
from immich_sync.sandbox.records import Album, AlbumUser
from tests.faults import on_disk, on_server, on_state
from tests.faults.deeds import (
    Approve,
    Backup,
    Configure,
    Deed,
    Fail,
    FullDisk,
    Jump,
    Key,
    Mend,
    Mount,
    Person,
    PowerCut,
    Process,
    PutBack,
    Rival,
    Rotate,
    Undo,
    Wait,
    bytes_of,
)
from tests.faults.ledger import Ledger
from tests.faults.memory_disk import ASIDE, MemoryDisk, Volume, volume
from tests.faults.mortality import Effects
from tests.faults.on_server import ServerCopy
from tests.faults.stage import KEY, Stage
from tests.faults.witness import Witness

REVIVAL = 1.0
"""Seconds until a process that died is started again; a minute if it found no use in running."""
LIMITS = Limits(in_flight=8, retry_longest=120.0)
SCANNED_EVERY = 900.0
CLEANED_AFTER = 60.0
"""Virtual seconds until a photo is cleaned away, and until it is deleted from the quarantine."""


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

    @property
    def is_home(self) -> bool:
        """Whether the folder's own disk lies there."""
        return self.disk.mounted is self.home and not self.disk.missing

    @property
    def is_believed(self) -> bool:
        """Whether what lies there may be taken for the folder: its own disk, or any at first."""
        if self.is_home or self.disk.missing:
            return self.is_home
        known, files = self.witness.last, self.home.files
        return not any(
            path in files and row.stamp == files[path].stamp for path, row in known.items()
        )

    def setup(self) -> Setup:
        """Quick to give up waiting, so that a scenario ends within hours."""
        setup = self.stage.setup(limits=LIMITS, scan_every=SCANNED_EVERY, on_delete=self.on_delete)
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
            self.witness.look(self.disk.files, home=self.is_home)
            await anyio.sleep(pause)
            self.check()

    def check(self) -> None:
        """The promises hold just now."""
        self.witness.check(self.home.files, home=self.is_believed)

    async def keep_alive(self) -> None:
        """For ever: what died is started again, if it is meant to run."""
        while True:
            await self.stage.endings.heard()
            await anyio.sleep(60 * REVIVAL if self.stage.refused else REVIVAL)
            if self.wanted and self.stage.engine is None:
                self.stage.start(self.tasks, self.setup())

    async def do(self, deed: Deed) -> None:  # noqa: C901, PLR0912 - one case for each deed
        """The deed is done, if there is anything to do it to."""
        match deed:
            case Mount(what):
                self.mount(what)
            case Fail(fault, where, times):
                self.stage.faults.add(fault, path=where, times=times)
                self.fired.append(deed)
            case Mend():
                self.stage.faults.clear()
            case Key(works):
                on_server.turn_key(self.stage, works=works)
            case Person():
                on_server.act(self.stage.server, self.witness, deed)
            case Process(what):
                await self.process(what)
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
                self.run_rival(runs=runs)
            case Undo(insists):
                self.undoes = insists
                self.tasks.start_soon(self._undo)
            case Configure(on_delete, after_upload):
                await self._configure(on_delete, after_upload)
            case Approve(removed):
                await self._approve(removed=removed)
            case _:
                on_disk.handle(self.stage, self.witness, deed)

    def mount(self, what: str) -> None:
        """At the folder's path lies this, as `deeds.Mount` has it."""
        disk = self.disk
        disk.missing = what == "missing"
        disk.mounted = {"home": self.home, "other": self.other}.get(what, volume("mount point"))

    async def process(self, what: str) -> None:
        """The daemon does this, or has it done to it, as `deeds.Process` has it."""
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
        """Once; or until everything is back or deleted, by whichever process runs."""
        while True:
            if engine := self.stage.engine:
                with anyio.CancelScope() as scope:
                    self.stage.dies_with_it(scope)
                    with suppress(Misconfigured):  # nothing is away, or not yet
                        await Orders(engine).handle(Request("undo", since=0.0))
            states = {state for _, _, state in self.witness.ledger.cleaned()}
            if not self.undoes or (states and states <= {"undone", "deleted", "expired"}):
                self.undoes = False
                return
            await anyio.sleep(REVIVAL)

    async def _configure(self, on_delete: str, after_upload: str) -> None:
        await self.stage.stop()
        self.on_delete, self.after_upload = on_delete, after_upload
        if self.wanted:
            await self.process("start")

    async def _approve(self, *, removed: bool) -> None:
        engine = self.stage.engine
        if engine is None or not self.is_home:
            return
        self.witness.approves(removed=removed)
        with anyio.CancelScope() as scope:
            self.stage.dies_with_it(scope)
            for folder in list(engine.intakes):
                await engine.approve(folder, removed=removed)

    def _hold_back(self, *, back: bool) -> None:
        if engine := self.stage.engine:
            for folder in engine.intakes:
                (engine.crew.pause if back else engine.crew.resume)(folder)

    async def _cut_power(self, share: float) -> None:
        assert not self.stage.powered
        await self.stage.kill()
        on_state.lose(self.stage, self.witness, share)

    def _back_up(self, whose: str) -> None:
        if whose == "state":
            self.state_backup = self.witness.ledger.image()
        else:
            self.server_backup = on_server.copy_of(self.stage.server)

    async def _put_back(self, whose: str) -> None:
        if whose == "state" and self.state_backup is not None:
            await self.stage.stop()
            on_state.replace_state(self.stage, self.witness, self.state_backup)
        elif whose == "server" and self.server_backup is not None:
            on_server.put_back(self.stage.server, self.witness, self.server_backup)

    async def _rotate(self) -> None:
        server, stage = self.stage.server, self.stage
        await stage.stop()
        if (known := server.key_of(stage.key)) is not None:
            server.drop_key(known)
        stage.key = f"{KEY}-{len(server.requests)}"
        on_server.turn_key(stage, works=True)

    def run_rival(self, *, runs: bool) -> None:
        """A second daemon runs beside the first, or does not."""
        if runs and self.kill_rival is None:
            self.witness.meets_rival()
            plain = self.stage.setup(limits=LIMITS, scan_every=SCANNED_EVERY)
            self.kill_rival = self.stage.start_rival(self.tasks, plain)
        elif not runs and self.kill_rival is not None:
            self.kill_rival()
            self.kill_rival = None


@asynccontextmanager
async def playing(
    seed: int,
    path: Path,
    effects: Effects | None = None,
    *,
    hurried: bool = False,
    on_delete: str = "ignore",
    after_upload: str = "keep",
    powered: bool = False,
) -> AsyncIterator[Play]:
    """A stage with the daemon on it, which is started again whenever it dies."""
    stage = Stage(seed, path, hurried=hurried, effects=effects or Effects(), powered=powered)
    ledger = Ledger(stage.state)
    witness = Witness(stage.server, ledger)
    stage.answered = lambda request, answer: witness.answered(request, answer, stage.clock.now())
    stage.told = witness.heard
    witness.foreign = {_strangers_album(stage)}
    other = volume("other")
    try:
        async with anyio.create_task_group() as tasks:
            play = Play(stage, tasks, witness, stage.disk.mounted, other, on_delete, after_upload)
            witness.may_take = lambda: play.after_upload != "keep" and play.is_believed
            stage.disk.took = partial(witness.takes, stage.disk)
            witness.may_trash = lambda: play.on_delete == "trash" and play.is_believed
            witness.lies_here = lambda: {
                sha1(inode.data, usedforsecurity=False).hexdigest()
                for inode in play.home.files.values()
            }
            stage.disk.mounted = other
            stage.disk.write(b"DCIM/a.raw", bytes_of(b"DCIM/a.raw", 77), stage.clock.now() - 9e5)
            stage.disk.write(b"stranger.raw", bytes_of(b".raw", 78), stage.clock.now() - 9e5)
            witness.look(other.files, home=False)
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
