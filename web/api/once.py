"""The same request twice does its work once: by the Idempotency-Key that it names.

The key's row is written in the transaction of the work, so that one is there if and only if the other is. A second
request waits for the first at that row, then gets its answer. What failed keeps nothing: it may be tried again.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from web.access import Caller
from web.database import Database
from web.problems import ProblemError
from worker.operating import Operator

KEPT_S = 86400
#: SQLSTATE of a lock that was not had in time.
LOCK_NOT_AVAILABLE = "55P03"

FORGET = text("""
    delete from kept_answers where (who, key) in (
        select who, key from kept_answers where created_at < now() - :kept_s * interval '1 second'
        limit 100 for update skip locked
    )
""")
CLAIM = text("""
    insert into kept_answers (who, key, fingerprint, status, body) values (:who, :key, :fingerprint, 0, '')
    on conflict (who, key) do nothing returning key
""")
FIND = text("select fingerprint, status, body from kept_answers where who = :who and key = :key")
LET_GO = text("delete from kept_answers where who = :who and key = :key and status = 0")
KEEP = text("update kept_answers set status = :status, body = :body where who = :who and key = :key")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        min_length=1,
        description="The same request with the same key is done once, and answered the same, for 24 hours.",
    ),
]


class LostError(ProblemError):
    """It was done, or not: nobody knows what came of it."""


@dataclass(frozen=True, slots=True)
class Work:
    """A request that changes something: its transaction, and the key under which it is done once."""

    session: Database
    request: Request
    key: str | None

    def operator(self, caller: Caller) -> Operator:
        return Operator(self.session, caller.actor)

    def once(self, caller: Caller, asked: str, do: Callable[[], BaseModel], *, status: int = 200) -> Response:
        """Do it and commit, or give the answer of the time before. `asked`: all that the work depends on.

        Raises ProblemError: 422 where the key was used for something else, 409 where that is under way still.
        """
        if self.key is None:
            body = do().model_dump_json().encode()
            self.session.commit()
            return answer(body, status)
        about = "\n".join((self.request.method, self.request.url.path, str(status), asked))
        values = {"who": caller.name, "key": self.key, "fingerprint": hashlib.sha256(about.encode()).hexdigest()}
        if (kept := self._claim(values)) is not None:
            return kept
        body = do().model_dump_json().encode()
        self.session.execute(KEEP, {"who": caller.name, "key": self.key, "status": status, "body": body})
        self.session.commit()
        return answer(body, status)

    def once_paid(self, caller: Caller, asked: str, note: Callable[[], None], do: Callable[[], BaseModel]) -> Response:
        """As `once`, for what no transaction takes back: the key and the note are there before it is done.

        What surely came to nothing lets go of the key, by raising ProblemError. What raises LostError, or dies with
        its process, keeps it: the request is not made a second time under it.
        """
        values = {"who": caller.name, "key": self.key or ""}
        if self.key is not None:
            about = f"{self.request.method}\n{self.request.url.path}\npaid\n{asked}"
            kept = self._claim({**values, "fingerprint": hashlib.sha256(about.encode()).hexdigest()})
            if kept is not None:
                return kept
        note()
        self.session.commit()
        try:
            body = do().model_dump_json().encode()
        except ProblemError as problem:
            if not isinstance(problem, LostError):
                self.session.execute(LET_GO, values)
                self.session.commit()
            raise
        self.session.execute(KEEP, {**values, "status": 200, "body": body})
        self.session.commit()
        return answer(body, 200)

    def _claim(self, values: dict[str, str]) -> Response | None:
        """Take the key for this request; or the answer that it was given before."""
        self.session.execute(FORGET, {"kept_s": KEPT_S})
        try:
            claimed = self.session.execute(CLAIM, values).first()
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            raise ProblemError(
                409, "in_progress", f"the request with the Idempotency-Key {self.key!r} is still being worked on",
                headers={"Retry-After": "5"},
            ) from None  # fmt: skip
        if claimed is not None:
            return None
        kept = self.session.execute(FIND, values).one()
        if kept.fingerprint != values["fingerprint"]:
            raise ProblemError(
                422, "key_reused", f"the Idempotency-Key {self.key!r} was used for another request; take a new one"
            )
        if not kept.status:
            raise ProblemError(
                409, "in_progress", f"the request with the Idempotency-Key {self.key!r} is being worked on, or its "
                "answer was lost; under a new key it is made a second time",
            )  # fmt: skip
        return answer(bytes(kept.body), kept.status, {"Idempotency-Replayed": "true"})


def answer(body: bytes, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def work(request: Request, session: Database, key: IdempotencyKey = None) -> Work:
    return Work(session, request, key)


#: Handlers that change something ask for it by this.
Doing = Annotated[Work, Depends(work)]
