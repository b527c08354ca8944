"""`explain`, `verify`, `doctor` and `dismiss`, from outside and as screens."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from immich_sync.cli.screens import examination, explanation, verification
from immich_sync.core.diagnosis import ERROR, OK, WARNING, Examination, Finding
from immich_sync.core.explanation import Explanation, Fact, InImmich, Live, Marks, Sight
from immich_sync.core.types import Checksum, File, Hold, Place
from immich_sync.core.verification import FolderVerification, Gap, Verification
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.store import ledger
from immich_sync.store.accounts import Kind, ensure_folder
from immich_sync.store.database import open_database
from tests.cli.conftest import Server, Shell
from tests.cli.inside import Inside
from tests.scene import photo

CONFIGURED = Callable[..., Path]
NOW = 1_800_000_000.0


def test_verify_answers_with_its_code(
    shell: Shell, inside: Inside, configured: CONFIGURED, tmp_path: Path
) -> None:
    """1 with a list before, 0 with a yes after; as JSON, and for one folder."""
    file = str(configured())
    (tmp_path / "photos" / "verified.jpg").write_bytes(photo(7001))

    before = inside.run("verify", "--config", file)
    once = shell.run("run", "--once", "--timeout", "40s", "--config", file)
    after = inside.run("verify", "photos", "--rehash", "--json", "--config", file)
    unknown = inside.run("verify", "nowhere", "--config", file)

    assert before.code == 1
    assert before.out.endswith("No: 1 gap in 1 file, as listed.\n")
    assert f"missing  {tmp_path}/photos/verified.jpg" in before.out
    assert once.code == 0
    assert (after.code, after.err) == (0, "")
    said = json.loads(after.out)
    assert (said["complete"], said["folders"][0]["hashed"], said["gaps"]) == (True, 1, [])
    assert (unknown.code, unknown.out) == (2, "")
    assert "There is no folder 'nowhere'; there are: photos." in unknown.err


def test_a_refused_key_is_code_3(inside: Inside, configured: CONFIGURED, tmp_path: Path) -> None:
    """There is no answer, so there is neither 0 nor 1."""
    file = configured()
    (tmp_path / "key").write_text("a-key-that-nobody-knows")

    ended = inside.run("verify", "--config", str(file))

    assert (ended.code, ended.out) == (3, "")
    assert "a-key-that-nobody-knows" not in ended.err


def test_doctor_answers_with_its_code(
    inside: Inside, configured: CONFIGURED, tmp_path: Path, server: Server
) -> None:
    """0 if nothing is wrong; 1 with its sentence for a key, or a configuration."""
    file = configured()
    (tmp_path / "photos" / "a.jpg").write_bytes(photo(7002))
    well = inside.run("doctor", "--json", "--config", str(file))
    (tmp_path / "key").write_text("a-key-that-nobody-knows")
    refused = inside.run("doctor", "--config", str(file))
    file.write_text("[sever]\n")
    wrong = inside.run("doctor", "--config", str(file))

    assert well.code == 0, well.out
    assert json.loads(well.out)["healthy"] is True
    assert server.api_key not in well.out
    assert refused.code == 1
    assert "✗ server default: " in refused.out
    assert "a-key-that-nobody-knows" not in refused.out + refused.err
    assert wrong.code == 1
    assert "✗ configuration: " in wrong.out
    assert wrong.out.endswith("1 error.\n")


def test_explain_asks_the_daemon_too(
    shell: Shell, inside: Inside, configured: CONFIGURED, tmp_path: Path
) -> None:
    """Without one it says so; with one, what only that knows; a dismissal is a daemon's affair."""
    file = str(configured('ignore = ["Screenshots/"]\n'))
    path = tmp_path / "photos" / "Screenshots" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(photo(7003))
    new = tmp_path / "photos" / "new.jpg"
    new.write_bytes(photo(7004))

    alone = inside.run("explain", str(new), "--config", file)
    with shell.running(["run", "--config", file]) as daemon:
        assert daemon.stderr is not None
        assert any("scanned" in line for line in daemon.stderr)
        ignored = inside.run("explain", str(path), "--config", file)
        asked = inside.run("explain", str(new), "--json", "--config", file)
        dismissed = inside.run("dismiss", str(new), "--config", file)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=20) == 0

    assert alone.code == 0
    assert "Next: No daemon runs." in alone.out
    assert "by the rule ignore: the folder's own pattern 'Screenshots/'" in ignored.out
    assert "the folder is watching" in ignored.out
    assert json.loads(asked.out)["daemon"]["folder_state"] == "watching"
    assert dismissed.code == 1
    assert "is listed as a problem that could be dismissed" in dismissed.err


def test_a_file_that_was_given_up_is_dismissed(
    shell: Shell, inside: Inside, configured: CONFIGURED, tmp_path: Path
) -> None:
    """It is listed until a person says that it need not be."""
    file = str(configured())
    photos = tmp_path / "photos"
    (photos / "big.jpg").write_bytes(photo(7005))
    stamp = LocalDisk().stat(os.fsencode(photos), b"big.jpg")
    assert stamp is not None
    with closing(open_database(tmp_path / "state" / "state.db")) as database:
        row = ensure_folder(
            database, name="photos", root=os.fsencode(photos), kind=Kind.WATCHED, policy="", now=1
        )
        held = File(Place(row.id, b"", b"big.jpg"), stamp, Checksum(b"b" * 20), hold=Hold.TOO_LARGE)
        ledger.apply(database, [held], now=1)
    with shell.running(["run", "--config", file]) as daemon:
        assert daemon.stderr is not None
        assert any("scanned" in line for line in daemon.stderr)
        before = json.loads(inside.run("status", "--json", "--config", file).out)["problems"]
        ended = inside.run("dismiss", str(photos / "big.jpg"), "--config", file)
        after = json.loads(inside.run("status", "--json", "--config", file).out)["problems"]
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=20) == 0

    assert [one["what"] for one in before] == ["too_large"]
    assert (ended.code, ended.out) == (0, "1 file dismissed.\n")
    assert after == []


def folder(**numbers: int) -> FolderVerification:
    """A folder of three files."""
    none = dict.fromkeys(
        ("trashed", "removed", "dismissed", "missing", "different", "unverified", "unsupported"), 0
    )
    return FolderVerification(
        name="photos", path="/p", files=3, bytes=2048, hashed=1,
        **{"safe": 3, "gone": 0, "cleaned": 0, **none, **numbers},
        ignored={"hidden": 2}, others={"txt": 1, "": 4},
    )  # fmt: skip


def test_a_yes_tells_what_was_settled() -> None:
    """Numbers by folder, then the answer."""
    found = Verification(complete=True, folders=(folder(safe=2, trashed=1, gone=5),), gaps=())

    assert list(verification.lines(found)) == [
        "photos  /p",
        "  3 photos and videos, 2 kB; 1 read just now",
        "  2 in Immich, by the server's word just now",
        "  settled by a person: 1 in Immich's trash",
        "  5 known from before, and not met any more",
        "  ignored: hidden 2",
        "  other files: no extension 4, txt 1",
        "",
        (
            "Yes: every photo and video here is in Immich (3 photos and videos), but for 1 that a"
            " person settled otherwise."
        ),
    ]


def test_a_no_lists_what_is_missing() -> None:
    """A flood of gaps is counted."""
    gaps = tuple(Gap("missing", "photos", f"/p/{n}.jpg", "why") for n in range(120))
    found = Verification(complete=False, folders=(folder(safe=1, missing=2),), gaps=gaps)

    told = list(verification.lines(found))

    assert told[told.index("  2 missing") + 4 :][:2] == ["missing  /p/0.jpg", "    why"]
    assert told[-3:] == [
        "and 20 more: immich-sync verify --json",
        "",
        "No: 120 gaps in 3 files, as listed.",
    ]


def test_an_examination_ends_with_its_sum() -> None:
    """A mark for each finding, its remedy below it."""
    sound = Finding("clock", "default", OK, "The clocks agree.")
    odd = Finding("state", "/s", WARNING, "It is small.", "Free some space.")
    bad = Finding("configuration", "", ERROR, "No.", "Mend it.")

    assert list(examination.lines(Examination(healthy=False, findings=(sound, odd, bad)))) == [
        "✓ clock default: The clocks agree.",
        "! state /s: It is small.",
        "    Free some space.",
        "✗ configuration: No.",
        "    Mend it.",
        "",
        "1 error, 1 warning.",
    ]
    [*_, last] = examination.lines(Examination(healthy=True, findings=(sound,)))
    assert last == "All is well."


@pytest.mark.parametrize(
    ("sight", "said"),
    [
        (Sight("file", taken=True, rule="", reason="", by=""), "yes"),
        (Sight("nothing", taken=False, rule="", reason="", by=""), "yes (nothing lies there now)"),
        (
            Sight("file", taken=False, rule="hidden", reason="a dot", by=".a.jpg"),
            "no, by the rule hidden: a dot [.a.jpg]",
        ),
        (
            Sight("link", taken=False, rule="outside", reason="elsewhere", by=""),
            "no (a symbolic link), by the rule outside: elsewhere",
        ),
    ],
)
def test_an_explanation_tells_whether_it_is_taken(sight: Sight, said: str) -> None:
    """And by which rule not."""
    told = list(explanation.lines(explained(sight), NOW))

    assert f"  taken         {said}" in told


def test_an_explanation_tells_everything() -> None:
    """Facts with their times, links, errors, and when what comes next."""
    sight = Sight("file", taken=True, rule="", reason="", by="")

    told = "\n".join(explanation.lines(explained(sight), NOW))

    for expected in (
        "/p/a.jpg", "http://nas/photos/id", "uploaded from here", "http://nas/albums/alps",
        "abcd, of what was there when it was last read", "verified", "the moving part",
        "a.xmp went up", "errors:", "no answer", "lately:", "/p/copy.jpg",
        "the folder is offline: no disk", "it is away, 1 min ago",
        "Next: It is tried again then. (", "in 5 min)",
    ):  # fmt: skip
        assert expected in told


def test_an_explanation_has_one_block_for_the_asset() -> None:
    """Its albums, each with its name and link, stand below it, and its own link is the last."""
    sight = Sight("file", taken=True, rule="", reason="", by="")
    album = Fact("album", None, "Alps")
    long = Fact("already_there", NOW, "")
    found = explained(sight)

    told = list(explanation.lines(replace(found, facts=(*found.facts, album), events=(long,)), NOW))

    at = told.index("  in Immich     uploaded from here")
    assert told[at + 1 : at + 3] == [
        "  album         Alps  http://nas/albums/alps",
        "  link          http://nas/photos/id",
    ]
    daemon = next(number for number, line in enumerate(told) if line.startswith("  daemon "))
    assert at < daemon < told.index("errors:") < told.index("lately:")
    assert told[told.index("lately:") + 1].startswith("  already there 2")


def explained(sight: Sight) -> Explanation:
    """An explanation with something in every field."""
    stamp = Marks(10, int(NOW * 1e9), 1, int(NOW * 1e9))
    return Explanation(
        path="/p/a.jpg", folder="photos", sight=sight, disk=stamp, ledger=None, checksum="abcd",
        same=False, live_photo="the moving part", sidecar="a.xmp went up",
        facts=(Fact("verified", NOW - 9, "named"),), errors=(Fact("try 2", NOW, "no answer"),),
        events=(Fact("uploaded", NOW, ""),), copies=("/p/copy.jpg",),
        asset=InImmich("id", "http://nas/photos/id", "uploaded", ("http://nas/albums/alps",)),
        next="It is tried again then.", next_at=NOW + 300,
        daemon=Live("offline", "no disk", "it is away", NOW - 60, in_hand=False, looked_at=None,
                    next_scan=None),
    )  # fmt: skip
