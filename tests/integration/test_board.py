"""deploy/grafana asks for metrics that there are, by labels and values that they have, and is told of in the docs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from models.session import make_engine
from models.state import JobState
from sandbox.postgres import EmbeddedPostgres
from tests.conftest import TEMPLATE
from worker.kinds import KINDS
from worker.metrics import QUEUES, families

ROOT = Path(__file__).parents[2]
BOARD = json.loads((ROOT / "deploy" / "grafana" / "mediajobs.json").read_text(encoding="utf-8"))
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "grafana" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = {
    **{f"{panel['title']} {each['refId']}": each["expr"] for panel in PANELS for each in panel["targets"]},
    **{rule.get("alert") or rule["record"]: rule["expr"] for rule in RULES},
}
#: Only where there is something to tell.
AT_TIMES: dict[str, set[str]] = {"mediajobs_first_expiry_seconds": set(), "mediajobs_tick_age_seconds": set()}
#: Label → all that it can be; a value that there never is would make a rule that is never due.
VALUES: dict[str, set[str]] = {
    "state": set(JobState),
    "kind": set(KINDS),
    "queue": set(QUEUES),
    "outcome": {"answered", "rejected", "unknown", "unsent", "interrupted"},
    "phase": {"queued", "dispatched", "running", "waiting", "storing", "total"},
    "stage": {"dispatch", "poll", "store", "tell", "deliver", "schedule"},
    "part": {"amount", "spent", "reserved"},
    "result": {"delivered", "tried again", "failed"},
}


@pytest.fixture(scope="module")
def metrics(postgres: EmbeddedPostgres) -> dict[str, set[str]]:
    """The name of each series → its labels."""
    found = {**AT_TIMES, **{rule["record"]: set() for rule in RULES if "record" in rule}}
    engine = make_engine(postgres.database_url(TEMPLATE), pool_size=1)
    with engine.connect() as conn:
        for each in families(conn):
            labels = set(each._labelnames)  # type: ignore[attr-defined]  # nothing else tells of them where there is no sample
            match each.type:
                case "counter":
                    found[f"{each.name}_total"] = labels
                case "histogram":
                    found |= {f"{each.name}_{end}": labels for end in ("count", "sum")}
                    found[f"{each.name}_bucket"] = labels | {"le"}
                case _:
                    found[each.name] = labels
    engine.dispose()
    return found


def parsed(expression: str) -> promql.Expr:
    return promql.parse(expression.replace("$__rate_interval", "5m"))


def parts(expression: promql.Expr) -> Iterator[promql.Expr]:
    """It, and what it is made of."""
    yield expression
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        if (inner := getattr(expression, name, None)) is not None:
            yield from parts(inner)
    for inner in getattr(expression, "args", None) or ():
        yield from parts(inner)


def selectors(expression: promql.Expr) -> list[Any]:
    return [each for each in parts(expression) if isinstance(each, promql.VectorSelector)]


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_it_asks_for_what_there_is(metrics: dict[str, set[str]], expression: str) -> None:
    whole = parsed(expression)
    asked = selectors(whole)
    assert asked
    for each in asked:
        assert each.name in metrics
        for matcher in each.matchers.matchers:
            assert matcher.name in metrics[each.name], f"{each.name} has no label {matcher.name}"
            for value in matcher.value.split("|") if matcher.name in VALUES else ():
                assert value in VALUES[matcher.name], f"{matcher.name} is never {value}"
    for each in parts(whole):
        if isinstance(each, promql.AggregateExpr) and each.modifier is not None:
            there = set.intersection(*(metrics[one.name] for one in selectors(each)))
            assert set(each.modifier.labels) <= there, f"{each.prettify()}: not all of it has these labels"


@pytest.mark.parametrize("rule", [rule for rule in RULES if "alert" in rule], ids=lambda rule: rule["alert"])
def test_an_alert_says_how_urgent_it_is_and_what_of_labels_that_it_has(
    metrics: dict[str, set[str]], rule: dict[str, Any]
) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    whole = parsed(rule["expr"])
    left = next((each for each in parts(whole) if isinstance(each, promql.AggregateExpr)), None)
    kept = set(left.modifier.labels) if left is not None and left.modifier else set()
    assert told <= kept | set.union(*(metrics[each.name] for each in selectors(whole)[:1]))


def test_every_alert_is_in_the_docs_and_the_other_way_round() -> None:
    docs = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(Mediajobs\w+)`", docs, re.MULTILINE) == [
        rule["alert"] for rule in RULES if "alert" in rule
    ]
    for rule in RULES:
        if "alert" in rule:
            row = next(line for line in docs.splitlines() if line.startswith(f"| `{rule['alert']}`"))
            assert ("| page: " in row) == (rule["labels"]["severity"] == "page")


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_every_metric_is_on_the_board(metrics: dict[str, set[str]]) -> None:
    """What nobody looks at need not be measured."""
    shown = {each.name for expression in EXPRESSIONS.values() for each in selectors(parsed(expression))}
    ends = r"_(bucket|count|sum)$"
    assert {re.sub(ends, "", name) for name in metrics} == {re.sub(ends, "", name) for name in shown}
