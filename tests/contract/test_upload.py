"""The contract: how a file comes to the server, and what it makes of every part of the upload."""

import base64
import json
import uuid
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.contract.conftest import DATE, Immich, new_name, new_photo

pytestmark = pytest.mark.anyio

BOUNDARY = "contract-boundary"
XMP = b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def part(name: str, content: bytes | str, file_name: str | None = None) -> bytes:
    """One part of a multipart body, byte for byte as asked."""
    disposition = f'form-data; name="{name}"'
    if file_name is not None:
        disposition += f'; filename="{file_name}"'
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
    return head + (content if isinstance(content, bytes) else content.encode()) + b"\r\n"


async def send(immich: Immich, *parts: bytes, end: bytes | None = None) -> httpx.Response:
    """The answer to a multipart body made of these parts, in this order."""
    closing = f"--{BOUNDARY}--\r\n".encode() if end is None else end
    response = await immich.http.post(
        "/assets",
        content=b"".join(parts) + closing,
        headers={"content-type": f"multipart/form-data; boundary={BOUNDARY}"},
    )
    return immich.remember(response)


def texts(immich: Immich) -> bytes:
    """The parts that every upload needs beside its file."""
    return b"".join(part(name, value) for name, value in immich.fields().items())


async def original_name(immich: Immich, response: httpx.Response) -> str:
    """The name under which the server knows what was uploaded."""
    assert response.status_code == 201, response.text
    asset = await immich.http.get(f"/assets/{response.json()['id']}")
    return str(asset.json()["originalFileName"])


async def test_new_file(immich: Immich) -> None:
    """Bytes that the server did not have are created: 201."""
    response = await immich.upload(new_photo().content)

    assert response.status_code == 201
    assert response.json()["status"] == "created"
    assert response.json()["id"] == str(uuid.UUID(response.json()["id"]))


async def test_same_bytes_again(immich: Immich) -> None:
    """The same bytes under another name are a duplicate of the same asset: 200."""
    photo = new_photo()
    asset_id = await immich.asset(photo)
    response = await immich.upload(photo.content, "other.jpg")

    assert response.status_code == 200
    assert response.json() == {"id": asset_id, "status": "duplicate"}


async def test_stored_checksum(immich: Immich) -> None:
    """The asset's checksum is the SHA-1 of the bytes sent, in base64."""
    photo = new_photo(300_000)
    asset = (await immich.http.get(f"/assets/{await immich.asset(photo)}")).json()

    assert asset["checksum"] == base64.b64encode(bytes.fromhex(photo.sha1)).decode()


@pytest.mark.parametrize("encoding", ["hex", "base64"])
async def test_announced_duplicate(immich: Immich, encoding: str) -> None:
    """A known checksum in the header is a duplicate whatever the body holds."""
    photo = new_photo()
    asset_id = await immich.asset(photo)
    announced = {
        "hex": photo.sha1,
        "base64": base64.b64encode(bytes.fromhex(photo.sha1)).decode(),
    }[encoding]
    response = await immich.upload(new_photo().content, headers={"x-immich-checksum": announced})

    assert response.status_code == 200
    assert response.json() == {"id": asset_id, "status": "duplicate"}


async def test_announced_duplicate_is_answered_before_the_body(immich: Immich) -> None:
    """The answer to a known checksum does not wait for a single byte of the body."""
    photo = new_photo()
    asset_id = await immich.asset(photo)
    url = httpx.URL(immich.url)
    authority = f"{url.host}:{url.port}" if url.port else url.host
    head = (
        f"POST /api/assets HTTP/1.1\r\nHost: {authority}\r\n"
        f"x-api-key: {immich.http.headers['x-api-key']}\r\nx-immich-checksum: {photo.sha1}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: 1000\r\n\r\n"
    )
    answer = await immich.raw(head.encode())

    assert answer.startswith(b"HTTP/1.1 200")
    assert asset_id.encode() in answer


async def test_announced_checksum_is_not_compared(immich: Immich) -> None:
    """An unknown checksum in the header is believed by nobody: what arrives is what counts."""
    photo, other = new_photo(), new_photo()
    response = await immich.upload(photo.content, headers={"x-immich-checksum": other.sha1})

    assert response.status_code == 201
    mine, theirs = await immich.check(photo.sha1, other.sha1)
    assert mine["action"] == "reject"
    assert theirs["action"] == "accept"


async def test_body_cut_before_its_boundary_by_the_connection(immich: Immich) -> None:
    """All file bytes arrived, then the connection went: nothing was created."""
    photo = new_photo(100_000)
    parts = texts(immich) + part("assetData", photo.content, "a.jpg")

    async def cut() -> AsyncIterator[bytes]:
        yield parts

    with pytest.raises((httpx.HTTPError, OSError)):
        await immich.http.post(
            "/assets",
            content=Broken(cut()),
            headers={
                "content-type": f"multipart/form-data; boundary={BOUNDARY}",
                "content-length": str(len(parts) + len(BOUNDARY) + 6),
            },
        )
    (result,) = await immich.check(photo.sha1)

    assert result["action"] == "accept"


class Broken(httpx.AsyncByteStream):
    """A body whose sender fails after the last block instead of ending it."""

    def __init__(self, blocks: AsyncIterator[bytes]) -> None:
        self._blocks = blocks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for block in self._blocks:
            yield block
        raise OSError("the sender gave up")


async def test_body_without_closing_boundary(immich: Immich) -> None:
    """A body of the announced length that never closes its boundary is 400 and creates nothing."""
    photo = new_photo()
    filler = b"-" * (len(BOUNDARY) + 6)
    parts = (texts(immich), part("assetData", photo.content, "a.jpg"))
    response = await send(immich, *parts, end=filler)
    (result,) = await immich.check(photo.sha1)

    assert response.status_code == 400
    assert result["action"] == "accept"


async def test_empty_file(immich: Immich) -> None:
    """A file without bytes is refused."""
    response = await immich.upload(b"")

    assert response.status_code == 400
    assert "File is empty" in response.text


async def test_unsupported_type(immich: Immich) -> None:
    """A name the server does not take is refused, and named."""
    response = await immich.upload(new_photo().content, "e.txt")

    assert response.status_code == 400
    assert "Unsupported file type e.txt" in response.text


@pytest.mark.parametrize("name", ["a.JPG", "a.Heic", "a.dng", "a.MOV"])
async def test_suffix_in_any_case(immich: Immich, name: str) -> None:
    """Extensions count in upper and lower case."""
    assert (await immich.upload(new_photo().content, name)).status_code == 201


async def test_file_name_of_the_part(immich: Immich) -> None:
    """The part's own name is kept as raw UTF-8; `%22` is not decoded."""
    name = f"{new_name('Größe 📷')} %22.jpg"
    response = await send(immich, texts(immich), part("assetData", new_photo().content, name))

    assert await original_name(immich, response) == name


@pytest.mark.parametrize(
    ("sent", "stored"),
    [(r"a\"b.jpg", 'a"b.jpg'), ("folder/a.jpg", "a.jpg"), ("C:\\folder\\a.jpg", "a.jpg")],
)
async def test_file_name_of_the_part_is_cleaned(immich: Immich, sent: str, stored: str) -> None:
    r"""In the part's own name `\"` is unescaped, and all up to the last slash is cut off."""
    response = await send(immich, texts(immich), part("assetData", new_photo().content, sent))

    assert await original_name(immich, response) == stored


async def test_filename_field_last(immich: Immich) -> None:
    """A `filename` field after the files names the asset exactly, quotes and slashes included."""
    name = 'trip/a "nice" day.jpg'
    response = await send(
        immich,
        texts(immich),
        part("assetData", new_photo().content, "ignored.jpg"),
        part("sidecarData", XMP, "ignored.jpg.xmp"),
        part("filename", name),
    )

    assert await original_name(immich, response) == name


async def test_filename_field_before_the_sidecar(immich: Immich) -> None:
    """A `filename` field before the sidecar makes the server judge the sidecar by it: 400."""
    photo = new_photo()
    response = await send(
        immich,
        texts(immich),
        part("filename", "b.jpg"),
        part("assetData", photo.content, "a.jpg"),
        part("sidecarData", XMP, "a.jpg.xmp"),
    )
    (result,) = await immich.check(photo.sha1)

    assert response.status_code == 400
    assert "Unsupported file type b.jpg" in response.text
    assert result["action"] == "accept"


async def test_sidecar(immich: Immich) -> None:
    """A sidecar may come with the file."""
    assert (await immich.upload(new_photo().content, sidecar=XMP)).status_code == 201


async def test_sidecar_must_be_xmp(immich: Immich) -> None:
    """A sidecar of another kind fails the whole upload."""
    response = await send(
        immich,
        texts(immich),
        part("assetData", new_photo().content, "a.jpg"),
        part("sidecarData", b"{}", "a.jpg.json"),
    )

    assert response.status_code == 400


async def test_empty_sidecar(immich: Immich) -> None:
    """On 3.x an empty sidecar fails the whole upload."""
    photo = new_photo()
    response = await immich.upload(photo.content, sidecar=b"")

    if immich.modern:
        (result,) = await immich.check(photo.sha1)
        assert response.status_code == 400
        assert result["action"] == "accept"


@pytest.mark.parametrize("field", ["fileCreatedAt", "fileModifiedAt"])
@pytest.mark.parametrize("value", [None, "yesterday", ""])
async def test_date_is_required(immich: Immich, field: str, value: str | None) -> None:
    """Both dates must be there and be dates."""
    photo = new_photo()
    response = await immich.upload(photo.content, extra={field: value})
    (result,) = await immich.check(photo.sha1)

    assert response.status_code == 400
    assert result["action"] == "accept"


@pytest.mark.parametrize("field", ["fileCreatedAt", "fileModifiedAt"])
async def test_naive_date(immich: Immich, field: str) -> None:
    """A date without a zone is taken by 2.7 and refused by 3.x."""
    response = await immich.upload(new_photo().content, extra={field: "2024-05-06T07:08:09"})

    assert response.status_code == (400 if immich.modern else 201)
    if immich.modern:
        assert response.json()["message"] == "Validation failed"


async def test_date_with_offset(immich: Immich) -> None:
    """A date may have an offset; the server keeps the moment."""
    moment = "2024-05-06T09:08:09.123+02:00"
    response = await immich.upload(new_photo().content, fileCreatedAt=moment, fileModifiedAt=moment)
    assert response.status_code == 201
    asset = (await immich.http.get(f"/assets/{response.json()['id']}")).json()

    assert asset["fileModifiedAt"] in {DATE, DATE.replace("Z", "+00:00")}


@pytest.mark.parametrize("field", ["deviceAssetId", "deviceId"])
async def test_device_fields(immich: Immich, field: str) -> None:
    """2.7 insists on the device fields, 3.x does not know them."""
    response = await immich.upload(new_photo().content, extra={field: None})

    assert response.status_code == (201 if immich.modern else 400)


@pytest.mark.parametrize(("value", "favorite"), [("true", True), ("false", False)])
async def test_favorite(immich: Immich, value: str, *, favorite: bool) -> None:
    """`isFavorite` is `true` or `false`."""
    response = await immich.upload(new_photo().content, isFavorite=value)
    assert response.status_code == 201
    asset = (await immich.http.get(f"/assets/{response.json()['id']}")).json()

    assert asset["isFavorite"] is favorite


async def test_favorite_in_pythons_spelling(immich: Immich) -> None:
    """3.x refuses `True`; what 2.7 makes of it is left open."""
    response = await immich.upload(new_photo().content, isFavorite="True")

    if immich.modern:
        assert response.status_code == 400


@pytest.mark.parametrize("visibility", ["archive", "hidden", "timeline"])
async def test_visibility(immich: Immich, visibility: str) -> None:
    """Where the asset shows is said with the upload."""
    response = await immich.upload(new_photo().content, visibility=visibility)
    assert response.status_code == 201
    asset = (await immich.http.get(f"/assets/{response.json()['id']}")).json()

    assert asset["visibility"] == visibility


async def test_duration_in_the_old_form(immich: Immich) -> None:
    """`0:00:00.000` is what 2.7 wants, and what 3.x refuses."""
    response = await immich.upload(new_photo().content, duration="0:00:00.000")

    assert response.status_code == (400 if immich.modern else 201)


async def test_metadata_with_the_upload(immich: Immich) -> None:
    """Keys and values may come with the upload, as JSON text."""
    items = json.dumps([{"key": "contract", "value": {"sha1": "abc"}}])
    asset_id = await immich.asset(metadata=items)
    stored = (await immich.http.get(f"/assets/{asset_id}/metadata")).json()

    assert {"sha1": "abc"} in [item["value"] for item in stored if item["key"] == "contract"]


async def test_live_photo(immich: Immich) -> None:
    """A still that names its video is linked to it, and the video is hidden."""
    video = await immich.asset(name="a.mov", visibility="hidden")
    still = await immich.asset(name="a.heic", livePhotoVideoId=video)
    linked = (await immich.http.get(f"/assets/{still}")).json()
    motion = (await immich.http.get(f"/assets/{video}")).json()

    assert linked["livePhotoVideoId"] == video
    assert motion["visibility"] == "hidden"


async def test_live_photo_without_video(immich: Immich) -> None:
    """A still that names a video nobody has is refused."""
    response = await immich.upload(new_photo().content, livePhotoVideoId=str(uuid.uuid4()))

    assert response.status_code == 400
    assert "Live photo video not found" in response.text


async def test_live_photo_with_a_still(immich: Immich) -> None:
    """A motion part must be a video."""
    response = await immich.upload(new_photo().content, livePhotoVideoId=await immich.asset())

    assert response.status_code == 400
    assert "must be a video" in response.text


async def test_duplicate_discards_the_rest(immich: Immich) -> None:
    """What is sent along with bytes that are there already changes nothing."""
    photo = new_photo()
    asset_id = await immich.asset(photo)
    response = await immich.upload(photo.content, isFavorite="true")
    asset = (await immich.http.get(f"/assets/{asset_id}")).json()

    assert response.status_code == 200
    assert asset["isFavorite"] is False
