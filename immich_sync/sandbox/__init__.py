"""Immich in small: a server that behaves as Immich 2.7.5 or 3.1.0 does, for tests and the demo.

Its own package because it is what other people's tests run against, too; it needs nothing else of
immich_sync.  The public names:

- `Sandbox(version=, data=, api_key=, host=, port=, relay=, trash=, thumbnail_delay=, rng=)`: an
  `async with` that serves on the loopback (asyncio).  `.url`, `.port`, `.api_key`, `.assets()`,
  `.albums()`, `.requests`, `.count(method, path, status)`, `.stray_files()`, `.add_user(email)`,
  `.add_key(*permissions)`, `.faults`, `.relay`, `.data`, `.state`.
- `serve(ready=, host=, port=, data=, server_version=, api_key=)`: the same until cancelled.
- `State(data, version=, now=, rng=, …)` and `create_app(state)`: the server without a socket and
  without a thread, for `httpx.ASGITransport` under any async backend and any clock; put
  `with_faults(app, faults, state)` around it, and a `FaultyTransport` in front of that.
- `stored_assets(state)`, `stored_albums(state)`, `stray_files(state)`, `count(requests, …)` with
  their values `StoredAsset`, `StoredAlbum`, `Exchange`.
- `Faults.add(fault, method=, path=, exact=, skip=, times=)`, which returns a `Rule` that counts how
  often it `fired`.  Faults above HTTP: `Status`, `Delay`, `Maintenance`, `Quota`, `TooLarge`,
  `Html`.  On the wire (with `relay=True`): `ResetRequest`, `ResetResponse`, `LostAnswer`,
  `EarlyAnswer`, `SlowRead`, and `await sandbox.relay.refuse()` / `.accept()`.  In a
  `FaultyTransport`: `Refuse`, `ResetRequest`, `ResetResponse`, `LostAnswer`.
"""

from immich_sync.sandbox.app import create_app
from immich_sync.sandbox.faults import (
    Delay,
    EarlyAnswer,
    Fault,
    Faults,
    Html,
    LostAnswer,
    Maintenance,
    Quota,
    Refuse,
    ResetRequest,
    ResetResponse,
    Rule,
    SlowRead,
    Status,
    TooLarge,
)
from immich_sync.sandbox.faulty_app import with_faults
from immich_sync.sandbox.inspection import (
    StoredAlbum,
    StoredAsset,
    count,
    stored_albums,
    stored_assets,
    stray_files,
)
from immich_sync.sandbox.relay import Relay
from immich_sync.sandbox.server import Sandbox, serve
from immich_sync.sandbox.state import Exchange, State
from immich_sync.sandbox.transport import FaultyTransport

__all__ = [
    "Delay",
    "EarlyAnswer",
    "Exchange",
    "Fault",
    "Faults",
    "FaultyTransport",
    "Html",
    "LostAnswer",
    "Maintenance",
    "Quota",
    "Refuse",
    "Relay",
    "ResetRequest",
    "ResetResponse",
    "Rule",
    "Sandbox",
    "SlowRead",
    "State",
    "Status",
    "StoredAlbum",
    "StoredAsset",
    "TooLarge",
    "count",
    "create_app",
    "serve",
    "stored_albums",
    "stored_assets",
    "stray_files",
    "with_faults",
]
