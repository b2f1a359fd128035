"""A database session for each request."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session


def session(request: Request) -> Iterator[Session]:
    """One that is given back before the answer goes out: a slow reader holds no connection."""
    with Session(request.app.state.engine) as opened:
        yield opened


#: What is to stay must be committed by the handler.
Database = Annotated[Session, Depends(session, scope="function")]
