"""Records as the server writes them, in the shape of its version.

Its own module because the shapes of 2.7 and 3.x differ in a handful of fields, and that belongs
in one place.  Source: the server's own 3.1.0 description and the generated client of 2.7.5.
"""

import json
from base64 import b64encode

from immich_sync.sandbox.call import Json
from immich_sync.sandbox.media_types import mime_type
from immich_sync.sandbox.records import Album, ApiKey, Asset, SharedLink, Stack, Tag, User
from immich_sync.sandbox.state import State


def user_json(user: User) -> Json:
    """A user as others see them."""
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "avatarColor": "primary",
        "profileImagePath": "",
        "profileChangedAt": user.created_at,
    }


def account_json(state: State, user: User) -> Json:
    """A user as they see themselves, and as an administrator does."""
    return {
        **user_json(user),
        "createdAt": user.created_at,
        "updatedAt": user.created_at,
        "deletedAt": None,
        "isAdmin": user.is_admin,
        "license": None,
        "oauthId": "",
        "quotaSizeInBytes": user.quota,
        "quotaUsageInBytes": state.usage(user.id),
        "shouldChangePassword": False,
        "status": "active",
        "storageLabel": "admin" if user.is_admin else None,
    }


def key_json(key: ApiKey) -> Json:
    """A key without its secret."""
    return {
        "id": key.id,
        "name": key.name,
        "permissions": list(key.permissions),
        "createdAt": key.created_at,
        "updatedAt": key.created_at,
    }


def shown_at(asset: Asset) -> str:
    """The date the server shows: the file's own (which this one does not read), else the earliest.

    Source: Immich 3.1, metadata.service.
    """
    return asset.date_time_original or min(asset.file_created_at, asset.file_modified_at)


def asset_json(state: State, asset: Asset) -> Json:
    """An asset with everything a generated client insists on."""
    owner = state.users.get(asset.owner_id)
    stack = state.stacks.get(asset.stack_id)
    body: dict[str, object] = {
        "id": asset.id,
        "checksum": b64encode(bytes.fromhex(asset.checksum)).decode(),
        "createdAt": asset.created_at,
        "updatedAt": asset.updated_at,
        "duplicateId": None,
        "duration": None if asset.duration is None else int(asset.duration),
        "exifInfo": _exif_json(asset),
        "fileCreatedAt": shown_at(asset),
        "fileModifiedAt": asset.file_modified_at,
        "localDateTime": shown_at(asset),
        "hasMetadata": True,
        "height": None,
        "width": None,
        "isArchived": asset.visibility == "archive",
        "isEdited": False,
        "isFavorite": asset.is_favorite,
        "isOffline": False,
        "isTrashed": asset.trashed_at is not None,
        "libraryId": asset.library_id,
        "livePhotoVideoId": asset.live_photo_video_id,
        "originalFileName": asset.original_file_name,
        "originalMimeType": mime_type(asset.original_file_name),
        "originalPath": asset.path if asset.library_id else f"/data/{asset.path}",
        "owner": None if owner is None else user_json(owner),
        "ownerId": asset.owner_id,
        "people": [],
        "resized": True,
        "stack": None if stack is None else _stack_summary(state, stack),
        "tags": [tag_json(t) for i in state.tagged.holding(asset.id) if (t := state.tags.get(i))],
        "thumbhash": None,
        "type": asset.kind,
        "visibility": asset.visibility,
    }
    if not state.modern:
        body |= {
            "deviceAssetId": asset.device_asset_id,
            "deviceId": asset.device_id,
            "duration": asset.duration or "0:00:00.00000",
        }
    return body


def _exif_json(asset: Asset) -> Json:
    unread = (
        "city country exifImageHeight exifImageWidth exposureTime fNumber focalLength iso "
        "lensModel make model modifyDate orientation projectionType state timeZone"
    )
    return dict.fromkeys(unread.split()) | {
        "dateTimeOriginal": shown_at(asset),
        "description": asset.description,
        "fileSizeInByte": asset.size,
        "latitude": asset.latitude,
        "longitude": asset.longitude,
        "rating": asset.rating,
    }


def _stack_summary(state: State, stack: Stack) -> Json:
    count = sum(1 for a in state.assets if a.stack_id == stack.id)
    return {"id": stack.id, "primaryAssetId": stack.primary_id, "assetCount": count}


def stack_json(state: State, stack: Stack) -> Json:
    """A stack, its primary asset first."""
    assets = sorted(
        (a for a in state.assets if a.stack_id == stack.id), key=lambda a: a.id != stack.primary_id
    )
    return {
        "id": stack.id,
        "primaryAssetId": stack.primary_id,
        "assets": [asset_json(state, a) for a in assets],
    }


def tag_json(tag: Tag) -> Json:
    """A tag; `name` is the last part of its value."""
    body = {
        "id": tag.id,
        "name": tag.value.rpartition("/")[2],
        "value": tag.value,
        "createdAt": tag.created_at,
        "updatedAt": tag.created_at,
    }
    return body if tag.parent_id is None else body | {"parentId": tag.parent_id}


def visible_members(state: State, album: Album) -> list[Asset]:
    """The album's assets that are not in the trash."""
    found = [state.assets.get(i) for i in state.members.of(album.id)]
    return [a for a in found if a is not None and a.trashed_at is None]


def album_json(state: State, album: Album, *, with_assets: bool = False) -> Json:
    """An album; only 2.x names the owner beside the users, and can list the assets."""
    assets = visible_members(state, album)
    dates = sorted(shown_at(a) for a in assets)
    owner = state.users.get(album.owner_id)
    users: list[Json] = [
        {"user": user_json(user), "role": member.role}
        for member in album.users
        if (user := state.users.get(member.user_id))
    ]
    linked = any(link.album_id == album.id for link in state.links)
    body: dict[str, object] = {
        "id": album.id,
        "albumName": album.name,
        "description": album.description,
        "albumThumbnailAssetId": assets[0].id if assets else None,
        "assetCount": len(assets),
        "createdAt": album.created_at,
        "updatedAt": album.updated_at,
        "hasSharedLink": linked,
        "isActivityEnabled": True,
        "order": "desc",
        "shared": bool(users) or linked,
    }
    if dates:
        body |= {"startDate": dates[0], "endDate": dates[-1]}
        body["lastModifiedAssetTimestamp"] = max(a.updated_at for a in assets)
    owner_json = None if owner is None else user_json(owner)
    if state.modern:
        return body | {"albumUsers": [{"user": owner_json, "role": "owner"}, *users]}
    listed = [asset_json(state, a) for a in assets] if with_assets else []
    legacy = {"owner": owner_json, "ownerId": album.owner_id, "assets": listed}
    return body | legacy | {"albumUsers": users}


def link_json(state: State, link: SharedLink) -> Json:
    """A shared link, its key included: whoever may see this made it."""
    album = state.albums.get(link.album_id)
    assets = [a for i in state.linked.of(link.id) if (a := state.assets.get(i))]
    body: dict[str, object] = {
        "id": link.id,
        "userId": link.user_id,
        "type": link.type,
        "key": link.key,
        "slug": link.slug,
        "password": link.password,
        "description": link.description,
        "expiresAt": link.expires_at,
        "allowDownload": link.allow_download,
        "allowUpload": link.allow_upload,
        "showMetadata": link.show_metadata,
        "createdAt": link.created_at,
        "assets": [asset_json(state, a) for a in assets],
    }
    return body if album is None else body | {"album": album_json(state, album)}


def metadata_json(asset: Asset) -> list[Json]:
    """The asset's free metadata."""
    return [
        {"key": m.key, "value": json.loads(m.value), "updatedAt": m.updated_at}
        for m in asset.metadata
    ]
