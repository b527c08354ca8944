"""A configuration that is right becomes a Setup with every field filled."""

import os
from collections.abc import Callable
from datetime import time
from pathlib import Path

import pytest

from immich_sync.config import load, resolve
from immich_sync.core.folder import Account, Folder, Limits, Setup
from immich_sync.core.media import compile_ignore
from immich_sync.core.types import Secret

KEY = "Zq3-secret-key-of-the-tests-8Kw1"
WRITE = Callable[[str], Path]
ROOM = 2 * 1024**3

SERVER = """
[server]
url = "http://nas:2283/api/"
api_key_file = "{tmp}/key"
"""
FOLDER = SERVER + '[[folders]]\npath = "{tmp}/photos"\n'


def test_the_shortest_file_fills_every_field(write: WRITE, tmp_path: Path) -> None:
    """A server, a key and a folder are enough; the rest has defaults."""
    setup = resolve(load(write(FOLDER)))

    assert setup == Setup(
        accounts=(Account("default", "http://nas:2283", Secret(KEY), min_server_free=ROOM),),
        folders=(Folder("photos", os.fsencode(tmp_path / "photos"), "default"),),
        limits=Limits(),
        state=str(tmp_path / "home" / ".local" / "state" / "immich-sync"),
    )


def test_a_folder_says_what_the_defaults_do_not(write: WRITE, tmp_path: Path) -> None:
    """Every key of a folder arrives, over the defaults; what only they say arrives as well."""
    setup = resolve(
        load(
            write(
                FOLDER
                + """
                name = "Trips"
                album = "{parent}"
                ignore = ["Screenshots/"]
                include_hidden = true
                settle = "500ms"
                scan_at = 04:15:00
                watch = "poll"
                trashed = "restore"
                after_upload = "keep"

                [defaults]
                settle = "1m"
                poll_interval = "5m"
                album_id = "6a7ce8ab-ef9b-4ea6-a1ac-d3ba8e3cd9ca"
                scan_every = "6h"

                [limits]
                uploads = 2
                retry_first = "10s"
                """
            )
        )
    )

    assert setup.folders == (
        Folder(
            "Trips",
            os.fsencode(tmp_path / "photos"),
            "default",
            album="{parent}",
            ignore=compile_ignore(["Screenshots/"]),
            include_hidden=True,
            settle=0.5,
            poll_interval=300,
            scan_at=time(4, 15),
            watch="poll",
            trashed="restore",
        ),
    )
    assert setup.limits == Limits(uploads=2, retry_first=10)


def test_an_empty_album_takes_the_default_back(write: WRITE) -> None:
    """A folder can want no album although the defaults name one."""
    setup = resolve(load(write(FOLDER + 'album = ""\n[defaults]\nalbum = "All"\n')))

    assert [folder.wants_album for folder in setup.folders] == [False]


def test_the_environment_alone_is_enough(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Address, key and folders, as the official CLI and Docker users write them."""
    for name in ("photos", "videos"):
        (tmp_path / name).mkdir()
    environment.setenv("IMMICH_INSTANCE_URL", "https://photos.example.org/api")
    environment.setenv("IMMICH_API_KEY", f" {KEY}\n")
    environment.setenv("IMMICH_SYNC_FOLDERS", f"{tmp_path}/photos:{tmp_path}/videos")
    environment.setenv("IMMICH_SYNC_STATE_DIR", str(tmp_path / "state"))

    setup = resolve(load())

    assert setup.accounts == (
        Account("default", "https://photos.example.org", Secret(KEY), min_server_free=ROOM),
    )
    assert [folder.name for folder in setup.folders] == ["photos", "videos"]
    assert str(tmp_path / "state") == setup.state


def test_the_environment_goes_over_the_file(write: WRITE, environment: pytest.MonkeyPatch) -> None:
    """A nested variable changes one key and leaves the others of its table alone."""
    environment.setenv("IMMICH_SYNC_SERVER__URL", "http://other:1")
    environment.setenv("IMMICH_SYNC_DEFAULTS__ALBUM", "{folder}")
    environment.setenv("IMMICH_SYNC_DEFAULTS__IGNORE", "Screenshots/:*.gif")
    environment.setenv("IMMICH_SYNC_LIMITS__UPLOADS", "3")

    setup = resolve(load(write(FOLDER + '[defaults]\nalbum = "file"\nsettle = "2s"\n')))

    assert setup.accounts == (
        Account("default", "http://other:1", Secret(KEY), min_server_free=ROOM),
    )
    assert (setup.folders[0].album, setup.folders[0].settle) == ("{folder}", 2)
    assert setup.folders[0].ignore.patterns == ("Screenshots/", "*.gif")
    assert setup.limits.uploads == 3


def test_an_account_takes_from_the_server_what_it_does_not_say(
    write: WRITE, tmp_path: Path
) -> None:
    """Two people on one server differ in their keys only; unused accounts are left out."""
    (tmp_path / "anna").write_text("anna-has-a-key-of-her-own\n")
    (tmp_path / "annas").mkdir()
    setup = resolve(
        load(
            write(
                FOLDER
                + """
                [[folders]]
                path = "{tmp}/annas"
                account = "anna"
                [accounts.anna]
                api_key_file = "{tmp}/anna"
                [accounts.ben]
                url = "http://elsewhere"
                """
            )
        )
    )

    assert setup.accounts == (
        Account("default", "http://nas:2283", Secret(KEY), min_server_free=ROOM),
        Account(
            "anna", "http://nas:2283", Secret("anna-has-a-key-of-her-own"), min_server_free=ROOM
        ),
    )
    assert [folder.account for folder in setup.folders] == ["default", "anna"]


def test_keys_are_taken_from_the_first_place_that_has_one(
    write: WRITE, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file that is named, then systemd's credentials, then the environment."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    unnamed = FOLDER.replace("api_key_file", "# api_key_file")
    environment.setenv("IMMICH_API_KEY", "from-the-environment")

    from_environment = resolve(load(write(unnamed)))
    environment.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    (credentials / "immich-api-key").write_text("from-the-credentials")
    from_credentials = resolve(load(write(unnamed)))
    from_file = resolve(load(write(FOLDER)))

    found = [
        setup.accounts[0].api_key.reveal()
        for setup in (from_environment, from_credentials, from_file)
    ]
    assert found == ["from-the-environment", "from-the-credentials", KEY]


def test_a_key_may_stand_in_a_file_that_nobody_else_reads(write: WRITE) -> None:
    """Mode 600 is the condition."""
    file = write(FOLDER.replace('api_key_file = "{tmp}/key"', f'api_key = "{KEY}"'))
    file.chmod(0o600)

    assert Secret(KEY) == resolve(load(file)).accounts[0].api_key


def test_a_one_shot_needs_no_folder(write: WRITE) -> None:
    """`upload` names its own paths; the default account is there all the same."""
    setup = resolve(load(write(SERVER)), folders=False)

    assert (setup.folders, [account.name for account in setup.accounts]) == ((), ["default"])


def test_folders_of_one_name_are_told_apart(write: WRITE, tmp_path: Path) -> None:
    """The first keeps the short name; the later one gets more of its path."""
    (tmp_path / "b" / "photos").mkdir(parents=True)
    setup = resolve(load(write(FOLDER + '[[folders]]\npath = "{tmp}/b/photos"\n')))

    assert [folder.name for folder in setup.folders] == ["photos", "b/photos"]


def test_a_root_is_free_of_links(write: WRITE, tmp_path: Path) -> None:
    """A linked folder is watched where it really lies."""
    file = write(SERVER + '[[folders]]\npath = "{tmp}/link"\n')
    (tmp_path / "link").symlink_to(tmp_path / "photos")

    assert os.fsencode(tmp_path / "photos") == resolve(load(file)).folders[0].root


def test_a_path_from_the_environment_may_be_any_bytes(
    write: WRITE, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder whose name is no UTF-8 is watched like any other."""
    root = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(root)  # noqa: PTH102 -- a name that is no text
    environment.setenv("IMMICH_SYNC_FOLDERS", os.fsdecode(root))

    assert root == resolve(load(write(SERVER))).folders[0].root


def test_systemds_state_folder_comes_before_the_homes(
    write: WRITE, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """$STATE_DIRECTORY is where a service keeps its state; our own variable goes before it."""
    environment.setenv("STATE_DIRECTORY", f"{tmp_path}/service:{tmp_path}/other")
    by_systemd = resolve(load(write(FOLDER))).state
    environment.setenv("IMMICH_SYNC_STATE_DIR", f"{tmp_path}/own")
    by_hand = resolve(load(write(FOLDER))).state

    assert [f"{tmp_path}/service", f"{tmp_path}/own"] == [by_systemd, by_hand]


def test_a_kubernetes_service_of_our_name_is_no_setting(
    write: WRITE, environment: pytest.MonkeyPatch
) -> None:
    """Kubernetes makes variables out of the names of services, ours included."""
    environment.setenv("IMMICH_SYNC_SERVICE_HOST", "10.0.0.7")
    environment.setenv("IMMICH_SYNC_PORT", "tcp://10.0.0.7:80")

    assert len(resolve(load(write(FOLDER))).folders) == 1


def test_the_file_is_looked_for_in_the_customary_places(
    write: WRITE, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The variable names one; without it the home's is taken."""
    named = write(FOLDER)
    at_home = tmp_path / "home" / ".config" / "immich-sync" / "config.toml"
    at_home.parent.mkdir(parents=True)
    at_home.write_text("")

    without = load().file
    environment.setenv("IMMICH_SYNC_CONFIG", str(named))
    with_variable = load().file

    assert [at_home, named] == [without, with_variable]


def test_room_on_the_server_is_the_servers(write: WRITE, tmp_path: Path) -> None:
    """An account without a url shares what is said of the server; one with its own does not."""
    for name in "abc":
        (tmp_path / "photos" / name).mkdir()
    setup = resolve(
        load(
            write(
                SERVER
                + """
                    min_server_free = "10G"
                    [accounts.anna]
                    api_key_file = "{tmp}/key"
                    [accounts.bert]
                    url = "http://other"
                    api_key_file = "{tmp}/key"
                    [accounts.carl]
                    api_key_file = "{tmp}/key"
                    min_server_free = "0"
                    [[folders]]
                    path = "{tmp}/photos/a"
                    account = "anna"
                    [[folders]]
                    path = "{tmp}/photos/b"
                    account = "bert"
                    [[folders]]
                    path = "{tmp}/photos/c"
                    account = "carl"
                    """
            )
        )
    )

    rooms = {one.name: one.min_server_free for one in setup.accounts}
    assert rooms == {"anna": 10 * 1024**3, "bert": ROOM, "carl": 0}
