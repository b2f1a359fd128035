"""What cannot be had is said where it was asked: as a page, a part of one, or JSON."""

import pytest

from tests.support.api import Api
from worker.keys import Role


def as_(api: Api, role: Role, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.keys[role]}", **more}


def test_who_may_not_submit_sees_no_form_and_finds_the_way_on(api: Api) -> None:
    found = api.http.get("/submit", headers=as_(api, Role.VIEWER))
    assert found.status_code == 403
    assert "this takes the role operator" in found.text
    assert "<form class" not in found.text
    assert 'aria-label="Pages"' in found.text, "the navigation"


@pytest.mark.parametrize(
    ("method", "path", "part", "title"),
    [("GET", "/actions/budget", "dialog", "dialog-title"), ("POST", "/submit", "action", "notice bad")],
)
def test_a_script_gets_a_part_and_no_page(api: Api, method: str, path: str, part: str, title: str) -> None:
    found = api.http.request(method, path, headers=as_(api, Role.VIEWER, **{"Mediajobs-Part": part}))
    assert found.status_code == 403
    assert title in found.text
    assert "this takes the role" in found.text
    assert "<html" not in found.text


def test_a_script_without_a_login_is_led_to_it(api: Api) -> None:
    found = api.http.get("/actions/retry?job=1", headers={"Mediajobs-Part": "dialog"})
    assert (found.status_code, found.headers["Mediajobs-Go"]) == (401, "/login")


def test_a_limit_goes_back_to_what_is_published_with_its_number_emptied(api: Api) -> None:
    """As a browser sends the dialog's form: every field, what is empty too."""
    api.enqueue("a")
    found = "select concurrency from limits where model = 'cogview-4-250304'"
    published = api.sql(found)
    ask = {"model": "cogview-4-250304", "concurrency": "1", "per_minute": ""}

    def limit(**more: str) -> int:
        return api.http.post("/actions/limit", headers=as_(api, Role.ADMIN), data={**ask, **more}).status_code

    assert limit(do="set") == 200
    assert api.sql(found) == [(1,)] != published
    assert limit(do="remove", concurrency="") == 200
    assert api.sql(found) == published
    assert limit(do="remove", concurrency="", model="never-seen") == 404
