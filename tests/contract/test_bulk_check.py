"""The contract: what `bulk-upload-check` answers, the question that proves an upload."""

import base64
import hashlib
import uuid

import pytest

from tests.contract.conftest import Immich, new_photo

pytestmark = pytest.mark.anyio


async def test_bulk_check_verifies(immich: Immich) -> None:
    """After an upload its checksum, in hex or base64, is rejected with the asset's id."""
    photo = new_photo()
    asset_id = await immich.asset(photo)
    in_base64 = base64.b64encode(bytes.fromhex(photo.sha1)).decode()

    for result in await immich.check(photo.sha1, photo.sha1.upper(), in_base64):
        assert result["action"] == "reject"
        assert result["reason"] == "duplicate"
        assert result["assetId"] == asset_id
        assert result["isTrashed"] is False


async def test_bulk_check_keeps_order(immich: Immich) -> None:
    """Answers come in the order of the questions, each with its own id."""
    known = new_photo()
    await immich.asset(known)
    results = await immich.check(new_photo().sha1, known.sha1, new_photo().sha1)

    assert [result["id"] for result in results] == ["0", "1", "2"]
    assert [result["action"] for result in results] == ["accept", "reject", "accept"]


async def test_bulk_check_accepts_malformed_hex(immich: Immich) -> None:
    """A checksum that is none is not an error: it matches nothing."""
    photo = new_photo()
    await immich.asset(photo)
    results = await immich.check("zz" + photo.sha1[2:], photo.sha1[:-1], "nonsense")

    assert [result["action"] for result in results] == ["accept"] * 3


async def test_bulk_check_of_five_thousand(immich: Immich) -> None:
    """Five thousand checksums fit into one call."""
    many = [hashlib.sha1(uuid.uuid4().bytes, usedforsecurity=False).hexdigest()] * 5000
    results = await immich.check(*many)

    assert len(results) == 5000


async def test_bulk_check_of_too_many(immich: Immich) -> None:
    """More than the database takes in one query is a server's error, not an answer."""
    asked = [{"id": "", "checksum": f"{n:040x}"} for n in range(100_000)]
    response = await immich.http.post("/assets/bulk-upload-check", json={"assets": asked})

    assert response.status_code == 500
