"""The units of systemd: understood by systemd, closed to what is not needed, and enough to work."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.stories.scene import environment

FILES = Path(__file__).parent.parent / "systemd"
SYSTEM, USER = FILES / "immich-sync.service", FILES / "immich-sync.user.service"
DROP_INS = sorted((FILES / "immich-sync.service.d").glob("*.conf"))
EXPOSURE = 15
"""Tenths of a point out of ten that `systemd-analyze security` may count."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


def analyze(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `systemd-analyze` says of the units in `place`."""
    more = {"SYSTEMD_UNIT_PATH": f"{place}:", "XDG_RUNTIME_DIR": str(place), "LC_ALL": "C.UTF-8"}
    command = ["systemd-analyze", *arguments]
    return subprocess.run(  # noqa: S603 - our own command
        command, env=environment() | more, capture_output=True, text=True, check=False
    )


def installed(unit: Path, place: Path, *drop_ins: Path) -> Path:
    """The unit in `place` as a person installs it, with a program that exists."""
    program = Path(sys.executable).with_name("immich-sync")
    there = place / "immich-sync.service"
    there.write_text(re.sub(r"(?m)^(Exec\w+)=\S+", rf"\1={program}", unit.read_text()))
    for one in drop_ins:
        (place / "immich-sync.service.d").mkdir(exist_ok=True)
        shutil.copy(one, place / "immich-sync.service.d")
    return there


def settings(unit: Path) -> Mapping[str, list[str]]:
    """What stands in a unit, each key with its values."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"(?m)^(\w+)=(.*)$", unit.read_text()):
        found.setdefault(key, []).append(value)
    return found


@needs_systemd
@pytest.mark.parametrize("drop_in", [None, *DROP_INS], ids=lambda one: one.stem if one else "-")
def test_systemd_understands_the_unit_and_finds_it_closed(
    drop_in: Path | None, tmp_path: Path
) -> None:
    """`verify` has nothing to say, `security` counts 1.5 or less; with each drop-in as well."""
    installed(SYSTEM, tmp_path, *filter(None, [drop_in]))

    verified = analyze(tmp_path, "verify", "immich-sync.service")
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    closed = analyze(
        tmp_path, "security", "--offline=true", f"--threshold={EXPOSURE}", "immich-sync.service"
    )
    assert closed.returncode == 0, closed.stdout


@needs_systemd
def test_systemd_understands_the_unit_of_a_user(tmp_path: Path) -> None:
    """`verify` has nothing to say."""
    unit = installed(USER, tmp_path)

    verified = analyze(tmp_path, "--user", "verify", str(unit))
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


@needs_systemd
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_filter_lets_through_what_is_needed(tmp_path: Path) -> None:
    """Every call of the kernel that the program makes, from start to end, is allowed."""
    log = tmp_path / "strace"
    command = [sys.executable, "-m", "immich_sync", "demo", "--once"]
    subprocess.run(  # noqa: S603 - our own command
        ["strace", "-f", "-qq", "-o", log, *command],  # noqa: S607 - wherever it lies
        env=environment(),
        capture_output=True,
        check=True,
    )
    made = set(re.findall(r"(?m)^\d+ +(?:<\.\.\. )?([a-z_0-9]+)[( ]", log.read_text()))
    assert {"openat2", "inotify_init1"} <= made
    as_root = (
        {"fchown"} if os.geteuid() == 0 else set()
    )  # SQLite hands its files over, as root only
    assert made - _allowed(tmp_path) - as_root == set()


def _allowed(place: Path) -> set[str]:
    """The calls that the unit allows."""
    wanted: set[str] = set()
    for line in settings(SYSTEM)["SystemCallFilter"]:
        for name in line.removeprefix("~").split():
            if line.startswith("~"):
                wanted -= _members(name, place)
            else:
                wanted |= _members(name, place)
    return wanted


def _members(name: str, place: Path) -> set[str]:
    if not name.startswith("@"):
        return {name}
    listed = analyze(place, "syscall-filter", name).stdout.splitlines()[1:]
    names = [line.strip() for line in listed if line.strip() and not line.strip().startswith("#")]
    return {one for inner in names for one in _members(inner, place)}


@pytest.mark.parametrize("unit", [SYSTEM, USER], ids=["system", "user"])
def test_what_the_unit_promises_is_what_the_program_does(unit: Path) -> None:
    """Exit codes 2 and 3 are final, and systemd waits longer for the end than we need."""
    found = settings(unit)

    assert found["Type"] == ["notify"]
    assert found["ExecReload"] == [found["ExecStart"][0].removesuffix("run") + "reload"]
    assert (found["Restart"], found["RestartPreventExitStatus"]) == (["on-failure"], ["2 3"])
    assert (found["WatchdogSec"], found["TimeoutStopSec"]) == (["2min"], ["20"])


def test_the_key_is_handed_over() -> None:
    """It is a credential, and the variable points there whatever the configuration says."""
    found = settings(SYSTEM)

    assert found["LoadCredential"] == ["immich-api-key:/etc/immich-sync/api-key"]
    assert "IMMICH_SYNC_SERVER__API_KEY_FILE=%d/immich-api-key" in found["Environment"]


def test_the_drop_in_of_an_account_names_what_is_looked_for() -> None:
    """`[accounts.anna]` finds its key under this name."""
    (unit,) = (one for one in DROP_INS if one.stem == "more-accounts")

    assert settings(unit)["LoadCredential"][0].startswith("immich-api-key-anna:")


def test_the_kernel_is_asked_for_enough_watches() -> None:
    """Two settings and nothing else, each of them one that this kernel has."""
    text = (FILES / "sysctl.d" / "50-immich-sync.conf").read_text()
    found = dict(re.findall(r"(?m)^([a-z_.]+) = (\d+)$", text))

    assert set(found) == {"fs.inotify.max_user_watches", "fs.inotify.max_user_instances"}
    if Path("/proc/sys/fs/inotify").exists():
        assert all(os.path.exists(f"/proc/sys/{one.replace('.', '/')}") for one in found)  # noqa: PTH110 - shorter
