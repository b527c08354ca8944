"""What a person may get wrong: one sentence on standard error, an exit code, no traceback."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from immich_sync.sandbox import Html
from tests.stories.scene import Server, Story, photo, until

WRONG, REFUSED = 2, 3
"""Exit codes: configured wrongly; server or key refused."""


def _sentence(story: Story, code: int, *, alone: bool = False) -> str:
    """The one sentence that `run` ends with, its log aside, without a key and a traceback.

    `alone`: in a process of its own, rather than with `--once` in this one.
    """
    ended = story.command("run") if alone else story.typed("run", "--once")
    said = [line for line in ended.stderr.splitlines() if not line.startswith("{")]

    assert (ended.returncode, ended.stdout) == (code, "")
    assert len(said) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    for key in story.server.sandbox.state.api_keys:
        assert key.secret not in ended.stderr
    return said[0].removeprefix("immich-sync: ")


def _unknown_key(story: Story) -> list[str]:
    story.configure({"setle": "1s"})
    return ["setle", "settle"]


def _missing_folder(story: Story) -> list[str]:
    story.configure({"path": str(story.home / "nothing here")})
    return ["nothing here", "does not exist"]


def _overlapping_folders(story: Story) -> list[str]:
    (story.photos / "inner").mkdir()
    story.configure({}, {"path": str(story.photos / "inner")})
    return ["photos/inner", "overlap"]


def _the_same_folder_by_a_link(story: Story) -> list[str]:
    (story.home / "link").symlink_to(story.photos)
    story.configure({}, {"path": str(story.home / "link")})
    return ["link", "same folder"]


def _immichs_own_storage(story: Story) -> list[str]:
    (story.photos / "upload").mkdir()
    (story.photos / "upload/.immich").touch()
    return ["photos", ".immich"]


def _no_key(story: Story) -> list[str]:
    (story.home / "api-key").write_text("two words\nand two lines\n")
    return ["api-key", "not an API key"]


def _no_server(story: Story) -> list[str]:
    story.config.write_text(f'[[folders]]\npath = "{story.photos}"\n')
    return ["IMMICH_INSTANCE_URL"]


@pytest.mark.parametrize(
    "spoil",
    [
        _unknown_key,
        _missing_folder,
        _overlapping_folders,
        _the_same_folder_by_a_link,
        _immichs_own_storage,
        _no_key,
        _no_server,
    ],
)
def test_a_wrong_configuration_is_one_sentence(
    story: Story, spoil: Callable[[Story], list[str]]
) -> None:
    """It names what is wrong, before anything is asked of the server: exit code 2."""
    words = spoil(story)
    sentence = _sentence(story, WRONG, alone=spoil is _unknown_key)

    assert [word for word in words if word not in sentence] == [], sentence
    assert story.server.sandbox.requests == []


def test_a_second_daemon_on_the_same_state_is_refused(story: Story) -> None:
    """It says that one is running, and that one goes on."""
    daemon = story.start()
    sentence = _sentence(story, WRONG, alone=True)
    story.put("a.jpg", photo("a"))
    until(lambda: daemon.folder().verified == 1, "the first one goes on")

    assert str(story.state) in sentence


class _Moved(BaseHTTPRequestHandler):
    """Answers everything with a redirect, as a proxy that wants https does."""

    def do_GET(self) -> None:
        """Elsewhere."""
        self.send_response(301)
        self.send_header("Location", f"https://photos.example{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - the base class's spelling

    def log_message(self, *_: object) -> None:
        """Nothing: the test's output is the daemon's."""


@pytest.fixture
def moved() -> Iterator[str]:
    """The address of a server that has moved."""
    with HTTPServer(("127.0.0.1", 0), _Moved) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_address_that_redirects_is_not_followed(story: Story, moved: str) -> None:
    """It would lose uploads on the way: the sentence names where it leads to."""
    story.configure(url=moved)
    sentence = _sentence(story, REFUSED)

    assert moved in sentence
    assert "https://photos.example" in sentence


def test_an_address_that_is_not_immich_is_refused(story: Story) -> None:
    """A log-in page or a router's menu: the sentence says what was found."""
    story.server.sandbox.faults.add(Html())
    sentence = _sentence(story, REFUSED)

    assert story.server.sandbox.url in sentence
    assert "text/html" in sentence


def test_a_wrong_key_is_refused(story: Story) -> None:
    """The sentence says that the key is not accepted, without telling it."""
    (story.home / "api-key").write_text("no-such-key-0123456789\n")
    sentence = _sentence(story, REFUSED, alone=True)

    assert "key is not accepted" in sentence
    assert "no-such-key" not in sentence


@pytest.mark.parametrize(
    ("folder", "permissions", "lacking"),
    [
        ({}, ("album.read", "user.read"), "asset.upload"),
        ({"album": "Trip"}, ("asset.upload", "user.read"), "album.read"),
        ({"album": "Trip"}, ("asset.upload", "album.read", "album.create"), "albumAsset.create"),
    ],
)
def test_a_permission_that_the_key_lacks_is_named(
    story: Story, folder: dict[str, object], permissions: tuple[str, ...], lacking: str
) -> None:
    """Before the first upload, not after the first thousand."""
    (story.home / "api-key").write_text(story.server.sandbox.add_key(*permissions))
    story.configure(folder)
    sentence = _sentence(story, REFUSED)

    assert lacking in sentence


def test_a_key_needs_no_more_than_what_the_folders_want(story: Story) -> None:
    """Without an album, `asset.upload` is enough."""
    (story.home / "api-key").write_text(story.server.sandbox.add_key("asset.upload"))
    daemon = story.start()
    story.put("a.jpg", photo("a"))
    until(lambda: daemon.folder().verified == 1, "it is verified")

    assert story.server.names() == ["a.jpg"]


def test_a_server_that_is_down_at_the_start_is_waited_for(story: Story, server: Server) -> None:
    """It comes later, and all goes on as if it had been there."""
    server.refuse()
    story.put("a.jpg", photo("a"))
    daemon = story.start()
    (problem,) = until(lambda: daemon.problems("server"), "the server is a problem")
    reachable = daemon.status().server.reachable
    server.accept()
    until(lambda: server.names() == ["a.jpg"], "it is there")
    until(lambda: daemon.folder().verified == 1, "it is verified")

    assert (problem.path, reachable) == (server.sandbox.url, False)
    assert daemon.problems("server") == []
    assert daemon.status().server.reachable
