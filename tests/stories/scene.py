"""The stage of every story: a server in this process, a folder, and the real daemon in its own.

Its own module because fixtures cannot be typed by those who use them.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeVar

import httpx
import pytest
from anyio.from_thread import BlockingPortal

from immich_sync.cli.looking import revived
from immich_sync.control import SOCKET, NoDaemon, Request, ask
from immich_sync.core.status import FolderStatus, Problem, Status
from immich_sync.core.types import FolderId, below
from immich_sync.sandbox import Fault, Rule, Sandbox, StoredAsset
from immich_sync.sandbox.tiny_jpeg import TINY_JPEG
from immich_sync.store import ledger
from immich_sync.store.database import open_read_only
from tests.cli.inside import FOREIGN, typed

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds until something that should have happened long ago counts as a failure."""
MARKER = "marker-"
"""How the names of files begin that only mark a moment; `Server` does not count them as assets."""
UPLOADS = "/api/assets"
AS_INSTALLED = Path(__file__).parent.parent / "as_installed"
"""Stands before the environment's packages, and hides what is only there for tests."""
_GLANCE, _GLANCES = 0.02, 0.15
_COMMENT = 0xFFFD  # the longest comment that fits into a JPEG's segment


def photo(seed: object, size: int = 0) -> bytes:
    """A whole JPEG of at least `size` bytes, the same for the same seed and no other."""
    dice = Random(str(seed))  # noqa: S311 - content for files, no secret
    parts = [b"\xff\xd8"]
    left = max(size - len(TINY_JPEG), 16)
    while left > 0:
        comment = dice.randbytes(min(left, _COMMENT))
        parts.append(b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment)
        left -= len(comment) + 4
    return b"".join((*parts, TINY_JPEG[2:]))


def video(seed: object, size: int, *, index_first: bool = False) -> bytes:
    """A whole MP4 of about `size` bytes: its index (`moov`) behind the pictures, or in front."""
    dice = Random(str(seed))  # noqa: S311 - content for files, no secret
    start = _box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")
    # A movie header as ISO 14496-12 lays it out: times, scale, rate, volume, matrix, next track.
    matrix = b"".join(n.to_bytes(4, "big") for n in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    header = (
        bytes(12) + (1000).to_bytes(4, "big") * 2 + b"\0\1\0\0\1\0" + bytes(10) + matrix
    ) + bytes(24) + b"\0\0\0\2"  # fmt: skip
    index = _box(b"moov", _box(b"mvhd", header))
    pictures = _box(b"mdat", dice.randbytes(max(size - len(start) - len(index), 64)) + b"\1")
    return start + index + pictures if index_first else start + pictures + index


def _box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def sha1(content: bytes) -> str:
    """The checksum of some bytes, in hex as the sandbox tells it."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def until(condition: Callable[[], T], what: str, within: float = PATIENCE) -> T:
    """What `condition` returns once that is true; the test fails if it never is."""
    deadline = time.monotonic() + within
    pause = _GLANCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"after {within:g} s still not: {what}")
        time.sleep(pause)
        pause = min(1.5 * pause, _GLANCES)  # each glance costs what is waited for its time
    return found


@dataclass(slots=True)
class Server:
    """An Immich in small behind a relay, on a loop in a thread of this process."""

    sandbox: Sandbox
    portal: BlockingPortal

    def assets(self) -> list[StoredAsset]:
        """Every asset but the markers, the trashed ones too, in the order of arrival."""
        return [asset for asset in self.sandbox.assets() if not _is_marker(asset.name)]

    def everything(self) -> list[str]:
        """The checksums of all assets in hex."""
        return [asset.checksum for asset in self.sandbox.assets()]

    def names(self) -> list[str]:
        """The names of the assets, sorted."""
        return sorted(asset.name for asset in self.assets())

    def checksums(self) -> list[str]:
        """The checksums of the assets in hex, sorted."""
        return sorted(asset.checksum for asset in self.assets())

    def album(self, name: str) -> list[str]:
        """The names of the assets in the albums of this name, sorted."""
        albums = (album for album in self.sandbox.albums() if album.name == name)
        members = (asset for album in albums for asset in album.asset_names)
        return sorted(name for name in members if not _is_marker(name))

    def sent(self) -> int:
        """How many uploads were answered so far, however, but for those of markers."""
        uploads = sum(one.method == "POST" and one.path == UPLOADS for one in self.sandbox.requests)
        return uploads - len(self.everything()) + len(self.assets())

    def break_uploads(self, fault: Fault, *, times: int | None = None) -> Rule:
        """Uploads, and nothing else, meet the fault from now on."""
        return self.sandbox.faults.add(fault, method="POST", path=UPLOADS, exact=True, times=times)

    def receives(self) -> bool:
        """Whether the bytes of an upload are coming in just now."""
        with suppress(FileNotFoundError):  # it has just come to its end
            incoming = self.sandbox.state.incoming
            return any(path.stat().st_size for path in incoming.iterdir())
        return False

    def asked(self) -> int:
        """How many requests there were so far, but for pings."""
        return sum(not r.path.startswith("/api/server/ping") for r in self.sandbox.requests)

    def api(self, method: str, path: str, json: object = None) -> object:
        """What a person does in Immich's own screens: the parsed answer, if there is one."""
        key = {"x-api-key": self.sandbox.api_key}
        url = f"{self.sandbox.url}/api{path}"
        answer = httpx.request(method, url, headers=key, json=json).raise_for_status()
        return answer.json() if answer.content else None

    def give(self, name: str, content: bytes) -> str:
        """Some other client uploads these bytes; the new asset's id."""
        moment = "2024-08-17T12:15:03.000Z"
        answer = httpx.post(
            f"{self.sandbox.url}/api/assets",
            headers={"x-api-key": self.sandbox.api_key},
            data={"fileCreatedAt": moment, "fileModifiedAt": moment},
            files={"assetData": (name, content)},
        )
        return str(answer.raise_for_status().json()["id"])

    def remove(self, content: bytes) -> None:
        """A person removes the asset with these bytes for good, past the trash."""
        (asset,) = (one.id for one in self.assets() if one.checksum == sha1(content))
        self.api("DELETE", "/assets", {"ids": [asset], "force": True})

    def refuse(self) -> None:
        """Nobody listens any more, and standing connections are reset."""
        self.portal.call(self.sandbox.relay.refuse)

    def accept(self) -> None:
        """It listens again, on the same port."""
        self.portal.call(self.sandbox.relay.accept)


@dataclass(slots=True)
class Daemon:
    """A running `immich-sync run`; its log lines lie in `log`."""

    process: subprocess.Popen[bytes]
    state: Path
    log: Path

    def status(self) -> Status:
        """What it says of itself over its control socket. Raises NoDaemon."""
        return revived(ask(self.state / SOCKET, Request("status")))

    def folder(self) -> FolderStatus:
        """Its first folder."""
        return self.status().folders[0]

    def problems(self, what: str) -> list[Problem]:
        """The problems of one kind that it lists."""
        return [problem for problem in self.status().problems if problem.what == what]

    def is_ready(self) -> bool:
        """Whether every folder has been scanned, or is known to be offline."""
        if self.process.poll() is not None:
            pytest.fail(f"the daemon ended with {self.process.returncode}:\n{self.words()}")
        with suppress(NoDaemon):
            folders = self.status().folders
            return all(one.last_scan or one.state in {"offline", "unapproved"} for one in folders)
        return False

    def order(self, command: str, *paths: Path) -> object:
        """What it answers to an order. Raises Declined with its sentence."""
        return ask(self.state / SOCKET, Request(command, tuple(map(str, paths)) or None))

    def is_done(self) -> bool:
        """Whether nothing is due, under way or waiting for its time."""
        jobs = self.status().jobs
        return jobs.pending + jobs.running + jobs.waiting == 0

    def words(self) -> str:
        """All that it has written to standard error."""
        return self.log.read_text(errors="replace")

    def events(self, name: str) -> list[Mapping[str, object]]:
        """Its log lines of one event, oldest first."""
        whole, _, _ = self.words().rpartition("\n")  # the last line may be in the writing
        lines = (json.loads(line) for line in whole.splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == name]

    def stop(self, within: float = 8.0) -> None:
        """As `docker stop`: it has ended in time, with 0, and without a traceback."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"not gone {within:g} s after SIGTERM:\n{self.words()}")
        assert (code, "Traceback" in self.words()) == (0, False), self.words()

    def kill(self) -> None:
        """As a power cut: it is gone."""
        self.process.kill()
        self.process.wait()


@dataclass(slots=True)
class Story:
    """A server, a folder to watch and the daemons that were started over it, one at a time."""

    server: Server
    home: Path
    photos: Path
    config: Path
    daemons: list[Daemon] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """The daemon's own folder."""
        return self.home / "state"

    def configure(
        self,
        *folders: Mapping[str, object],
        settle: str = "200ms",
        url: str | None = None,
        **limits: object,
    ) -> None:
        """Write the configuration: by default one folder, `photos`, without an album."""
        key = self.home / "api-key"
        if not key.exists():
            key.write_text(self.server.sandbox.api_key)
        tables = [f"state_dir = {json.dumps(str(self.state))}"]
        server = {"url": url or self.server.sandbox.url, "api_key_file": str(key)}
        quick = {"probe_every": "200ms", "retry_first": "200ms", "retry_longest": "5s"}
        tables += [
            _table("[server]", server),
            _table("[defaults]", {"settle": settle}),
            _table("[limits]", {**quick, **limits}),
            *(_table("[[folders]]", {"path": str(self.photos), **one}) for one in folders or ({},)),
        ]
        self.config.write_text("\n".join(tables), encoding="utf-8", errors="surrogateescape")

    def start(self) -> Daemon:
        """The real process, ready: it watches, and its first scan is over."""
        daemon = self.launch()
        until(daemon.is_ready, "the daemon is ready")
        return daemon

    def launch(self, *around: str | Path, **variables: str) -> Daemon:
        """The real process, just started, with these environment variables besides.

        `around` is a command that makes another world for it and is then replaced by it.
        """
        log = self.home / f"daemon-{len(self.daemons)}.log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [*around, *self._command("run")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=environment() | variables,
            )
        daemon = Daemon(process, self.state, log)
        self.daemons.append(daemon)
        return daemon

    def command(
        self, name: str, *arguments: str | Path, within: float = PATIENCE, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Any other command, run to its end with these environment variables besides."""
        return subprocess.run(  # noqa: S603 - our own command
            self._command(name, *arguments),
            env=environment() | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=within,
        )

    def typed(
        self, name: str, *arguments: str | Path, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """As `command`, but in this process: to start another costs most of a second."""
        words = self._command(name, *arguments)[3:]
        out, err = self.home / "typed.out", self.home / "typed.err"
        with (
            out.open("w") as stdout, err.open("w") as stderr,
            redirect_stdout(stdout), redirect_stderr(stderr),
        ):  # fmt: skip
            code = typed(words, variables)
        return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())

    def put(self, name: str, content: bytes) -> Path:
        """A file below the folder, renamed into place as careful programs do."""
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.home / f"draft-{time.monotonic_ns()}"
        draft.write_bytes(content)
        return draft.rename(path)

    def lying(self) -> set[str]:
        """The files that lie in the folder, markers aside, by their paths below it."""
        found = (path for path in self.photos.rglob("*") if path.is_file())
        return {str(path.relative_to(self.photos)) for path in found if not _is_marker(path.name)}

    def known(self) -> set[str]:
        """The files that the ledger knows, markers aside, by their paths below the folder."""
        database = open_read_only(self.state / "state.db")
        try:
            found = ledger.sample(database, FolderId(1), 1_000_000)
        finally:
            database.close()
        paths = (os.fsdecode(below(one.directory, one.name)) for one in found)
        return {path for path in paths if not _is_marker(path)}

    def calm(self, daemon: Daemon) -> None:
        """All that lay in the folder before has settled, been compared and been worked on.

        A scan has met it, and a marker that came after that scan, and of which nobody can tell
        whether it is whole, has gone all the way. Files known to be cut off may wait longer.
        """
        began = time.time()
        daemon.order("scan")
        until(lambda: min(one.last_scan or 0 for one in daemon.status().folders) >= began, "a scan")
        name = f"{MARKER}{time.monotonic_ns()}.dng"
        checksum = sha1(self.put(name, name.encode() * 9).read_bytes())
        until(lambda: checksum in self.server.everything(), f"{name} is synced")
        until(daemon.is_done, "nothing is due any more")

    def end(self) -> None:
        """No daemon runs any more; whatever ran ended well."""
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.stop()

    def _command(self, name: str, *arguments: str | Path) -> Sequence[str]:
        if not self.config.exists():
            self.configure()
        words = (*name.split(), "--config", str(self.config), *map(str, arguments))
        return [sys.executable, "-m", "immich_sync", *words]


def environment() -> dict[str, str]:
    """This process's environment, without what would configure a daemon, or only tests need."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | {"PYTHONPATH": str(AS_INSTALLED)}


def _is_marker(name: str) -> bool:
    return name.startswith(MARKER)


def _table(head: str, fields: Mapping[str, object]) -> str:
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())
    return "\n".join((head, *lines))
