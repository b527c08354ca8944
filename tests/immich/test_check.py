"""Which checksums the server has: matched by id, never guessed."""

import json

import anyio
import httpx
import pytest

from immich_sync.core.errors import NotImmich
from immich_sync.core.types import Checksum
from immich_sync.immich.check import MOST, Presence, bulk_check, checker
from immich_sync.immich.upload import upload
from immich_sync.sandbox import Sandbox, TooLarge
from tests.immich.scene import ASSET, LANE, connected, inline, photo, sha1

UNKNOWN = sha1(b"nobody has this")


@pytest.mark.anyio
@pytest.mark.parametrize("version", ["3.1.0", "2.7.5"])
async def test_there_trashed_and_not_there(version: str) -> None:
    """What is there is named, the trash is told apart, the unknown is nothing; in order."""
    kept, trashed = photo(1000), photo(1000)
    async with (
        Sandbox(version=version) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        ids = [
            (await upload(immich, file.announced(), file, None, inline, LANE)).asset_id
            for file in (kept, trashed)
        ]
        async with httpx.AsyncClient(headers={"x-api-key": sandbox.api_key}) as client:
            url = sandbox.url + "/api/assets"
            answer = await client.request("DELETE", url, json={"ids": [ids[1]]})
            assert answer.is_success
        found = await bulk_check(
            immich, [UNKNOWN, sha1(trashed.content), sha1(kept.content), UNKNOWN]
        )

    assert found == [
        Presence(None),
        Presence(ids[1], trashed=True),
        Presence(ids[0]),
        Presence(None),
    ]


@pytest.mark.anyio
async def test_large_questions_are_split() -> None:
    """No call carries more than 5,000 checksums; the answers come back as one."""
    checksums = [Checksum(n.to_bytes(20)) for n in range(2 * MOST + 1)]
    async with (
        Sandbox() as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        found = await bulk_check(immich, checksums)
        calls = sandbox.count(path="/api/assets/bulk-upload-check")

    assert found == [Presence(None)] * len(checksums)
    assert calls == 3


@pytest.mark.anyio
async def test_what_a_proxy_finds_too_large_is_asked_in_halves() -> None:
    """A limit in front of Immich makes the questions smaller; it is no word about the files."""
    checksums = [Checksum(n.to_bytes(20)) for n in range(64)]
    async with (
        Sandbox() as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        limit = sandbox.faults.add(TooLarge(1000), path="/api/assets/bulk-upload-check")
        found = await bulk_check(immich, checksums)
        sandbox.faults.add(TooLarge(0), path="/api/assets/bulk-upload-check")
        with pytest.raises(NotImmich, match="Even the smallest question"):
            await bulk_check(immich, checksums[:2])

    assert found == [Presence(None)] * len(checksums)
    assert limit.fired > 0


@pytest.mark.anyio
async def test_checks_coalesce() -> None:
    """Many files that ask at the same time cost one call."""
    async with (
        Sandbox() as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        check = checker(immich)
        async with check.running(), anyio.create_task_group() as askers:
            for n in range(50):
                askers.start_soon(check.ask, Checksum(n.to_bytes(20)))
        calls = sandbox.count(path="/api/assets/bulk-upload-check")

    assert calls == 1


def accept(id_: str) -> dict[str, object]:
    """Not there."""
    return {"id": id_, "action": "accept"}


def reject(id_: str, **changes: object) -> dict[str, object]:
    """There."""
    return {"id": id_, "action": "reject", "reason": "duplicate", "assetId": ASSET, **changes}


@pytest.mark.anyio
async def test_answers_are_matched_by_id() -> None:
    """The order of the answers does not matter."""

    def swapped(request: httpx.Request) -> httpx.Response:
        ids = [item["id"] for item in json.loads(request.content)["assets"]]
        return httpx.Response(200, json={"results": [reject(ids[1]), accept(ids[0])]})

    async with connected("http://nas", transport=httpx.MockTransport(swapped)) as immich:
        first, second = await bulk_check(immich, [UNKNOWN, UNKNOWN])

    assert first == Presence(None)
    assert second.asset_id == ASSET


@pytest.mark.anyio
@pytest.mark.parametrize(
    "results",
    [
        [],
        [accept("0")],
        [accept("0"), accept("0")],
        [accept("0"), accept("7")],
        [accept("0"), accept("1"), accept("1")],
        [accept("0"), reject("1", assetId=None)],
        [accept("0"), reject("1", assetId="../../x")],
        [accept("0"), {"id": "1", "action": "perhaps"}],
    ],
)
async def test_nothing_is_guessed(results: list[dict[str, object]]) -> None:
    """A missing, doubled, foreign or half answer is none: NotImmich, not "accept"."""
    mock = httpx.MockTransport(lambda _: httpx.Response(200, json={"results": results}))
    async with connected("http://nas", transport=mock) as immich:
        with pytest.raises(NotImmich):
            await bulk_check(immich, [UNKNOWN, UNKNOWN])
