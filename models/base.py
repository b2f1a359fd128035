"""What all tables share: names for constraints, and the column types that recur."""

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Identity, MetaData, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - read once by SQLAlchemy, never changed
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }


bigint_pk = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
zero = Annotated[int, mapped_column(server_default=text("0"))]
small_zero = Annotated[int, mapped_column(SmallInteger, server_default=text("0"))]
false = Annotated[bool, mapped_column(server_default=text("false"))]
#: Always the database's clock: a worker's may be wrong by minutes.
now = Annotated[datetime, mapped_column(server_default=text("now()"))]
