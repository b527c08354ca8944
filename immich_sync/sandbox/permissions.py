"""The names of what an API key may be allowed to do.

Its own module because it is a table and nothing else.  Source: the `Permission` enum of the
server's own 3.1.0 description; `asset.replace` existed in 2.x.
"""

_TABLE = """
    all
    activity: create read update delete statistics
    apiKey: create read update delete
    asset: read update delete statistics share view download upload copy derive
    asset: edit.get edit.create edit.delete
    album: create read update delete statistics share download
    albumAsset: create delete
    albumUser: create update delete
    auth: changePassword
    authDevice: delete
    archive: read
    backup: list download upload delete
    duplicate: read delete
    face: create read update delete
    folder: read
    job: create read
    library: create read update delete statistics
    timeline: read download
    maintenance
    map: read search
    memory: create read update delete statistics
    memoryAsset: create delete
    notification: create read update delete
    partner: create read update delete
    person: create read update delete statistics merge reassign
    pinCode: create update delete
    plugin: create read update delete
    server: about apkLinks storage statistics versionCheck
    serverLicense: read update delete
    session: create read update delete lock
    sharedLink: create read update delete
    stack: create read update delete
    sync: stream
    syncCheckpoint: read update delete
    systemConfig: read update
    systemMetadata: read update
    tag: create read update delete asset
    user: read update
    userLicense: create read update delete
    userOnboarding: read update delete
    userPreference: read update
    userProfileImage: create read update delete
    queue: read update
    queueJob: create read update delete
    workflow: create read update delete
    adminUser: create read update delete
    adminSession: read
    adminAuth: unlinkAll
"""


def _read(table: str) -> frozenset[str]:
    names = {"asset.replace"}
    for line in table.strip().splitlines():
        group, _, actions = line.strip().partition(":")
        names |= {f"{group}.{action}" for action in actions.split()} or {group}
    return frozenset(names)


PERMISSIONS = _read(_TABLE)
"""Every permission's name, such as `asset.upload`; `all` is one of them."""
