"""Who may read the metrics, and how a program that may not is told so."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from worker.keys import Role


def test_on_this_machine_without_keys_anybody_may(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=1.0.0")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"mediajobs_info", "mediajobs_workers", "mediajobs_overdue_seconds"} <= names


def test_with_keys_it_takes_one(client: httpx.Client, held: dict[Role, str]) -> None:
    refused = client.get("/metrics", follow_redirects=False)
    assert (refused.status_code, refused.json()["code"]) == (401, "no_key")
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {held[Role.VIEWER]}"})
    assert answer.status_code == 200
