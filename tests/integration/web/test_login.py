"""Who gets in: by key or by cookie, and nobody else once there is a key."""

from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.support.webserver import serving
from web.access import COOKIE
from worker import keys
from worker.keys import Role
from worker.settings import Settings
from worker.trail import entries


def log_in(client: httpx.Client, key: str, next: str = "/") -> httpx.Response:  # noqa: A002 - the field's name
    return client.post("/login", data={"key": key, "next": next})


def me(client: httpx.Client, **headers: str) -> Any:
    return client.get("/api/v1/me", headers=headers).json()


def test_without_a_key_this_machine_may_do_all(client: httpx.Client) -> None:
    assert client.get("/").status_code == 200
    assert me(client) == {"name": "local", "role": "admin"}


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Forwarded-Host"])
def test_what_comes_through_a_proxy_is_asked_for_a_key(client: httpx.Client, header: str) -> None:
    assert client.get("/", headers={header: "203.0.113.9"}).status_code == 303


def test_with_a_key_a_browser_is_sent_to_the_login_and_back(client: httpx.Client, held: dict[Role, str]) -> None:
    asked = client.get("/?state=failed")
    assert (asked.status_code, asked.headers["Location"]) == (303, "/login?next=%2F%3Fstate%3Dfailed")
    done = log_in(client, f" {held[Role.VIEWER]}\n", "/?state=failed")
    assert (done.status_code, done.headers["Location"]) == (303, "/?state=failed")
    cookie = done.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert me(client) == {"name": "viewer", "role": "viewer"}
    assert client.post("/logout").headers["Location"] == "/login"
    assert client.get("/").status_code == 303


def test_a_part_of_a_page_sends_the_page_to_the_login(client: httpx.Client, held: dict[Role, str]) -> None:
    found = client.get("/", headers={"HX-Request": "true"})
    assert (found.status_code, found.headers["HX-Redirect"]) == (401, "/login")


@pytest.mark.parametrize("place", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:1", "/\n"])
def test_a_login_leads_nowhere_else(client: httpx.Client, held: dict[Role, str], place: str) -> None:
    assert log_in(client, held[Role.ADMIN], place).headers["Location"] == "/"
    assert f'value="{place}"' not in client.get("/login", params={"next": place}).text


def test_a_key_in_the_header(client: httpx.Client, held: dict[Role, str]) -> None:
    assert me(client, Authorization=f"bearer {held[Role.OPERATOR]}") == {"name": "operator", "role": "operator"}
    wrong = client.get("/api/v1/me", headers={"Authorization": "Bearer mj_wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "wrong_key")
    assert wrong.headers["WWW-Authenticate"] == "Bearer"


def test_wrong_keys_are_throttled_wherever_they_are_tried_and_right_ones_are_not(
    client: httpx.Client, held: dict[Role, str]
) -> None:
    for _ in range(5):
        assert log_in(client, "mj_guess").status_code == 401
        assert client.get("/", headers={"Authorization": "Bearer mj_guess"}).status_code == 401
    for refused in (log_in(client, "mj_guess"), client.get("/", headers={"Authorization": "Bearer mj_guess"})):
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 300
    assert COOKIE not in client.cookies
    assert me(client, Authorization=f"Bearer {held[Role.OPERATOR]}")["name"] == "operator", "another of this address"
    assert log_in(client, held[Role.ADMIN]).status_code == 303


def test_a_removed_key_ends_its_sessions(client: httpx.Client, engine: Engine, held: dict[Role, str]) -> None:
    log_in(client, held[Role.ADMIN])
    assert client.get("/").status_code == 200
    with engine.begin() as conn:
        keys.remove_key(conn, "admin")
    assert client.get("/").status_code == 303


def test_a_session_ends_in_time(client: httpx.Client, engine: Engine, held: dict[Role, str]) -> None:
    log_in(client, held[Role.ADMIN])
    with engine.begin() as conn:
        conn.execute(text("update web_sessions set expires_at = now()"))
    assert client.get("/").status_code == 303
    log_in(client, held[Role.ADMIN])
    with engine.connect() as conn:
        assert conn.execute(text("select count(*) from web_sessions")).scalar_one() == 1, "the old one is deleted"


def test_secrets_are_not_kept(client: httpx.Client, engine: Engine, held: dict[Role, str]) -> None:
    log_in(client, held[Role.ADMIN])
    with engine.connect() as conn:
        rows = conn.execute(text("select to_jsonb(k) from api_keys k union all select to_jsonb(s) from web_sessions s"))
        kept = str(rows.all())
    assert "digest" in kept
    for secret in (*held.values(), str(client.cookies[COOKIE])):
        assert secret not in kept


def test_a_login_is_in_the_trail(client: httpx.Client, engine: Engine, held: dict[Role, str]) -> None:
    log_in(client, held[Role.ADMIN])
    with engine.connect() as conn:
        [entry] = entries(conn)
    assert (entry["who"], entry["via"], entry["action"]) == ("admin", "dashboard", "log in")


def test_behind_https_the_cookie_is_secure_and_nobody_is_local(config: Settings, engine: Engine) -> None:
    with engine.begin() as conn:
        key = keys.add_key(conn, "anna", Role.ADMIN)
    with serving(config.model_copy(update={"web_url": "https://jobs.example.com"})) as client:
        assert client.get("/healthz", headers={"Host": "jobs.example.com"}).status_code == 200
        found = log_in(client, key)
        assert "Secure" in found.headers["Set-Cookie"]
        assert "max-age" in found.headers["Strict-Transport-Security"]
        with engine.begin() as conn:
            keys.remove_key(conn, "anna")
        assert client.get("/").status_code == 303
