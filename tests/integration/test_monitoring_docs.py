"""docs/monitoring.md names every metric with its labels, and none that is not there."""

import re
from pathlib import Path

from sqlalchemy import Engine

from worker.metrics import families

DOCS = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()
#: Only where there is something to tell.
AT_TIMES = {"mediajobs_first_expiry_seconds", "mediajobs_tick_age_seconds"}


def test_every_metric_is_in_the_docs_and_the_other_way_round(engine: Engine) -> None:
    named = set(re.findall(r"^\| (.*?) \|", DOCS, re.MULTILINE))
    documented = {each for cell in named for each in re.findall(r"`(mediajobs_\w+)", cell)}
    with engine.connect() as conn:
        found = {each.name + ("_total" if each.type == "counter" else "") for each in families(conn)}
    assert documented == found | AT_TIMES
