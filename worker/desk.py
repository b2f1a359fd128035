"""What the stages of one process work with. It lives in the process's event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from provider.client import Client
from worker.in_hand import InHand
from worker.policy import Policy
from worker.storage import Storage
from worker.tariff import Price
from worker.verdict import PollRules
from worker.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    writer: Writer
    in_hand: InHand
    client: Client
    storage: Storage
    poll_rules: PollRules
    #: What to do about lost answers.
    policy: Policy
    #: Model → its price; None where it is not known.
    price: Callable[[str], Price | None]
    #: Seconds for which a poll or a download that dies with its process delays the next one.
    lease_s: float
    max_download_bytes: int
    max_gone: int
    #: Downloads at once in this process: they take memory and bandwidth, not slots.
    downloads: asyncio.Semaphore
    #: (path or s3:// URL, most bytes) → its bytes.
    read_source: Callable[[str, int], Awaitable[bytes]]
