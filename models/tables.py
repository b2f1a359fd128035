"""Every table, imported: what Alembic compares and `Base.metadata` knows."""

from models.api_key import ApiKey
from models.attempt import Attempt
from models.audit_entry import AuditEntry
from models.base import Base
from models.batch import Batch
from models.budget import Budget
from models.delivery import Delivery
from models.endpoint_format import EndpointFormat
from models.event import Event
from models.job import Job
from models.kept_answer import KeptAnswer
from models.limit import Limit
from models.link import Link
from models.meter import Meter
from models.notice import Notice
from models.output import Output
from models.piece import Piece
from models.published_file import PublishedFile
from models.run_file import RunFile
from models.schedule import Schedule
from models.schedule_run import ScheduleRun
from models.source_file import SourceFile
from models.tally import Tally
from models.web_session import WebSession
from models.webhook import Webhook, WebhookKey
from models.worker import Worker

__all__ = [
    "ApiKey",
    "Attempt",
    "AuditEntry",
    "Base",
    "Batch",
    "Budget",
    "Delivery",
    "EndpointFormat",
    "Event",
    "Job",
    "KeptAnswer",
    "Limit",
    "Link",
    "Meter",
    "Notice",
    "Output",
    "Piece",
    "PublishedFile",
    "RunFile",
    "Schedule",
    "ScheduleRun",
    "SourceFile",
    "Tally",
    "WebSession",
    "Webhook",
    "WebhookKey",
    "Worker",
]
