"""Every mistake in a configuration is one sentence that names the file or variable and the key."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from immich_sync.config import load, resolve
from immich_sync.config.load import parse
from immich_sync.config.settings import (
    FolderTable,
    HealthTable,
    LimitsTable,
    NotifyTable,
    Settings,
)
from immich_sync.core.errors import Misconfigured

NOBODY = 65534
WRITE = Callable[[str], Path]
SERVER = '[server]\nurl = "http://nas:2283"\napi_key_file = "{tmp}/key"\n'
FOLDER = SERVER + '[[folders]]\npath = "{tmp}/photos"\n'
QUARANTINE = FOLDER + 'after_upload = "quarantine"\n'
OTHER = FOLDER + '[[folders]]\npath = "{tmp}/other"\n'

MISTAKES: Mapping[str, tuple[str, str]] = {
    "an unknown table": (
        "[sever]\n",
        "'sever' is not a key that is known here; did you mean server?",
    ),
    "an unknown key": (
        FOLDER + "setle = 1\n",
        "number 1, setle: 'setle' is not a key that is known here; did you mean settle?",
    ),
    "an unknown key that resembles nothing": (
        FOLDER + "qwxyz = 1\n",
        "'qwxyz' is not a key that is known here.",
    ),
    "a table that is none": ("server = 3\n", "[server]: 3 is not a table."),
    "folders that are no list": ("folders = 3\n", "3 is not a list of tables, written as [[fold"),
    "accounts that are none": ("accounts = 3\n", "[accounts]: 3 is not a table of tables"),
    "a folder without a path": (SERVER + "[[folders]]\n", "number 1, path: it is missing"),
    "a duration without a unit": (FOLDER + "settle = 10\n", "settle: 10 is not a duration"),
    "deletions that reach Immich where we delete ourselves": (
        QUARANTINE + 'on_delete = "trash"\n',
        'on_delete: after_upload = "quarantine" empties this folder by itself',
    ),
    "a cleanup behind links": (
        FOLDER + 'follow_symlinks = true\nafter_upload = "delete"\n',
        'follow_symlinks: after_upload = "delete" would take away what links lead to, elsewhere',
    ),
    "deletions behind links": (
        FOLDER + 'on_delete = "trash"\n[defaults]\nfollow_symlinks = true\n',
        'follow_symlinks: with on_delete = "trash" a disk that is not mounted behind a link would',
    ),
    "a wrong word": (
        FOLDER + 'watch = "fsevents"\n',
        "'fsevents' is not known here; choose from: auto, inotify, poll",
    ),
    "a wrong word about the trash": (
        FOLDER + 'trashed = "empty"\n',
        "trashed: 'empty' is not known here; choose from: leave, restore, report",
    ),
    "a wrong word about cleanup": (
        FOLDER + 'after_upload = "move"\n',
        "after_upload: 'move' is not known here; choose from: keep, quarantine, delete",
    ),
    "a quarantine that is nowhere": (
        FOLDER + 'after_upload = "quarantine"\n',
        'quarantine_dir: after_upload = "quarantine" needs it: a folder outside of every watched',
    ),
    "a quarantine that is not there": (
        QUARANTINE + 'quarantine_dir = "{tmp}/none"\n',
        "quarantine_dir: the folder {tmp}/none cannot be used (No such file or directory)",
    ),
    "a quarantine that is no path": (
        QUARANTINE + 'quarantine_dir = "aside"\n',
        "quarantine_dir: aside is not an absolute path",
    ),
    "a quarantine that is a file": (
        QUARANTINE + 'quarantine_dir = "{tmp}/key"\n',
        "quarantine_dir: {tmp}/key is no folder that this user (id ",
    ),
    "a quarantine in a watched folder": (
        QUARANTINE + 'quarantine_dir = "{tmp}/photos/below"\n',
        "{tmp}/photos/below and the watched folder {tmp}/photos lie inside one another",
    ),
    "a quarantine in another watched folder": (
        QUARANTINE + 'quarantine_dir = "{tmp}/other"\n' + '[[folders]]\npath = "{tmp}/other"\n',
        "{tmp}/other and the watched folder {tmp}/other lie inside one another",
    ),
    "a quarantine above everything": (
        QUARANTINE + 'quarantine_dir = "{tmp}"\n',
        "{tmp} and the watched folder {tmp}/photos lie inside one another",
    ),
    "a quarantine in the state folder": (
        'state_dir = "{tmp}/other"\n' + QUARANTINE + 'quarantine_dir = "{tmp}/other"\n',
        "{tmp}/other and the state folder {tmp}/other lie inside one another",
    ),
    "a quarantine and deletions": (
        QUARANTINE + 'quarantine_dir = "{tmp}/other"\non_delete = "trash"\n',
        'on_delete: after_upload = "quarantine" empties this folder by itself',
    ),
    "a table twice": (
        "[limits]\n[limits]\n",
        "the configuration is not TOML: 'limits' is there twice (at line 2, column 8).",
    ),
    "a table of a table twice": ("[a.b]\n[a.b]\n", "not TOML: 'a.b' is there twice (at line 2,"),
    "folders in single brackets": (
        "[folders]\n[folders]\n",
        "'folders' is there twice (at line 2, column 9); each folder is one [[folders]].",
    ),
    "no TOML": ("[server\n", "the configuration is not TOML: "),
    "a missing folder": (
        SERVER + '[[folders]]\npath = "{tmp}/nowhere"\n',
        "number 1, path: the folder {tmp}/nowhere does not exist; is its disk mounted?",
    ),
    "a file instead of a folder": (
        SERVER + '[[folders]]\npath = "{tmp}/key"\n',
        "{tmp}/key is a file; a folder is expected",
    ),
    "a path through a file": (SERVER + '[[folders]]\npath = "{tmp}/key/a"\n', "{tmp}/key/a"),
    "a relative path": (SERVER + '[[folders]]\npath = "photos"\n', "photos is not an absolute"),
    "an empty path": (SERVER + '[[folders]]\npath = ""\n', "'' is not a path"),
    "a folder twice": (
        OTHER.replace("/other", "/photos/"),
        "number 2, path: {tmp}/photos and {tmp}/photos are the same folder",
    ),
    "a folder in another": (
        OTHER.replace("/other", "/photos/below"),
        "{tmp}/photos/below and {tmp}/photos overlap",
    ),
    "a folder around another": (OTHER.replace("/other", ""), "{tmp} and {tmp}/photos overlap"),
    "a link to another folder": (
        OTHER.replace("/other", "/link"),
        "{tmp}/link and {tmp}/photos are the same folder",
    ),
    "a link into another folder": (
        OTHER.replace("/other", "/link/below"),
        "{tmp}/link/below and {tmp}/photos overlap",
    ),
    "the state in a folder": (
        'state_dir = "{tmp}/photos/state"\n' + FOLDER,
        "state_dir: the state folder {tmp}/photos/state and the watched folder {tmp}/photos lie",
    ),
    "the state in a folder, through a link": (
        'state_dir = "{tmp}/link/state"\n' + FOLDER,
        "state_dir: the state folder {tmp}/photos/state and the watched folder {tmp}/photos lie",
    ),
    "a folder in the state": ('state_dir = "{tmp}"\n' + FOLDER, "lie inside one another"),
    "Immich's own storage": (
        SERVER + '[[folders]]\npath = "{tmp}/a/b/immich/upload/user"\n',
        "{tmp}/a/b/immich/upload/user is at, above or below Immich's own storage ({tmp}/a/b/imm",
    ),
    "a folder that holds Immich's storage": (
        SERVER + '[[folders]]\npath = "{tmp}/a/b/immich"\n',
        "{tmp}/a/b/immich is at, above or below Immich's own storage ({tmp}/a/b/immich/upload",
    ),
    "a relative state": ('state_dir = "state"\n' + FOLDER, "'state' is not an absolute path"),
    "a state that is a file": ('state_dir = "{tmp}/key"\n' + FOLDER, "{tmp}/key is not a folder"),
    "a missing key file": (
        FOLDER.replace("/key", "/nokey"),
        "[server], api_key_file: the key file {tmp}/nokey cannot be read (No such file",
    ),
    "a key file that is a folder": (FOLDER.replace("/key", "/photos"), "cannot be read (Is a dir"),
    "a key file with more in it": (
        FOLDER.replace("/key", "/long"),
        "what {tmp}/long holds is not an API key: one line of 8 to 256",
    ),
    "an album twice": (
        FOLDER + 'album = "a"\nalbum_id = "6a7ce8ab-ef9b-4ea6-a1ac-d3ba8e3cd9ca"\n',
        "album_id: album is given as well; choose one of them",
    ),
    "an album's id that is none": (FOLDER + 'album_id = "x"\n', "'x' is not the id of an album"),
    "a template with an unknown field": (
        FOLDER + 'album = "{year}"\n',
        "[[folders]] number 1, album: album template '{year}': there is no field {year}",
    ),
    "a bad template in the defaults": (
        FOLDER + '[defaults]\nalbum = "{"\n',
        "[defaults], album: album template",
    ),
    "a bad ignore pattern": (FOLDER + 'ignore = ["# x"]\n', "ignore: ignore pattern '# x'"),
    "ignore patterns that are none": (FOLDER + "ignore = 3\n", "3 is not a list of gitignore"),
    "two times of scanning": (
        FOLDER + 'scan_at = "01:00"\nscan_every = "6h"\n',
        "scan_every: scan_at is given as well",
    ),
    "two folders of one name": (
        OTHER.replace('/photos"', '/photos"\nname = "a"') + 'name = "a"\n',
        "number 2, name: another folder is called 'a'",
    ),
    "an unknown account": (
        FOLDER + 'account = "anna"\n',
        "number 1, account: there is no account 'anna'; write it as [accounts.anna]",
    ),
    "an account that says nothing": (
        FOLDER + 'account = "anna"\n[accounts.anna]\n',
        "[accounts.anna]: it has neither a url nor an api_key_file of its own",
    ),
    "an account called default": (FOLDER + "[accounts.default]\n", "is written as [server]"),
    "an account with capitals": (FOLDER + "[accounts.Anna]\n", "is made of small letters"),
    "no folder": (SERVER, "{tmp}/config.toml names a folder to watch: write [[folders]]"),
    "no server": ('[[folders]]\npath = "{tmp}/photos"\n', "names a server: write url under [ser"),
    "no key": (FOLDER.replace("api_key_file", "# "), "No API key for http://nas:2283"),
    "an address without a scheme": (
        FOLDER.replace("http://", ""),
        "[server], url: The server's address must be an http:// or https:// URL",
    ),
    "an address without a host": (FOLDER.replace("nas:2283", ""), "must be an http:// or https"),
    "an address with a bad port": (FOLDER.replace("2283", "x"), "is no URL; write it like"),
    "an address with a query": (FOLDER.replace("2283", "2283/?a=b"), "must end before any '?'"),
    "an address with a bad host": (FOLDER.replace("nas", "n..as"), "no name that a host can"),
    "an address with a line break": (FOLDER.replace("nas", "n\\nas"), "holds a line break"),
    "an empty address": (FOLDER.replace("http://nas:2283", ""), "[server], url: it is empty"),
    "limits the wrong way round": (
        FOLDER + '[limits]\nretry_first = "1h"\nretry_longest = "1m"\n',
        "[limits], retry_longest: it is shorter than retry_first",
    ),
    "a limit out of range": (FOLDER + "[limits]\nuploads = 0\n", "uploads: 0 is out of range"),
}


@pytest.mark.parametrize(("text", "sentence"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_sentence(write: WRITE, tmp_path: Path, text: str, sentence: str) -> None:
    """The file, the key, what is wrong; one line, and no key's text in it."""
    file = write(text)
    (tmp_path / "other").mkdir()
    (tmp_path / "photos" / "below").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    (tmp_path / "a" / "b" / "immich" / "upload" / "user").mkdir(parents=True)
    (tmp_path / "a" / "b" / "immich" / "upload" / ".immich").touch()
    (tmp_path / "long").write_text("secret-one\nsecret-two\n")

    with pytest.raises(Misconfigured) as raised:
        resolve(load(file))

    said = str(raised.value)
    assert sentence.replace("{tmp}", str(tmp_path)) in said
    assert said.startswith((str(file), "No API key"))
    assert "\n" not in said
    assert "secret" not in said
    assert said.endswith((".", "?"))
    assert said[-2] not in ".?"


def test_a_mistake_in_the_environment_names_the_variable(
    write: WRITE, environment: pytest.MonkeyPatch
) -> None:
    """A person looks for a mistake where the error says it is."""
    environment.setenv("IMMICH_SYNC_DEFAULTS__SETTLE", "soon")

    with pytest.raises(Misconfigured, match=r"^IMMICH_SYNC_DEFAULTS__SETTLE: 'soon' is not a dur"):
        load(write(FOLDER))


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("IMMICH_SYNC_FOLDER", "no such setting; did you mean IMMICH_SYNC_FOLDERS?"),
        ("IMMICH_SYNC_SERVER__ULR", "'ulr' is not a key that is known here; did you mean url?"),
        ("IMMICH_SYNC_SERVER", "'x' is not a table"),
    ],
)
def test_an_unknown_variable_of_ours_is_a_mistake(
    write: WRITE, environment: pytest.MonkeyPatch, variable: str, sentence: str
) -> None:
    """A variable that nobody reads is noticed, and the nearest one is named."""
    environment.setenv(variable, "x")

    with pytest.raises(Misconfigured, match=re.escape(f"{variable}: {sentence}")):
        load(write(FOLDER))


def test_a_key_in_the_environment_is_checked_and_never_shown(
    write: WRITE, environment: pytest.MonkeyPatch
) -> None:
    """A key with a space in it is refused without being repeated."""
    environment.setenv("IMMICH_API_KEY", "two words of a secret")

    with pytest.raises(Misconfigured, match=r"^IMMICH_API_KEY: it does not hold an") as raised:
        resolve(load(write(FOLDER.replace("api_key_file", "# "))))

    assert "secret" not in str(raised.value)


def test_a_password_in_an_address_is_never_shown(write: WRITE) -> None:
    """The address is refused, and the error has no part of the password."""
    with pytest.raises(Misconfigured, match="must not hold a user or password") as raised:
        resolve(load(write(FOLDER.replace("http://", "http://me:hunter22@"))))

    assert "hunter22" not in str(raised.value)


def test_a_key_in_a_file_that_others_read_is_refused(write: WRITE) -> None:
    """It says which mode the file should have, and the other way."""
    file = write(FOLDER.replace('api_key_file = "{tmp}/key"', 'api_key = "a-long-secret-key"'))
    file.chmod(0o644)

    with pytest.raises(Misconfigured, match=r"others may read this file \(mode 644\)"):
        resolve(load(file))


@contextmanager
def _without_roots_powers() -> Iterator[None]:
    """Root may read everything: within, we are nobody."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_folder_that_may_not_be_read_is_named(
    write: WRITE, environment: pytest.MonkeyPatch
) -> None:
    """It says who may not read it."""
    environment.setenv("IMMICH_API_KEY", "a-long-secret-key")
    with TemporaryDirectory(prefix="immich-sync-test-") as place:
        Path(place).chmod(0o755)
        (Path(place) / "closed").mkdir(mode=0o000)
        server = '[server]\nurl = "http://nas:2283"\n'
        written = load(write(f'{server}[[folders]]\npath = "{place}/closed"\n'))

        with (
            _without_roots_powers(),
            pytest.raises(Misconfigured, match=r"may not be read by this user \(id "),
        ):
            resolve(written)


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    """A wrong --config is never passed over in silence."""
    with pytest.raises(Misconfigured, match="there is no such configuration file"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """A photo given as configuration is not UTF-8."""
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"\xff\xd8\xff\xe0")

    with pytest.raises(Misconfigured, match=r"photo.jpg: the configuration is not UTF-8 text"):
        load(file)


leaves = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["/", "~", "~nobody", "/tmp", "10s", "http://h", "{parent}", "!x", "03:30"])
    | st.dates()
    | st.times()
    | st.datetimes()
)
names = st.text(max_size=8) | st.sampled_from(
    sorted({*Settings.model_fields, *FolderTable.model_fields, *LimitsTable.model_fields})
)
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
plausible = st.fixed_dictionaries(
    {},
    optional={
        "state_dir": leaves,
        "server": st.fixed_dictionaries(
            {}, optional={"url": leaves, "api_key": leaves, "api_key_file": leaves}
        ),
        "accounts": st.dictionaries(names, st.dictionaries(names, leaves, max_size=3), max_size=2),
        "defaults": st.dictionaries(st.sampled_from(sorted(FolderTable.model_fields)), leaves),
        "folders": st.lists(
            st.dictionaries(st.sampled_from(sorted(FolderTable.model_fields)), leaves), max_size=3
        ),
        "limits": st.dictionaries(st.sampled_from(sorted(LimitsTable.model_fields)), leaves),
        "health": st.dictionaries(st.sampled_from(sorted(HealthTable.model_fields)), leaves),
        "notify": st.dictionaries(st.sampled_from(sorted(NotifyTable.model_fields)), leaves),
    },
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.dictionaries(names, trees, max_size=4) | plausible)
def test_no_toml_gives_anything_but_misconfigured(data: dict[str, object]) -> None:
    """Whatever a file holds, the answer is a Setup or one sentence."""
    try:
        resolve(parse(data, Path("/config.toml")))
    except Misconfigured as error:
        assert str(error).endswith((".", "?"))  # noqa: PT017 -- some of it is right
        assert "\n" not in str(error)  # noqa: PT017 -- likewise


@settings(deadline=None)
@given(content=st.binary(max_size=60) | st.text("[]=\"'{}#.\n ab1", max_size=60).map(str.encode))
def test_no_file_gives_anything_but_misconfigured(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Whatever bytes a file holds, they are read or refused in one sentence."""
    file = tmp_path_factory.getbasetemp() / "anything.toml"
    file.write_bytes(content)
    try:
        load(file)
    except Misconfigured as error:
        assert str(error).startswith(str(file))  # noqa: PT017 -- some of it is TOML
