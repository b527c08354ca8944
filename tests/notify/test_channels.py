"""Messages over real sockets, to those who take them and to those who do not."""

import time

import anyio
import pytest

from immich_sync.core.conditions import Condition, News
from immich_sync.core.folder import Notify
from immich_sync.core.types import Secret
from immich_sync.notify import apprises, webhook
from immich_sync.notify.channels import outside
from immich_sync.notify.message import TEST, Message, NotDelivered, message_of
from tests.notify.listener import listening

pytestmark = pytest.mark.anyio

MESSAGE = message_of(
    News(
        new=(Condition("folder_offline", "photos", "photos is offline.", 5.0),),
        still=(Condition("silent", "phone", "Nothing new."),),
        over=(("stuck", "default"), ("state", "")),
    )
)


async def test_a_webhook_gets_json() -> None:
    """One POST with all that there is to know, for people and for programs."""
    async with listening() as listener:
        await webhook.post(Secret(listener.url), MESSAGE)

    (body,) = listener.bodies
    assert listener.heads[0].startswith("POST /hook/s3cr3t-path HTTP/1.1\r\n")
    assert body["program"] == "immich-sync"
    assert (body["kind"], body["title"]) == ("trouble", "immich-sync: a folder is offline")
    assert body["text"] == (
        "photos is offline.\nStill: Nothing new.\n"
        "Over: nothing can be uploaded (default).\nOver: its own disk fails."
    )
    offline = {"condition": "folder_offline", "subject": "photos", "text": "photos is offline."}
    assert body["conditions"] == [
        {**offline, "since": 5.0},
        {"condition": "silent", "subject": "phone", "text": "Nothing new.", "since": None},
    ]
    assert body["over"] == [
        {"condition": "stuck", "subject": "default"},
        {"condition": "state", "subject": ""},
    ]


async def test_a_password_in_the_address_is_used() -> None:
    """As every browser and curl do."""
    async with listening() as listener:
        await webhook.post(Secret(listener.url.replace("//", "//me:pw@")), TEST)

    assert "authorization: basic bwu6chc=" in listener.heads[0].lower()
    assert "me:pw" not in listener.heads[0]


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500, 503])
async def test_what_is_not_taken_is_told(status: int) -> None:
    """Whatever is no success, a redirect too: it may lead anywhere."""
    async with listening() as listener:
        listener.says(status, "Location: http://127.0.0.1:1/")
        with pytest.raises(NotDelivered, match=f"it answered {status}") as caught:
            await webhook.post(Secret(listener.url), TEST)

    assert "s3cr3t" not in repr(caught.value)


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200"])
async def test_an_exchange_that_breaks(answer: bytes) -> None:
    """Nothing, nonsense, or half an answer."""
    async with listening() as listener:
        listener.answer = answer
        with pytest.raises(NotDelivered) as caught:
            await webhook.post(Secret(listener.url), TEST)

    assert "s3cr3t" not in repr(caught.value)
    assert caught.value.__cause__ is None


async def test_a_server_that_hangs_is_left() -> None:
    """Cancelled at once, when something else ends; told apart by its own patience else."""
    async with listening() as listener:
        listener.answer = None
        began = time.monotonic()
        with anyio.move_on_after(0.3) as scope:
            await webhook.post(Secret(listener.url), TEST)

    assert scope.cancelled_caught
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://127.0.0.1:1/s3cr3t", "it cannot be reached"),
        ("http://s3cr3t.invalid/", "it cannot be reached"),
        ("http://[s3cr3t/", "it cannot be reached"),
        ("https://127.0.0.1:1/s3cr3t", "it cannot be reached"),
    ],
)
async def test_nobody_there(address: str, why: str) -> None:
    """One word on why, and none of the address."""
    with pytest.raises(NotDelivered, match=why) as caught:
        await webhook.post(Secret(address), TEST)

    assert "s3cr3t" not in repr(caught.value)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Apprise's own plugins, on 3.11
async def test_apprise_delivers() -> None:
    """Through one of its own plugins; title and text arrive."""
    async with listening() as listener:
        address = Secret(f"json://127.0.0.1:{listener.port}/s3cr3t")
        await apprises.notify(address, MESSAGE)

    (body,) = listener.bodies
    assert (body["title"], body["type"]) == ("immich-sync: a folder is offline", "warning")
    assert str(body["message"]).startswith("photos is offline.")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_apprise_fails_without_telling_the_address() -> None:
    """What it does not understand, and what nobody takes."""
    async with listening() as listener:
        listener.says(500)
        for address in ("nonsense://s3cr3t", f"json://127.0.0.1:{listener.port}/s3cr3t"):
            with pytest.raises(NotDelivered) as caught:
                await apprises.notify(Secret(address), TEST)
            assert "s3cr3t" not in repr(caught.value)


def test_channels_are_known_by_their_addresses_without_telling_them() -> None:
    """The same address has the same key, another one another; labels say no more than the kind."""
    one = outside(Notify(Secret("http://s3cr3t/a"), (Secret("ntfy://s3cr3t"),)))
    again = outside(Notify(Secret("http://s3cr3t/b"), (Secret("ntfy://s3cr3t"),)))

    assert [channel.label for channel in one] == ["the webhook", "Apprise, address 1 (ntfy)"]
    assert one[0].key != again[0].key
    assert one[1].key == again[1].key
    assert not [word for channel in one for word in (channel.key, channel.label) if "s3cr" in word]
    assert "s3cr3t" not in repr(one)


def test_all_is_well() -> None:
    """Has a message of its own."""
    well = message_of(News(over=(("stuck", "default"),)))

    assert isinstance(well, Message)
    assert (well.kind, well.title) == ("well", "immich-sync: all is well again")
