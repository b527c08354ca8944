"""The dashboard and the alerts that people copy: every metric and label they name is there."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest
import yaml  # type: ignore[import-untyped] # its stubs would be one more dependency
from prometheus_client.parser import text_string_to_metric_families as parse

from immich_sync.core.conditions import KINDS
from immich_sync.health.metrics import MODES, Metrics
from immich_sync.observing import Observer
from tests.scene import household, photo, running

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
ALERTS = ROOT / "deploy" / "prometheus-alerts.yml"
GUIDE = ROOT / "docs" / "monitoring.md"
OF_PROMETHEUS = {"up", "job", "instance"}


@pytest.fixture
async def samples(tmp_path: Path) -> Mapping[str, set[str]]:
    """Every sample of a daemon that has synced something, with the names of its labels."""
    async with household(tmp_path) as home:
        home.put("a.jpg", photo(1))
        async with running(home) as engine:
            observer = Observer(engine, 0.0, fresh=0.0)
            metrics = Metrics()
            with anyio.fail_after(20):
                while not engine.crew.outcomes or engine.crew.busy or not engine.audited():  # noqa: ASYNC110 - no bell rings
                    await anyio.sleep(0.02)
            body, _ = await metrics.render(observer)
    found: dict[str, set[str]] = {}
    for family in parse(body.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> list[str]:
    """Every expression of both files."""
    dashboard = json.loads(DASHBOARD.read_text())
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(panels) > 20
    rules = [
        rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    ]
    assert len(rules) == len({rule["alert"] for rule in rules})
    assert all(rule["annotations"].keys() == {"summary", "description"} for rule in rules)
    return [*panels, *(rule["expr"] for rule in rules)]


@pytest.mark.anyio
async def test_every_metric_that_is_drawn_exists(samples: Mapping[str, set[str]]) -> None:
    """By its name, with every label that it is asked for."""
    for expression in expressions():
        named = re.findall(r"\b(?:immich_sync|process)_\w+", expression)
        assert named or expression.startswith("up{")
        assert set(named) <= set(samples), expression
        known = {label for name in named for label in samples[name]} | OF_PROMETHEUS | {"le"}
        asked = set(re.findall(r"(\w+)=~?\"", expression))
        for group in re.findall(r"(?:by|without) \(([^)]*)\)", expression):
            asked |= set(group.split(", "))
        assert asked <= known, expression


@pytest.mark.anyio
async def test_every_metric_is_drawn_and_explained(samples: Mapping[str, set[str]]) -> None:
    """What nobody draws nobody needs; what is not in the guide nobody understands."""
    drawn, guide = " ".join(expressions()), GUIDE.read_text()
    ours = {
        re.sub(r"_(bucket|count|sum)$", "", name) for name in samples if name.startswith("immich")
    }

    assert [name for name in sorted(ours) if name not in drawn] == []
    assert [name for name in sorted(ours) if f"`{name}" not in guide] == []
    assert [kind for kind in KINDS if f"`{kind}`" not in guide] == []


def test_modes_are_those_of_the_watcher() -> None:
    """An alert asks for one of them by name."""
    asked = re.findall(r'mode="(\w+)"', ALERTS.read_text())
    assert asked
    assert set(asked) <= set(MODES)
