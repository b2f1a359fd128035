"""Every table, imported: what Alembic compares and `Base.metadata` knows."""

from models.attempt import Attempt
from models.base import Base
from models.batch import Batch
from models.budget import Budget
from models.endpoint_format import EndpointFormat
from models.event import Event
from models.job import Job
from models.limit import Limit
from models.output import Output
from models.piece import Piece

__all__ = ["Attempt", "Base", "Batch", "Budget", "EndpointFormat", "Event", "Job", "Limit", "Output", "Piece"]
