"""The numbers in Prometheus' form.

Its own module because names, units and types are a promise to whoever draws curves of them
(https://prometheus.io/docs/practices/naming): nobody else needs to know them.
"""

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder

from immich_sync.core.conditions import KINDS, Condition
from immich_sync.core.errors import FileTrouble, ServerTrouble
from immich_sync.core.measures import Histogram
from immich_sync.core.status import Status
from immich_sync.engine import Engine
from immich_sync.filesystem.allowances import watch_limit
from immich_sync.health import readiness
from immich_sync.observing import Observer
from immich_sync.version import VERSION

MODES = ("inotify", "poll", "both", "degraded")
OUTCOMES = (
    "uploaded", "already_there", "trashed", "removed", "missing", "held", "vanished", "failed",
    "given_up",
)  # fmt: skip
JOBS = ("pending", "waiting", "running", "failed")
_FILES: Mapping[str, str] = {
    "verified": "verified", "due": "pending", "trashed": "trashed", "failed": "failed",
    "ignored": "ignored", "settling": "settling",
}  # fmt: skip


class Metrics:
    """Everything that is measured; `render` it again and again."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._families: Sequence[Metric] = ()
        self._registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """What was gathered last (the client's own interface)."""
        return self._families

    async def render(self, observer: Observer, accept: str = "") -> tuple[bytes, str]:
        """All metrics in the form that `accept` prefers, and that form's content type."""
        status, engine = await observer.status(), observer.engine
        self._families = [
            *_program(engine),
            *(() if status is None else _of_status(status, engine)),
            _conditions(observer.standing(status)),
            *_of_folders(engine),
            *_of_work(engine),
        ]
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


def folder_labels(engine: Engine) -> Mapping[str, str]:
    """Each folder's label by its name: the last part of it, for some names hold parts of paths."""
    labels: dict[str, str] = {}
    for folder in engine.setup.folders:
        short = folder.name.rstrip("/").rpartition("/")[2] or "/"
        taken, number, label = set(labels.values()), 1, short
        while label in taken:
            number += 1
            label = f"{short}-{number}"
        labels[folder.name] = label
    return labels


def _program(engine: Engine) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "immich_sync_build",
        "What is running.",
        value={"version": VERSION, "python": platform.python_version()},
    )
    yield _gauge(
        "ready", "Whether /readyz says so: servers answer and folders are online.",
        {(): not readiness.failing(engine)},
    )  # fmt: skip


def _of_status(status: Status, engine: Engine) -> Iterator[Metric]:
    labels = folder_labels(engine)
    folders = {labels[one.name]: one for one in status.folders if one.name in labels}
    yield _gauge(
        "files", "Files by folder and state; a file may be in several states.",
        {
            (label, state): getattr(folder, field)
            for label, folder in folders.items() for state, field in _FILES.items()
        },
        "folder", "state",
    )  # fmt: skip
    yield _gauge(
        "folder_bytes", "Bytes of the files that are known, by folder.",
        {(label,): folder.bytes for label, folder in folders.items()}, "folder",
    )  # fmt: skip
    yield _gauge(
        "folder_last_new_timestamp_seconds", "When a new photo was last seen, by folder.",
        {(label,): at for label, one in folders.items() if (at := one.last_new) is not None},
        "folder",
    )  # fmt: skip
    now = engine.world.clock.now()
    yield _gauge(
        "queue_age_seconds", "How long the file that waits longest has been due, by folder.",
        {
            (label,): max(0.0, now - (one.waiting_since or now))
            for label, one in folders.items()
        },
        "folder",
    )  # fmt: skip
    yield _gauge(
        "jobs", "Files that are due, wait for a time, are worked on, or were given up.",
        {(state,): getattr(status.jobs, state) for state in JOBS}, "state",
    )  # fmt: skip


def _conditions(standing: Sequence[Condition]) -> Metric:
    return _gauge(
        "conditions", "What needs a person, by kind; see docs/monitoring.md.",
        {(kind,): sum(one.what == kind for one in standing) for kind in KINDS}, "condition",
    )  # fmt: skip


def _of_folders(engine: Engine) -> Iterator[Metric]:
    labels = folder_labels(engine)
    intakes = {labels[one.folder.name]: one for one in engine.intakes.values()}
    yield _gauge(
        "server_up", "Whether the account's server answers, and accepts the key.",
        {(name,): link.immich.gate.trouble is None for name, link in engine.links.items()},
        "account",
    )  # fmt: skip
    yield _gauge(
        "folder_online", "Whether the folder's disk is there and believed.",
        {(label,): intake.root.online for label, intake in intakes.items()}, "folder",
    )  # fmt: skip
    health = {label: intake.health() for label, intake in intakes.items()}
    yield _gauge(
        "folder_watch_mode", "How the folder is watched: 1 for one of the modes.",
        {(label, mode): one.mode == mode for label, one in health.items() for mode in MODES},
        "folder", "mode",
    )  # fmt: skip
    yield _gauge(
        "folder_inotify_watches", "Directories watched with inotify, by folder.",
        {(label,): one.watches for label, one in health.items()}, "folder",
    )  # fmt: skip
    limit = watch_limit()
    yield _gauge(
        "inotify_watches_limit", "Directories that this user may watch.",
        {} if limit is None else {(): limit},
    )  # fmt: skip
    scans = {label: one.last_scan for label, one in intakes.items() if one.last_scan}
    yield _gauge(
        "folder_last_scan_timestamp_seconds", "When the last full scan began, by folder.",
        {(label,): scan.began for label, scan in scans.items()}, "folder",
    )  # fmt: skip
    yield _gauge(
        "folder_last_scan_duration_seconds", "How long the last full scan took, by folder.",
        {(label,): scan.took for label, scan in scans.items()}, "folder",
    )  # fmt: skip


def _of_work(engine: Engine) -> Iterator[Metric]:
    measures, accounts = engine.measures, [one.name for one in engine.setup.accounts]
    yield _counter(
        "attempts", "Attempts at files that came to an end, by outcome.", "outcome",
        {**dict.fromkeys(OUTCOMES, 0), **measures.outcomes},
    )  # fmt: skip
    yield _counter(
        "errors", "What went wrong in attempts, by class.", "class",
        {**dict.fromkeys(_classes(), 0), **measures.errors},
    )  # fmt: skip
    yield _counter(
        "uploads", "Uploads that the server answered, by account.", "account",
        {**dict.fromkeys(accounts, 0), **measures.uploads},
    )  # fmt: skip
    yield _counter(
        "upload_bytes", "Bytes of uploads that went out, by account.", "account",
        {**dict.fromkeys(accounts, 0), **measures.sent},
    )  # fmt: skip
    yield _histogram(
        "upload_duration_seconds", "How long one answered upload took.", measures.upload_time
    )
    yield _histogram(
        "latency_seconds",
        "From a new file's last change to the server's proof of its checksum.",
        measures.latency,
    )


def _classes() -> list[str]:
    families = (FileTrouble, ServerTrouble)
    return [one.__name__ for family in families for one in family.__subclasses__()]


def _gauge(
    name: str, help_text: str, samples: Mapping[tuple[str, ...], float], *labels: str
) -> Metric:
    family = GaugeMetricFamily(f"immich_sync_{name}", help_text, labels=labels)
    for values, value in samples.items():
        family.add_metric(values, float(value))
    return family


def _counter(name: str, help_text: str, label: str, samples: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"immich_sync_{name}", help_text, labels=[label])
    for value, count in samples.items():
        family.add_metric([value], count)
    return family


def _histogram(name: str, help_text: str, measured: Histogram) -> Metric:
    bounds = [*(f"{bound:g}" for bound in measured.bounds), "+Inf"]
    buckets = list(zip(bounds, map(float, measured.cumulated()), strict=True))
    return HistogramMetricFamily(
        f"immich_sync_{name}", help_text, buckets=buckets, sum_value=measured.sum
    )
