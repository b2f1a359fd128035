from sqlalchemy import ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, now


class Output(Base):
    """A stored file of a job. The row is committed after the file is complete."""

    __tablename__ = "outputs"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    #: What it is to the job: image, video, cover, text, json.
    role: Mapped[str]
    #: Path below the outputs URL.
    location: Mapped[str]
    mime: Mapped[str]
    bytes: Mapped[int]
    sha256: Mapped[str]
    #: Small text lies here too, so that lists and search need no files.
    text: Mapped[str | None]
    created_at: Mapped[now]


def thumb_of(sha256: str) -> str:
    """Where the small picture of a content is kept, in the store of outputs."""
    return f"thumbs/{sha256[:2]}/{sha256}.webp"
