"""The container's entry point, without Docker: as PID 1, over file systems that are read-only.

What Docker would do is done here with the same calls of the kernel: namespaces, mounts, another
user. The recipe itself is read for what must stand in it.
"""

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from anyio.from_thread import start_blocking_portal

from immich_sync.sandbox import Sandbox
from tests.scene import photo
from tests.stories.scene import environment, until

ROOT = Path(__file__).parent.parent
ENTRYPOINT = ROOT / "deploy" / "entrypoint.py"
RECIPE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "deploy" / "docker-compose.yml").read_text()
HEALTH = ["status", "--check"]
NOBODY, NOGROUP = 65534, 65533
AS_NOBODY = f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --no-new-privs"
NO_RIGHTS = "--bounding-set -all --inh-caps -all"
FEW_RIGHTS = "setpriv --bounding-set -all,+chown,+setgid,+setuid --inh-caps -all"


@dataclass(slots=True)
class Container:
    """What Docker would mount and set; each `start` is a container of its own."""

    place: Path
    sandbox: Sandbox
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def photos(self) -> Path:
        """What is /photos inside."""
        return self.place / "photos"

    @property
    def state(self) -> Path:
        """What is the state's volume inside."""
        return self.place / "state"

    @property
    def log(self) -> Path:
        """What is said inside."""
        return self.place / "log"

    def start(self, wrapper: str = "", **variables: str) -> subprocess.Popen[bytes]:
        """`immich-sync run` as PID 1; `wrapper` is what makes it somebody else before."""
        inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        with self.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [*inside, "sh", "-ec", self._script(wrapper)],
                env=self.variables(**variables),
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def enter(self, process: subprocess.Popen[bytes], wrapper: str = "", **variables: str) -> int:
        """The exit code of the health check, run inside as Docker runs it."""
        inside = ["nsenter", "--mount", "--pid", "--target", str(first(process))]
        command = [*inside, *wrapper.split(), sys.executable, "-I", str(ENTRYPOINT), *HEALTH]
        return subprocess.run(command, env=self.variables(**variables), check=False).returncode  # noqa: S603 - our own command

    def variables(self, **more: str) -> dict[str, str]:
        """The environment inside."""
        return environment() | {
            "IMMICH_INSTANCE_URL": self.sandbox.url,
            "IMMICH_API_KEY": self.sandbox.api_key,
            "IMMICH_SYNC_FOLDERS": str(self.photos),
            "IMMICH_SYNC_STATE_DIR": str(self.state),
            "IMMICH_SYNC_DEFAULTS__SETTLE": "200ms",
            **more,
        }

    def has_synced(self) -> bool:
        """Whether the photo is on the server; fails once nobody runs who could bring it there."""
        assert self.started[-1].poll() is None, self.log.read_text()
        return [asset.name for asset in self.sandbox.assets()] == ["IMG_1.jpg"]

    def _script(self, wrapper: str) -> str:
        state = shlex.quote(str(self.state))
        return f"""
            mount --bind {state} {state}
            {_shown_to_all(self.place)}
            findmnt -rno TARGET | grep -vE '^/(proc|sys|dev)(/|$)' | grep -vxF {state} |
              while read -r one; do mount -o remount,bind,ro "$one" 2>/dev/null || :; done
            for one in / {shlex.quote(str(self.place))} {shlex.quote(str(ROOT))}; do
              if touch "$one/written" 2>/dev/null; then exit 99; fi
            done
            exec {wrapper} {shlex.quote(sys.executable)} -I {shlex.quote(str(ENTRYPOINT))} run
        """


def _shown_to_all(aside: Path) -> str:
    """The commands that let every user in where we and Python lie, should only root be let in.

    They need the folder `aside`, for a moment.
    """
    commands: list[str] = []
    hidden: dict[Path, list[Path]] = {}  # by the outermost folder that is closed
    for place in (ROOT, Path(sys.base_prefix).resolve()):
        closed = [one for one in place.parents if not stat.S_IMODE(one.stat().st_mode) & 0o001]
        if closed:
            hidden.setdefault(closed[-1], []).append(place)
    for top, places in hidden.items():
        there = [shlex.quote(str(place)) for place in places]
        kept = [shlex.quote(str(aside / f"kept-{number}")) for number in range(len(places))]
        pairs = list(zip(there, kept, strict=True))
        commands += [f"mkdir -p {keep}; mount --bind {place} {keep}" for place, keep in pairs]
        commands += [f"mount -t tmpfs -o mode=755 none {shlex.quote(str(top))}"]
        commands += [f"mkdir -p {place}; mount --move {keep} {place}" for place, keep in pairs]
    return "\n".join(commands)


def first(process: subprocess.Popen[bytes]) -> int:
    """The process that is number 1 inside, by its number outside."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(until(lambda: children.read_text().split(), "it has begun")[0])


def facts(process: subprocess.Popen[bytes]) -> dict[str, list[str]]:
    """What the kernel says of the process that is number 1 inside."""
    lines = Path(f"/proc/{first(process)}/status").read_text().splitlines()
    return {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}


def stop(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """As `docker stop`: the exit code, and the seconds that it took."""
    began = time.monotonic()
    os.kill(first(process), signal.SIGTERM)
    return process.wait(10), time.monotonic() - began


def refusal(*prefix: str, **variables: str) -> tuple[int, str]:
    """The exit code and the sentence with which the entry point, run here as it is, ends."""
    ended = subprocess.run(  # noqa: S603 - our own command
        [*prefix, sys.executable, "-I", ENTRYPOINT, "run", "--dry-run"],
        env=environment() | variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stderr


@pytest.fixture
def container() -> Iterator[Container]:
    """One with a photo; the state's volume belongs to the image's user, as Docker makes it."""
    with (
        TemporaryDirectory(prefix="immich-sync-test-") as place,  # others may not enter tmp_path
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(Sandbox()) as sandbox,
    ):
        made = Container(Path(place), sandbox)
        made.place.chmod(0o755)
        made.photos.mkdir()
        made.state.mkdir(mode=0o700)
        (made.photos / "IMG_1.jpg").write_bytes(photo(1))
        (made.photos / "IMG_1.jpg").chmod(0o644)
        made.photos.chmod(0o755)
        os.chown(made.state, 1000, 1000)
        yield made
        for process in made.started:
            process.kill()
            process.wait()


@pytest.mark.root
def test_root_becomes_who_is_asked_for(container: Container) -> None:
    """With no right but to change owners and users; the state is handed over, old files too."""
    (container.state / "inner").mkdir(mode=0o700)
    (container.state / "inner" / "old").touch()
    os.chown(container.state / "inner", 1000, 1000)
    wanted = {"PUID": str(NOBODY), "PGID": str(NOGROUP), "UMASK": "027"}

    process = container.start(FEW_RIGHTS, **wanted)
    until(container.has_synced, "the photo is in Immich")

    found = facts(process)
    assert (found["NSpid"][-1], found["Umask"], found["CapEff"]) == ("1", ["0027"], ["0" * 16])
    assert (set(found["Uid"]), set(found["Gid"])) == ({str(NOBODY)}, {str(NOGROUP)})
    assert found["Groups"] == [str(NOGROUP)]
    owners = {one.stat().st_uid for one in (container.state, *container.state.rglob("*"))}
    assert owners == {NOBODY}
    assert container.enter(process, **wanted) == 0
    assert container.enter(process, PUID="1000") == 1  # refused, and the state stays whose it is
    assert container.state.stat().st_uid == NOBODY
    code, took = stop(process)
    assert code == 0
    assert took < 8


@pytest.mark.root
def test_whoever_it_is_started_as_it_stays(container: Container) -> None:
    """`--user` with a user that no file knows, no rights at all, no place to write but /state."""
    os.chown(container.state, NOBODY, NOBODY)

    wrapper = f"{AS_NOBODY} {NO_RIGHTS}"
    process = container.start(wrapper, HOME="/")
    until(container.has_synced, "the photo is in Immich")

    found = facts(process)
    assert (set(found["Uid"]), found["Umask"], found["NSpid"][-1]) == (
        {str(NOBODY)}, ["0077"], "1",
    )  # fmt: skip
    assert container.enter(process, wrapper) == 0
    code, _ = stop(process)
    assert code == 0


@pytest.mark.root
@pytest.mark.parametrize(
    ("prefix", "variables", "sentence"),
    [
        ("", {"PUID": "anna"}, "PUID=anna is no number of a user."),
        ("", {"PGID": "-1"}, "PGID=-1 is no number of a user."),
        ("", {"UMASK": "999"}, "UMASK=999 is no file mode."),
        (
            AS_NOBODY,
            {"PUID": "7"},
            f"PUID=7 is set, but the container was started as user {NOBODY}",
        ),
        (f"setpriv {NO_RIGHTS}", {"PUID": "7"}, "This is root, and cannot become user 7"),
    ],
)
def test_what_cannot_be_done_is_said(
    prefix: str, variables: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    """One sentence and exit code 2: trying again would not help."""
    script = f'{_shown_to_all(tmp_path)}\nexec {prefix} "$@"'
    code, said = refusal("unshare", "--mount", "sh", "-ec", script, "sh", **variables)

    assert code == 2
    assert sentence in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("named", ["", "variable", "file"])
def test_photos_are_where_nobody_says_otherwise(named: str, tmp_path: Path) -> None:
    """/photos is watched unless a variable or a mounted configuration names folders."""
    config = tmp_path / "config.toml"
    variables = {
        "IMMICH_INSTANCE_URL": "http://127.0.0.1:9", "IMMICH_API_KEY": "0123456789",
        "IMMICH_SYNC_STATE_DIR": str(tmp_path / "state"),
        "PUID": str(os.geteuid()), "PGID": str(os.getegid()),
    }  # fmt: skip
    if named == "variable":
        variables["IMMICH_SYNC_FOLDERS"] = "/nowhere/a"
    if named:
        variables["IMMICH_SYNC_CONFIG"] = str(config)
        config.write_text(f"[[folders]]\npath = {json.dumps('/nowhere/b')}\n")

    code, said = refusal(**variables)

    assert code == 2
    expected = {"": "/photos", "variable": "/nowhere/a", "file": "/nowhere/b"}[named]
    assert expected in said


def instructions(text: str) -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines if line]


def last_stage() -> Sequence[tuple[str, str]]:
    """What the image itself is made by."""
    found = instructions(RECIPE)
    return found[max(n for n, (word, _) in enumerate(found) if word == "FROM") :]


def test_the_image_runs_without_root_and_without_a_shell() -> None:
    """A fixed user; entry point, command and health check as lists; SIGTERM reaches PID 1."""
    stage = dict(last_stage())

    assert stage["USER"] == "1000:1000"
    assert json.loads(stage["ENTRYPOINT"]) == ["/usr/local/bin/immich-sync"]
    assert json.loads(stage["CMD"]) == ["run"]
    assert json.loads(stage["HEALTHCHECK"].partition("CMD ")[2]) == [
        "/usr/local/bin/immich-sync", *HEALTH,
    ]  # fmt: skip
    assert stage["STOPSIGNAL"] == "SIGTERM"
    assert "org.opencontainers.image.version" in stage["LABEL"]


def test_the_image_holds_no_tools_to_build_with() -> None:
    """The last stage installs nothing; it only copies what the first one has made."""
    said = [rest for word, rest in last_stage() if word in {"RUN", "COPY"}]

    assert not any(re.search(r"\b(pip|apt|apt-get|gcc)\b", one) for one in said)
    assert said[0] == "--from=build /opt/immich-sync /opt/immich-sync"


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-build.txt"])
def test_every_version_is_pinned_by_its_hash(name: str) -> None:
    """Each line names one version and at least one hash, and no line names an index."""
    text = (ROOT / "deploy" / name).read_text()
    pinned = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()

    assert pinned
    for line in pinned:
        assert re.match(r"[a-z0-9-]+==[\w.]+ .*--hash=sha256:[0-9a-f]{64}", line), line
    assert "://" not in text + RECIPE
    assert "--index" not in text + RECIPE


def test_what_is_depended_on_is_pinned() -> None:
    """Nothing in pyproject.toml was forgotten when the pins were made."""
    listed = re.search(r"(?s)\ndependencies = \[(.*?)\]", (ROOT / "pyproject.toml").read_text())
    assert listed
    wanted = re.findall(r'"([a-z0-9-]+)', listed[1])
    pins = (ROOT / "deploy" / "requirements.txt").read_text()

    assert [one for one in wanted if f"\n{one}==" not in pins] == []


def test_the_compose_file_gives_nothing_away() -> None:
    """Read-only, no rights, a secret instead of a variable, mounts that follow the host's."""
    for line in (
        "read_only: true", "no-new-privileges:true", "cap_drop:", "propagation: rslave",
        "immich_api_key", "status", "create_host_path: false", "external: true",
    ):  # fmt: skip
        assert line in COMPOSE
    assert "IMMICH_API_KEY:" not in COMPOSE
    grace = re.search(r"stop_grace_period: (\d+)s", COMPOSE)
    assert grace
    assert int(grace[1]) >= 15
