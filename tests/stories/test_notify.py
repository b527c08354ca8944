"""The real daemon tells people: over HTTP, once, and across its own death."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tests.notify.listener import Listener, listening
from tests.stories.scene import Story, photo, until


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Somebody's web server, in a thread of its own."""
    portal: BlockingPortal
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(listening()) as found,
    ):
        yield found


def tell(story: Story, listener: Listener, **more: object) -> Path:
    """The configuration, with an address in a file of its own."""
    hook = story.home / "hook"
    hook.write_text(listener.url + "\n")
    story.configure({"root_check": "200ms"})
    wishes = {"webhook_url_file": str(hook), "after": "1s", **more}
    lines = (f"{key} = {json.dumps(value)}" for key, value in wishes.items())
    story.config.write_text("\n".join((story.config.read_text(), "[notify]", *lines, "")))
    return hook


def kinds(listener: Listener) -> list[object]:
    """What it was told so far, in one word each."""
    return [body["kind"] for body in listener.bodies]


def test_a_folder_that_goes_and_comes_back(story: Story, listener: Listener) -> None:
    """One message when it went, none after a crash, one when all is well; the log has the same."""
    tell(story, listener)
    story.put("a.jpg", photo("a"))
    daemon = story.start()
    until(lambda: len(story.server.assets()) == 1, "a.jpg is synced")
    away = story.photos.rename(story.home / "away")
    until(lambda: kinds(listener) == ["trouble"], "somebody is told")
    (needs,) = until(lambda: daemon.events("needs_you"), "the log says so")
    assert (needs["condition"], needs["subject"]) == ("folder_offline", "photos")

    daemon.kill()
    away.rename(story.photos)
    again = story.start()
    until(lambda: kinds(listener) == ["trouble", "well"], "all is well again")
    story.calm(again)
    assert kinds(listener) == ["trouble", "well"]
    for one in (daemon, again):
        assert "s3cr3t" not in one.words()


def test_a_key_that_is_refused_at_the_start(story: Story, listener: Listener) -> None:
    """The program ends with 3, and somebody hears why; the next such start repeats nothing."""
    tell(story, listener)
    (story.home / "api-key").write_text("not-the-key-of-anybody-here")
    for _ in range(2):
        assert story.launch().process.wait(30) == 3

    (body,) = listener.bodies
    assert "The key is not accepted" in str(body["text"])


def test_a_test_message(story: Story, listener: Listener) -> None:
    """`notify --test` says which channel took it, and ends with 1 if one did not."""
    tell(story, listener)
    good = story.typed("notify", "--test")
    listener.says(404)
    bad = story.typed("notify", "--test")

    assert (good.returncode, good.stdout) == (0, "the webhook: sent\n")
    assert (bad.returncode, bad.stdout) == (1, "the webhook: not sent, it answered 404\n")
    assert kinds(listener) == ["test", "test"]
    story.configure()
    nobody = story.typed("notify", "--test")
    assert (nobody.returncode, "[notify]" in nobody.stderr) == (2, True)


def test_a_phone_that_stopped_syncing(story: Story, listener: Listener) -> None:
    """Nothing new for so long as was said: somebody is told, and of the next photo as well."""
    tell(story, listener)
    text = story.config.read_text()
    story.config.write_text(text.replace("[defaults]", '[defaults]\nexpect_new = "3s"'))
    story.put("a.jpg", photo("a"))
    story.start()
    until(lambda: kinds(listener) == ["trouble"], "somebody is told")

    (condition,) = listener.bodies[0]["conditions"]  # type: ignore[misc] # JSON
    assert condition["condition"] == "silent"  # type: ignore[has-type]
