"""Keys to the web application: a name, a role, and a secret that is shown once."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text

from worker.fields import parse_name

PREFIX = "mj_"
#: The name of the key that a setting gives.
SETTINGS_KEY = "settings"
#: A browser stays logged in for so long.
SESSION_S = 7 * 86400


class Role(StrEnum):
    """Each may do what those before it may: see; act on jobs; set limits, budgets and keys."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(needed)


class KeyNameTakenError(Exception):
    """There is a key of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a key {name!r} already; remove it first, or choose another name")


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a key or a session stands for."""

    key_id: int
    name: str
    role: Role


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


ADD = text("""
    insert into api_keys (name, role, digest) values (:name, :role, :digest) on conflict (name) do nothing returning id
""")


def add_key(conn: Connection, name: str, role: Role) -> str:
    """Make a key and return it: it cannot be read again. Raises ValueError and KeyNameTakenError."""
    if name == SETTINGS_KEY:
        raise ValueError(f"{name!r} is the name of the key that MEDIAJOBS_WEB_KEY gives; choose another")
    parse_name(name, "name of a key")
    key = PREFIX + secrets.token_urlsafe(32)
    if conn.execute(ADD, {"name": name, "role": role, "digest": digest(key)}).first() is None:
        raise KeyNameTakenError(name)
    return key


def keys(conn: Connection) -> Sequence[Any]:
    """Name, role, created_at, used_at of each, by name."""
    return conn.execute(text("select name, role, created_at, used_at from api_keys order by name")).all()


def remove_key(conn: Connection, name: str) -> bool:
    """Its sessions end with it. False if there is none."""
    return conn.execute(text("delete from api_keys where name = :name"), {"name": name}).rowcount > 0


SET = text("""
    insert into api_keys (name, role, digest) values (:name, 'admin', :digest)
    on conflict (name) do update set digest = excluded.digest, role = 'admin' where api_keys.digest <> excluded.digest
""")
FORGET_SESSIONS = text("""
    delete from web_sessions s using api_keys k where k.id = s.key_id and k.name = :name and k.digest <> :digest
""")


def take_from_settings(conn: Connection, secret: str) -> None:
    """Let the key of the settings in, and only that under its name; "": none."""
    if not secret:
        remove_key(conn, SETTINGS_KEY)
        return
    values = {"name": SETTINGS_KEY, "digest": digest(secret)}
    conn.execute(FORGET_SESSIONS, values)
    conn.execute(SET, values)


def any_key(conn: Connection) -> bool:
    return bool(conn.execute(text("select exists (select from api_keys)")).scalar_one())


HOLDER = text("select id, name, role from api_keys where digest = :digest")
#: Seldom, so that a look costs no write.
USED = text("""
    update api_keys set used_at = now()
    where id = :id and (used_at is null or used_at < now() - interval '5 minutes')
""")


def holder_of_key(conn: Connection, key: str) -> Holder | None:
    row = conn.execute(HOLDER, {"digest": digest(key)}).first()
    if row is None:
        return None
    conn.execute(USED, {"id": row.id})
    return Holder(row.id, row.name, Role(row.role))


OPEN_SESSION = text("""
    with over as (delete from web_sessions where expires_at < now())
    insert into web_sessions (digest, key_id, expires_at)
    values (:digest, :key_id, now() + :life_s * interval '1 second')
""")


def open_session(conn: Connection, key_id: int) -> str:
    """Log a browser in; returns what its cookie is to hold."""
    secret = secrets.token_urlsafe(32)
    conn.execute(OPEN_SESSION, {"digest": digest(secret), "key_id": key_id, "life_s": SESSION_S})
    return secret


OF_SESSION = text("""
    select k.id, k.name, k.role from web_sessions s join api_keys k on k.id = s.key_id
    where s.digest = :digest and s.expires_at > now()
""")


def holder_of_session(conn: Connection, secret: str) -> Holder | None:
    row = conn.execute(OF_SESSION, {"digest": digest(secret)}).first()
    return Holder(row.id, row.name, Role(row.role)) if row else None


def close_session(conn: Connection, secret: str) -> None:
    conn.execute(text("delete from web_sessions where digest = :digest"), {"digest": digest(secret)})
