"""Every leaf of the tree of trouble against what the status says of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import pytest

from immich_sync import status
from immich_sync.core import errors
from immich_sync.core.folder import Limits
from immich_sync.core.status import Problem, Status
from immich_sync.engine import Engine
from immich_sync.sandbox import Status as Answer
from immich_sync.sandbox import TooLarge
from tests.faults.stage import Stage, simulate

UPLOADS = "/api/assets"
PHOTO = "/photos/a.raw"
URL = "http://immich.test"


def _refuse(code: int, message: str) -> Callable[[Stage], None]:
    """Every upload is answered so."""

    def cause(stage: Stage) -> None:
        answer = Answer(code, message=message, read_body=True)
        stage.faults.add(answer, method="POST", path=UPLOADS, exact=True)

    return cause


def _break_disk(stage: Stage) -> None:
    stage.disk.broken.add(b"a.raw")


def _limit(stage: Stage) -> None:
    stage.faults.add(TooLarge(3), method="POST", path=UPLOADS, exact=True)


def _use_up(stage: Stage) -> None:
    stage.server.free = 0


def _nothing(_: Stage) -> None:
    """All is well."""


@dataclass(frozen=True, slots=True)
class Case:
    """How a leaf comes about, and what the status calls it and says where."""

    cause: Callable[[Stage], None]
    what: str
    path: str
    advice: str  # a part of it


FILES: Mapping[type[errors.SyncTrouble], Case] = {
    errors.FileUnreadable: Case(_break_disk, "failing", PHOTO, "at once with: immich-sync retry"),
    errors.Rejected: Case(
        _refuse(400, "Unsupported file type a.raw"), "rejected", PHOTO, "ignore it"
    ),
    errors.TooLarge: Case(_limit, "too_large", PHOTO, "Raise the limit of the proxy"),
    errors.Suspected: Case(_refuse(500, "Internal"), "failing", PHOTO, "immich-sync retry"),
    errors.Full: Case(
        _refuse(400, "Quota has been exceeded!"), "server", URL, "raise the user's quota"
    ),
    errors.NoRoom: Case(_use_up, "no_room", URL, "Free some space there"),
}

SERVER: Mapping[type[errors.SyncTrouble], str] = {
    errors.Unreachable: "whether the address is still right",
    errors.Overloaded: "goes on by itself",
    errors.Maintenance: "goes on by itself",
    errors.NotImmich: "goes on by itself once that is mended",
    errors.Untrusted: "goes on by itself once that is mended",
    errors.Refused: "goes on by itself once that is mended",
}

NO_PROBLEM = {
    errors.FileChanged: "it settles anew, and is counted among the folder's settling files",
    errors.FileVanished: "nothing lies there any more",
    errors.OutcomeUnknown: "settled by the pipeline before anybody hears of it",
    errors.StateDamaged: "ends the daemon, see test_daemon.py",
}


def leaves(trouble: type[errors.SyncTrouble]) -> Iterator[type[errors.SyncTrouble]]:
    """The leaves of the tree as `core.errors` draws it."""
    below = [one for one in trouble.__subclasses__() if one.__module__ == errors.__name__]
    if not below:
        yield trouble
    for one in below:
        yield from leaves(one)


def test_no_leaf_is_forgotten() -> None:
    """Each is in one of the tables here."""
    known = {*FILES, *SERVER, *NO_PROBLEM}

    assert set(leaves(errors.SyncTrouble)) == known


def look(
    path: Path,
    cause: Callable[[Stage], None],
    then: Callable[[Engine], None] = lambda _: None,
    wait: float = 60.0,
) -> tuple[Status, float]:
    """The status some time after a photo came, and the time of it."""

    async def scenario() -> tuple[Status, float]:
        stage = Stage(1, path)
        setup = stage.setup(limits=Limits(in_flight=8))
        [account] = setup.accounts
        setup = replace(setup, accounts=(replace(account, min_server_free=1000),))
        async with stage.daemon(setup) as engine:
            await anyio.sleep(30)
            cause(stage)
            stage.disk.write(b"a.raw", b"a photo", stage.clock.now())
            await anyio.sleep(wait)
            then(engine)
            await anyio.sleep(5)
            return await status.of(engine, since=0.0), stage.clock.now()

    return simulate(scenario, seed=1)


def the_one(said: Status, what: str) -> Problem:
    """The only problem of this kind."""
    [problem] = [one for one in said.problems if one.what == what]
    return problem


@pytest.mark.parametrize("leaf", FILES, ids=lambda one: one.__name__)
def test_what_becomes_of_one_file(tmp_path: Path, leaf: type[errors.SyncTrouble]) -> None:
    """The status says what, where, since when, and what a person can do."""
    case = FILES[leaf]

    said, now = look(tmp_path, case.cause)

    problem = the_one(said, case.what)
    assert problem.path == case.path
    assert problem.since is not None
    assert now - 150 < problem.since <= now
    assert case.advice in problem.advice


@pytest.mark.parametrize("leaf", SERVER, ids=lambda one: one.__name__)
def test_what_concerns_a_server(tmp_path: Path, leaf: type[errors.ServerTrouble]) -> None:
    """It is one problem of the server's, however many files wait, with a way out."""

    def close(engine: Engine) -> None:
        for link in engine.links.values():
            link.immich.gate.close(leaf("It is so."))

    said, now = look(tmp_path, _nothing, close)

    problem = the_one(said, "server")
    assert problem.path == URL
    assert problem.since is not None
    assert now - 60 < problem.since <= now
    assert problem.advice.startswith("It is so. ")
    assert SERVER[leaf] in problem.advice


def test_what_moves_is_no_problem(tmp_path: Path) -> None:
    """It is counted as settling, and nothing else is said of it."""
    said, _ = look(tmp_path, _nothing, wait=0.5)

    assert said.problems == ()


def test_trouble_with_our_own_disk(tmp_path: Path) -> None:
    """It concerns everybody, and is said with its time as long as it lasts."""

    async def scenario() -> tuple[Problem, float]:
        stage = Stage(1, tmp_path)
        async with stage.daemon(stage.setup()) as engine:
            await anyio.sleep(30)
            stage.state_failures = 10
            stage.disk.write(b"a.raw", b"a photo", stage.clock.now())
            await anyio.sleep(12)
            stage.state_failures = 0
            said = await status.of(engine, since=0.0)
            return the_one(said, "state"), stage.clock.now()

    problem, now = simulate(scenario, seed=1)

    assert problem.since is not None
    assert now - 60 < problem.since < now
    assert "full" in problem.advice
