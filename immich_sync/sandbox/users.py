"""People, their log-ins and their keys.

Its own module because a test that needs a second user or a limited key makes it here.
"""

from starlette.requests import Request
from starlette.responses import Response

from immich_sync.sandbox.call import Call, Dto, nothing, read_json, reply
from immich_sync.sandbox.errors import ApiError, invalid
from immich_sync.sandbox.permissions import PERMISSIONS
from immich_sync.sandbox.records import ApiKey, Session
from immich_sync.sandbox.state import State
from immich_sync.sandbox.wire import account_json, key_json, user_json


class NewUser(Dto):
    """An account to be made."""

    email: str
    name: str
    password: str
    is_admin: bool = False
    quota_size_in_bytes: int | None = None


class NewKey(Dto):
    """A key to be made."""

    name: str = "API Key"
    permissions: tuple[str, ...]


class Credentials(Dto):
    """Who logs in."""

    email: str
    password: str


async def me(call: Call) -> Response:
    """The caller."""
    return reply(account_json(call.state, call.auth.user))


async def list_users(call: Call) -> Response:
    """Everyone, as others see them."""
    return reply([user_json(user) for user in call.state.users])


def _demand_admin(call: Call) -> None:
    if not call.auth.user.is_admin:
        raise ApiError(403, "Forbidden")


async def admin_list(call: Call) -> Response:
    """Everyone, as an administrator sees them."""
    _demand_admin(call)
    return reply([account_json(call.state, user) for user in call.state.users])


async def admin_create(call: Call) -> Response:
    """A new account that can log in."""
    _demand_admin(call)
    order = await call.json(NewUser)
    email = order.email.lower()
    if any(user.email == email for user in call.state.users):
        raise ApiError(400, "User exists")
    user = call.state.add_user(
        email,
        order.name,
        order.password,
        is_admin=order.is_admin,
        quota=order.quota_size_in_bytes,
    )
    return reply(account_json(call.state, user), 201)


async def admin_delete(call: Call) -> Response:
    """The account is gone, and all that belonged to it."""
    _demand_admin(call)
    state, user = call.state, call.state.users.get(call.id())
    if user is None:
        raise ApiError(400, "User not found")
    if user.id == state.admin.id:
        raise ApiError(403, "Cannot delete admin user")
    answer = account_json(state, user)
    for asset in state.assets:
        if asset.owner_id == user.id:
            state.erase(asset)
    for album in state.albums:
        if album.owner_id == user.id:
            state.members.forget(album.id)
            state.albums.drop(album.id)
    for key in state.api_keys:
        if key.user_id == user.id:
            state.drop_key(key)
    state.users.drop(user.id)
    return reply(answer)


async def login(state: State, request: Request) -> Response:
    """A token that works as `Authorization: Bearer`."""
    order = await read_json(request, Credentials)
    email = order.email.lower()
    user = next((u for u in state.users if u.email == email), None)
    if user is None or user.password != order.password:
        raise ApiError(401, "Incorrect email or password")
    session = state.sessions.put(Session(state.new_id(), user.id, state.new_secret()))
    return reply(
        {
            "accessToken": session.token,
            "userId": user.id,
            "userEmail": user.email,
            "name": user.name,
            "isAdmin": user.is_admin,
            "isOnboarded": True,
            "profileImagePath": "",
            "shouldChangePassword": False,
        },
        201,
    )


async def my_key(call: Call) -> Response:
    """The key the caller uses, with its permissions; needs none of them."""
    if call.auth.key is None:
        raise ApiError(403, "Not authenticated with an API Key")
    return reply(key_json(call.auth.key))


async def list_keys(call: Call) -> Response:
    """The caller's keys, without their secrets."""
    return reply([key_json(k) for k in call.state.api_keys if k.user_id == call.auth.user.id])


async def create_key(call: Call) -> Response:
    """A new key; a key can hand on only what it may do itself."""
    order = await call.json(NewKey)
    if not order.permissions or not PERMISSIONS.issuperset(order.permissions):
        raise invalid("permissions", "Invalid option")
    if not all(call.auth.allows(permission) for permission in order.permissions):
        raise ApiError(400, "Cannot grant permissions you do not have")
    key = call.state.add_key(call.auth.user.id, order.name, order.permissions)
    return reply({"secret": key.secret, "apiKey": key_json(key)}, 201)


def _own_key(call: Call) -> ApiKey:
    key = call.state.api_keys.get(call.id())
    if key is None or key.user_id != call.auth.user.id:
        raise ApiError(400, "API Key not found")
    return key


async def get_key(call: Call) -> Response:
    """One of the caller's keys."""
    return reply(key_json(_own_key(call)))


async def delete_key(call: Call) -> Response:
    """The key does not work any more."""
    call.state.drop_key(_own_key(call))
    return nothing()
