"""Browsers are kept strict, and what other sites send is refused."""

import httpx
import pytest

POSTS = {
    "a script of ours": ({"Sec-Fetch-Site": "same-origin"}, 404),
    "typed by hand": ({"Sec-Fetch-Site": "none"}, 404),
    "another site": ({"Sec-Fetch-Site": "cross-site"}, 403),
    "another port of this host": ({"Sec-Fetch-Site": "same-site"}, 403),
    "another site, an older browser": ({"Origin": "http://evil.example"}, 403),
    "a sandboxed frame": ({"Origin": "null"}, 403),
    "ours, an older browser": ({"Origin": "ours"}, 404),
    "no browser": ({}, 404),
}


@pytest.mark.parametrize(("headers", "status"), POSTS.values(), ids=POSTS)
def test_what_other_sites_post_is_refused(client: httpx.Client, headers: dict[str, str], status: int) -> None:
    ours = {name: str(client.base_url).rstrip("/") if value == "ours" else value for name, value in headers.items()}
    assert client.post("/api/v1/none", headers=ours).status_code == status


def test_a_name_that_leads_here_is_refused(client: httpx.Client) -> None:
    found = client.get("/api/v1/none", headers={"Host": "evil.example:8080"})
    assert found.status_code == 421
    assert "MEDIAJOBS_WEB_URL" in found.json()["detail"]


def test_every_answer_is_strict(client: httpx.Client) -> None:
    for path in ("/", "/none", "/api/v1/none", "/static/app.css"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff", path


def test_an_unknown_place_is_a_page_or_json(client: httpx.Client) -> None:
    page, problem = client.get("/none"), client.get("/api/v1/none")
    assert page.status_code == problem.status_code == 404
    assert "<h1>Not Found</h1>" in page.text
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert problem.json()["code"] == "not_found"


def test_health(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
