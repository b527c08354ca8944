"""What the server says about itself, mostly to anyone.

Its own module because these endpoints need no account and touch no asset.
"""

import shutil

from starlette.responses import Response

from immich_sync.sandbox.call import Call, Json, reply
from immich_sync.sandbox.media_types import IMAGES, SIDECARS, VIDEOS
from immich_sync.sandbox.state import State


def well_known(_state: State) -> Json:
    """Where the API is, for clients that were given only the host."""
    return {"api": {"endpoint": "/api"}}


def ping(_state: State) -> Json:
    """The server is there."""
    return {"res": "pong"}


def version(state: State) -> Json:
    """Its version; 3.x says whether it is a prerelease."""
    major, minor, patch = state.version
    body: dict[str, object] = {"major": major, "minor": minor, "patch": patch}
    return body | {"prerelease": None} if state.modern else body


def media_types(_state: State) -> Json:
    """The extensions it takes."""
    return {"image": sorted(IMAGES), "video": sorted(VIDEOS), "sidecar": sorted(SIDECARS)}


def features(state: State) -> Json:
    """What is switched on."""
    names = (
        "configFile duplicateDetection email facialRecognition importFaces map oauth "
        "oauthAutoLaunch ocr reverseGeocoding smartSearch"
    )
    body: dict[str, object] = dict.fromkeys(names.split(), False)
    body |= {"passwordLogin": True, "search": True, "sidecar": True, "trash": state.trash}
    return body | {"realtimeTranscoding": False} if state.modern else body


def config(state: State) -> Json:
    """How it is set up."""
    return {
        "externalDomain": "",
        "isInitialized": True,
        "isOnboarded": True,
        "loginPageMessage": "",
        "maintenanceMode": state.maintenance,
        "mapDarkStyleUrl": "https://tiles.immich.cloud/v1/style/dark.json",
        "mapLightStyleUrl": "https://tiles.immich.cloud/v1/style/light.json",
        "minFaces": 3,
        "oauthButtonText": "Login with OAuth",
        "publicUsers": True,
        "trashDays": 30,
        "userDeleteDelay": 7,
    }


async def about(call: Call) -> Response:
    """The version, for people."""
    name = "v" + ".".join(map(str, call.state.version))
    url = f"https://github.com/immich-app/immich/releases/tag/{name}"
    return reply({"version": name, "versionUrl": url, "licensed": False})


async def storage(call: Call) -> Response:
    """How full its disk is."""
    usage = shutil.disk_usage(call.state.data)
    free = usage.free if call.state.free is None else call.state.free
    gib = 1024**3
    return reply(
        {
            "diskAvailable": f"{free / gib:.1f} GiB",
            "diskAvailableRaw": free,
            "diskSize": f"{usage.total / gib:.1f} GiB",
            "diskSizeRaw": usage.total,
            "diskUse": f"{usage.used / gib:.1f} GiB",
            "diskUseRaw": usage.used,
            "diskUsagePercentage": round(100 * usage.used / usage.total, 2),
        }
    )
