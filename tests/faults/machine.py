"""A Hypothesis state machine that plays: each of its rules is a deed, and time goes on after it.

Its own module because Hypothesis calls its rules from outside while a simulation runs within its
own loop: a thread plays, and stands still (its clock with it) until the next rule comes.
"""

import queue
import tempfile
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import anyio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.faults.deeds import (
    CONTENTS,
    DIRECTORIES,
    FAULTS,
    PATHS,
    WHERE,
    Approve,
    Backup,
    Begin,
    Break,
    ChangeDuring,
    Configure,
    Deed,
    Delete,
    Fail,
    Finish,
    FullDisk,
    Jump,
    Key,
    Link,
    Many,
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
    Write,
)
from tests.faults.ending import settle_down
from tests.faults.play import Play, playing
from tests.faults.stage import EPOCH, quick_folder, simulate

Answer = BaseException | None
Trace = list[tuple[float, str]]

LONGEST = 30 * 86400.0
"""Virtual seconds in which every scenario is over."""

paths, contents = st.sampled_from(PATHS), st.integers(0, CONTENTS - 1)
trees, which, truth = st.sampled_from(DIRECTORIES), st.integers(0, 3), st.booleans()
pauses = st.sampled_from((0.0, 0.01, 0.06, 0.3, 1.2, 4.0, 8.0, 35.0, 70.0, 700.0))
wishes = st.sampled_from(
    (
        ("ignore", "keep"),
        ("trash", "keep"),
        ("ignore", "quarantine"),
        ("trash", "keep"),
        ("ignore", "delete"),
    )
)
"""What becomes of the asset of a deleted file, and of a file that went up."""
whose = st.sampled_from(("state", "server"))


class Player:
    """A simulation in a thread; it does one deed at a time, when it is told to."""

    def __init__(self, seed: int, on_delete: str, after_upload: str) -> None:
        self._wish = (on_delete, after_upload)
        self.trace: Trace = []
        self.requests: list[str] = []
        self._deeds: queue.SimpleQueue[tuple[Deed, float] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(seed,))
        self._thread.start()

    def do(self, deed: Deed, pause: float) -> None:
        """The deed is done, `pause` seconds have passed, and every promise holds; or it raises."""
        self._deeds.put((deed, pause))
        self._hear()

    def end(self) -> None:
        """Nothing is wrong any more, and all ended well; or it raises. The thread has ended."""
        if self._thread.is_alive():
            self._deeds.put(None)
            try:
                self._hear()
            finally:
                self._thread.join()

    def _hear(self) -> None:
        error = self._answers.get()
        if error is not None:
            self._thread.join()
            raise error

    def _run(self, seed: int) -> None:
        error: Answer = None
        try:
            with tempfile.TemporaryDirectory(dir=quick_folder()) as folder:
                simulate(lambda: self._scenario(seed, Path(folder)), seed=seed)
        except BaseException as problem:  # noqa: BLE001 - it belongs to the thread that waits
            error = problem
        self._answers.put(error)

    async def _scenario(self, seed: int, folder: Path) -> None:
        on_delete, after_upload = self._wish
        async with playing(seed, folder, on_delete=on_delete, after_upload=after_upload) as play:
            with anyio.fail_after(LONGEST):
                await self._obey(play)
                await settle_down(play, spotless=False)
            self.trace = play.stage.trace
            self.requests = [f"{r.method} {r.path} {r.status}" for r in play.stage.server.requests]

    async def _obey(self, play: Play) -> None:
        while step := self._deeds.get():  # the loop stands still meanwhile, and so does its clock
            await play.play([step])
            self._answers.put(None)


class Machine(RuleBasedStateMachine):
    """People, disks, servers and power cuts do what they do; the witness looks after every rule."""

    ended: Callable[[str], None] = staticmethod(lambda _: None)
    """Told the hash of each play's trace."""

    def __init__(self) -> None:
        super().__init__()
        self._player: Player | None = None
        self._failed = False
        self._1970 = False
        self._many = False  # whether there were so many files that a breaker may trip
        self._cleans = False  # whether anything was to be cleaned away

    def _do(self, deed: Deed, pause: float) -> None:
        assert self._player is not None
        try:
            self._player.do(deed, pause)
        except BaseException:
            self._failed = True
            raise

    @initialize(
        seed=st.integers(0, 9999),
        wish=wishes,
        many=truth,
        path=paths,
        content=contents,
        pause=pauses,
    )
    def begins(
        self,
        *,
        seed: int,
        wish: tuple[str, str],
        many: bool,
        path: bytes,
        content: int,
        pause: float,
    ) -> None:
        """A photo is there, or a whole crowd as well."""
        self._player = Player(seed, *wish)
        self._cleans = wish[1] != "keep"
        if many:
            self.many_come(pause=0.0)
        self._do(Write(path, content), pause)

    def teardown(self) -> None:
        """All is healed, and ends well (I15 to I18)."""
        if self._player is None or self._failed:
            return
        self._player.end()
        told = repr((self._player.trace, self._player.requests))
        type(self).ended(sha256(told.encode()).hexdigest())

    @rule(path=paths, content=contents, pause=pauses)
    def appears(self, *, path: bytes, content: int, pause: float) -> None:
        """A file is there, whole."""
        self._do(Write(path, content), pause)

    @rule(path=paths, content=contents, pause=pauses)
    def grows(self, *, path: bytes, content: int, pause: float) -> None:
        """A file is being written."""
        self._do(Begin(path, content), pause)

    @rule(path=paths, content=contents, keep=truth, unseen=truth, pause=pauses)
    def is_rewritten(
        self,
        *,
        path: bytes,
        content: int,
        keep: bool,
        unseen: bool,
        pause: float,
    ) -> None:
        """A file is written over in place."""
        self._do(Finish(path, content, keep, unseen), pause)

    @rule(path=paths, content=contents, pause=pauses)
    def is_replaced(self, *, path: bytes, content: int, pause: float) -> None:
        """Another file of the same size and time has the name."""
        self._do(Swap(path, content), pause)

    @rule(path=paths, to=paths, link=truth, pause=pauses)
    def is_renamed(self, *, path: bytes, to: bytes, link: bool, pause: float) -> None:
        """A file gets another name, or a second one."""
        self._do(Link(path, to) if link else Rename(path, to), pause)

    @rule(path=paths, pause=pauses)
    def is_deleted(self, *, path: bytes, pause: float) -> None:
        """A name is gone."""
        self._do(Delete(path), pause)

    @rule(directory=trees, to=trees, pause=pauses)
    def tree_moves(self, *, directory: bytes, to: bytes, pause: float) -> None:
        """A directory gets another name."""
        self._do(MoveTree(directory, to), pause)

    @rule(path=paths, whole=truth, pause=pauses)
    def sidecar_comes(self, *, path: bytes, whole: bool, pause: float) -> None:
        """An XMP lies beside a photo."""
        self._do(Sidecar(path, whole), pause)

    @rule(path=paths, content=contents, after=st.integers(1, 4), pause=pauses)
    def changes_while_read(self, *, path: bytes, content: int, after: int, pause: float) -> None:
        """A file becomes another one between two reads."""
        self._do(ChangeDuring(path, content, after), pause)

    @rule(path=st.sampled_from((*PATHS, b"", b"DCIM")), mended=truth, pause=pauses)
    def sector_fails(self, *, path: bytes, mended: bool, pause: float) -> None:
        """Something cannot be read, or can again."""
        self._do(Break(path, mended), pause)

    @rule(what=st.sampled_from(("home", "home", "empty", "missing", "other")), pause=pauses)
    def is_mounted(self, *, what: str, pause: float) -> None:
        """The disk goes, comes back, or is another one."""
        self._do(Mount(what), pause)

    @rule(silent=truth, pause=pauses)
    def events_are_lost(self, *, silent: bool, pause: float) -> None:
        """The kernel had no room for them, and says so or not."""
        self._do(Overflow(silent), pause)

    @rule(
        fault=st.sampled_from(FAULTS),
        where=st.sampled_from(WHERE),
        times=st.sampled_from((1, 2, None)),
        pause=pauses,
    )
    def server_fails(self, *, fault: object, where: str, times: int | None, pause: float) -> None:
        """Requests meet a fault."""
        self._do(Fail(fault, where, times), pause)  # type: ignore[arg-type]  # one of FAULTS

    @rule(pause=pauses)
    def server_is_well(self, *, pause: float) -> None:
        """Requests meet no fault any more."""
        self._do(Mend(), pause)

    @rule(
        does=st.sampled_from(
            ("upload", "trash", "restore", "purge", "take_out", "drop_album", "wipe")
        ),
        what=which,
        pause=pauses,
    )
    def person_acts(self, *, does: str, what: int, pause: float) -> None:
        """Somebody does something in Immich, or empties the whole server."""
        self._do(Person(does, what), pause)

    @rule(works=truth, pause=pauses)
    def key_is_turned(self, *, works: bool, pause: float) -> None:
        """The key is revoked, or given back."""
        self._do(Key(works), pause)

    @rule(pause=pauses)
    def key_is_rotated(self, *, pause: float) -> None:
        """A new key takes the place of the old one."""
        self._do(Rotate(), pause)

    @rule(what=st.sampled_from(("kill", "kill", "stop", "start", "pause", "resume")), pause=pauses)
    def process_changes(self, *, what: str, pause: float) -> None:
        """The daemon dies, ends or begins, or waits."""
        self._do(Process(what), pause)

    @rule(share=st.sampled_from((0.1, 0.5, 1.0)), pause=pauses)
    def power_is_cut(self, *, share: float, pause: float) -> None:
        """What no disk had promised to keep is lost."""
        self._do(PowerCut(share), pause)

    @rule(one=whose, pause=pauses)
    def backup_is_made(self, *, one: str, pause: float) -> None:
        """Of our state, or of the server."""
        self._do(Backup(one), pause)

    @rule(one=whose, pause=pauses)
    def backup_is_put_back(self, *, one: str, pause: float) -> None:
        """Our state is an old one (DB7), or the server is (S14)."""
        self._do(PutBack(one), pause)

    @rule(runs=truth, pause=pauses)
    def rival_runs(self, *, runs: bool, pause: float) -> None:
        """A second daemon with a state of its own works on the same folder (DB9), or ends."""
        self._do(Rival(runs), pause)

    @rule(times=st.integers(0, 4), pause=pauses)
    def state_disk_is_full(self, *, times: int, pause: float) -> None:
        """Some questions to the state meet a full disk; 0: there is room again."""
        self._do(FullDisk(times), pause)

    @rule(seconds=st.sampled_from((4e7, 3600.0, -1200.0, -2.6e6)), pause=pauses)
    def clock_jumps(self, *, seconds: float, pause: float) -> None:
        """The wall clock is set."""
        self._do(Jump(seconds), pause)

    @rule(pause=pauses)
    def clock_begins_anew(self, *, pause: float) -> None:
        """It is 1970, as on a NAS without a battery; or the true time again."""
        self._1970 = not self._1970
        self._do(Jump((1.0 - 2 * self._1970) * (EPOCH - 86400.0)), pause)

    @rule(wish=wishes, pause=pauses)
    def is_configured(self, *, wish: tuple[str, str], pause: float) -> None:
        """Another wish for what is deleted here, or for what went up."""
        self._cleans = self._cleans or wish[1] != "keep"
        self._do(Configure(*wish), pause)

    @precondition(lambda self: self._cleans)
    @rule(pause=pauses)
    def cleanup_is_undone(self, *, pause: float) -> None:
        """A person wants back what was cleaned away."""
        self._do(Undo(insists=False), pause)

    @rule(removed=truth, pause=pauses)
    def folder_is_approved(self, *, removed: bool, pause: float) -> None:
        """A person says that all is right, whether anybody asked or not."""
        self._do(Approve(removed), pause)

    @rule(pause=pauses)
    def many_come(self, *, pause: float) -> None:
        """So many files are there that a breaker may trip."""
        self._many = True
        self._do(Many("come"), pause)

    @precondition(lambda self: self._many)
    @rule(does=st.sampled_from(("go", "change")), pause=pauses)
    def many_go_or_change(self, *, does: str, pause: float) -> None:
        """A hand slips, or a tagger runs over them all."""
        self._do(Many(does), pause)
