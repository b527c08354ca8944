"""What the running engine answers, read with Prometheus' own parser."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from immich_sync.core import conditions
from immich_sync.engine import Engine
from immich_sync.health.door import Asked
from immich_sync.health.metrics import folder_labels
from immich_sync.health.pages import Pages
from immich_sync.machine import this_machine
from immich_sync.observing import Observer
from immich_sync.store.database import open_database
from tests.scene import household, photo, running

pytestmark = pytest.mark.anyio

UNITS = ("seconds", "bytes", "total", "info")
PLAIN = {
    "ready", "files", "jobs", "conditions", "server_up", "folder_online", "folder_watch_mode",
    "folder_inotify_watches", "inotify_watches_limit",
}  # fmt: skip
"""Gauges without a unit: they count things, or are 0 or 1."""


def pages_of(engine: Engine) -> Pages:
    """Its pages, always fresh."""
    observer = Observer(engine, 0.0, fresh=0.0)
    return Pages(lambda: observer)


async def page(pages: Pages, path: str, accept: str = "") -> tuple[int, str]:
    """Status and text."""
    found = await pages.answer(Asked(path, accept))
    return found.status, found.body.decode()


async def settle(pages: Pages, wanted: int, word: str = "") -> str:
    """What /readyz says as soon as it has this status, and this word in it."""
    with anyio.fail_after(20):
        while True:
            status, text = await page(pages, "/readyz")
            if status == wanted and word in text:
                return text
            await anyio.sleep(0.02)


async def synced(engine: Engine, count: int) -> None:
    """So many uploads have been proved."""
    with anyio.fail_after(20):
        while engine.crew.outcomes["uploaded"] < count or engine.crew.busy:  # noqa: ASYNC110 - no bell rings
            await anyio.sleep(0.02)


def read(text: str, parser: Callable[[str], Iterable[Metric]] = parse) -> dict[str, Metric]:
    """The metrics by name, as the client's own parser sees them."""
    return {one.name: one for one in parser(text)}


def values(families: Mapping[str, Metric], name: str) -> dict[tuple[str, ...], float]:
    """A metric's samples by the values of their labels."""
    found = families[f"immich_sync_{name}"].samples
    return {tuple(sample.labels.values()): sample.value for sample in found}


async def test_the_metrics_keep_their_promises(tmp_path: Path) -> None:
    """Each has our prefix, a unit or is a count, a type, a help text; both forms can be parsed."""
    async with household(tmp_path) as home, running(home) as engine:
        pages = pages_of(engine)
        home.put("a.jpg", photo(1))
        await settle(pages, 200)
        await synced(engine, 1)
        _, text = await page(pages, "/metrics")
        _, opened = await page(pages, "/metrics", "application/openmetrics-text; version=1.0.0")

    families = read(text)
    ours = {
        name.removeprefix("immich_sync_"): one
        for name, one in families.items()
        if name.startswith("immich_sync_")
    }
    assert len(ours) > 20
    assert {name for name in families if not name.startswith(("immich_sync_", "process_"))} == set()
    for name, one in ours.items():
        assert one.documentation.endswith(".")
        assert one.type in {"gauge", "counter", "histogram"}
        assert re.fullmatch("[a-z_]+", name)
        if one.type == "counter":
            assert all(sample.name.endswith("_total") for sample in one.samples)
        else:
            assert name in PLAIN or name.endswith(UNITS)
    assert set(read(opened, parse_open)) >= {"immich_sync_uploads", "immich_sync_build"}
    assert values(families, "files")["photos", "verified"] == 1
    assert values(families, "uploads") == {("default",): 1}
    assert values(families, "upload_bytes") == {("default",): pytest.approx(len(photo(1)), abs=900)}
    assert values(families, "server_up") == {("default",): 1}
    assert values(families, "folder_online") == {("photos",): 1}
    assert values(families, "folder_watch_mode")["photos", "inotify"] == 1
    assert values(families, "folder_inotify_watches") == {("photos",): 1}
    assert values(families, "ready") == {(): 1}
    assert set(values(families, "conditions")) == {(one,) for one in conditions.KINDS}
    counts = [one for one in ours["upload_duration_seconds"].samples if one.name.endswith("_count")]
    assert counts[0].value == 1


async def test_a_new_photo_s_way_is_timed(tmp_path: Path) -> None:
    """From the moment in which it was closed to its proof; what lay there is not timed."""
    async with household(tmp_path) as home, running(home) as engine:
        pages = pages_of(engine)
        home.put("old.jpg", photo(1))
        await settle(pages, 200)
        await synced(engine, 1)
        before = engine.measures.latency.cumulated()[-1]
        home.put("new.jpg", photo(2))
        await synced(engine, 2)

    assert engine.measures.latency.cumulated()[-1] == before + 1
    assert 0 < engine.measures.latency.sum < 20


async def test_strangers_learn_no_names(tmp_path: Path) -> None:
    """No path, no file's name, no key and no address of the server is in any answer."""
    async with household(tmp_path, relay=True) as home:
        home.configure(name="home/anna/photos")
        home.put("secret-trip.jpg", photo(1))
        async with running(home) as engine:
            pages = pages_of(engine)
            await settle(pages, 200)
            await synced(engine, 1)
            texts = [
                (await page(pages, one))[1] for one in ("/healthz", "/readyz", "/metrics", "/")
            ]
            await home.sandbox.relay.refuse()
            home.put("other-trip.jpg", photo(2))
            texts.append(await settle(pages, 503, "unreachable"))
            texts.append((await page(pages, "/metrics"))[1])

    for text in texts:
        for hidden in ("trip", "anna", str(tmp_path), home.sandbox.api_key, "127.0.0.1"):
            assert hidden not in text


async def test_a_server_that_is_down_is_no_reason_for_a_restart(tmp_path: Path) -> None:
    """It is not ready, and says why in words from a list; it is alive."""
    async with household(tmp_path, relay=True) as home:
        await home.sandbox.relay.refuse()
        async with running(home) as engine:
            pages = pages_of(engine)
            said = json.loads(await settle(pages, 503, '["server_unreachable"]'))
            assert said["ready"] is False
            assert await page(pages, "/healthz") == (200, "ok\n")


async def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    """Its disk is away: not ready, and counted as a condition."""
    async with household(tmp_path) as home:
        home.configure(root_check=0.05)
        home.put("a.jpg", photo(1))
        async with running(home) as engine:
            pages = pages_of(engine)
            await settle(pages, 200)
            await synced(engine, 1)
            home.photos.rename(tmp_path / "elsewhere")
            said = json.loads(await settle(pages, 503))
            families = read((await page(pages, "/metrics"))[1])

    assert said == {"ready": False, "failing": ["folder_offline"]}
    assert values(families, "folder_online") == {("photos",): 0}
    assert values(families, "conditions")["folder_offline",] == 1


async def test_a_daemon_that_stands_still_is_not_well(tmp_path: Path) -> None:
    """An engine that nobody runs has no feeder that could turn."""
    async with household(tmp_path) as home:
        with closing(open_database(tmp_path / "state.db")) as database:
            engine = Engine(home.setup, this_machine(home.setup.limits), database)
            status, _ = await page(pages_of(engine), "/healthz")

            assert status == 503
            labels = folder_labels(engine)
    assert labels == {"photos": "photos"}


async def test_there_is_nothing_else(tmp_path: Path) -> None:
    """Any other path is a 404 that names these three."""
    async with household(tmp_path) as home, running(home) as engine:
        pages = pages_of(engine)
        assert (await page(pages, "/"))[0] == 404
        await settle(pages, 200)
