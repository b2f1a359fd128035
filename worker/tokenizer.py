"""What the API's tokenizer counts in some rows of a chat batch, so that its cost is known before it is spent.

We guess from the length of the text; the tokenizer knows. It is believed to cost nothing, but each row is a
call: so it is asked about a sample, and the rest is taken to be alike.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from provider.formats import Forgetful
from provider.wire import Json, Request
from worker import messages as chats
from worker.completion import input_tokens, sent_messages
from worker.images import filled
from worker.messages import CHAT
from worker.prices import price_of
from worker.producer import Row
from worker.settings import Settings
from worker.storage import read_source
from worker.tariff import Tokens, cost_of

#: Kinds whose rows it can count.
KINDS = frozenset({"chat", "code"})
SAMPLE = 20
AT_ONCE = 5
#: The models that docs.z.ai names for the tokenizer; the others are taken to count as their kin.
COUNTS, COUNTS_SHOWN = "glm-4.6", "glm-4.6v"
MODELS = frozenset({COUNTS, COUNTS_SHOWN, "glm-4.5"})


@dataclass(slots=True)
class Sample:
    """Some rows of all that it can count, each as likely as any other, and the same for the same file.

    It cannot count rows of other kinds, and those that take what an earlier row makes.
    """

    rows: list[Row] = field(default_factory=list)
    passed: int = 0
    estimate: Decimal = Decimal(0)

    def of(self, rows: Iterator[Row]) -> Iterator[Row]:
        chance = random.Random(0)
        for row in rows:
            if row.kind not in KINDS or row.uses:
                yield row
                continue
            self.passed += 1
            self.estimate += row.estimate
            if len(self.rows) < SAMPLE:
                self.rows.append(row)
            elif (place := chance.randrange(self.passed)) < SAMPLE:
                self.rows[place] = row
            yield row


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens that go in with all rows of the sample: as guessed, and as the tokenizer counts them."""

    rows: int
    guessed: int
    counted: int
    #: US dollars for the whole batch, at most, if the other rows are alike.
    estimate: Decimal


def count(sample: Sample, config: Settings) -> Counted:
    """Ask the tokenizer about each row of the sample, with its images.

    Raises NoTokenError, ProviderError, and OSError and ValueError for an image that cannot be sent.
    """
    from provider.client import Client  # noqa: PLC0415 - the HTTP client: most commands that submit call nothing

    async def ask() -> list[int]:
        token = config.require_api_token()
        client = Client(base_url=config.api_base_url, token=token, style=config.api_style, formats=Forgetful())
        some = asyncio.Semaphore(AT_ONCE)

        async def one(args: Json) -> int:
            async with some:
                asked = request(args)
                answer = await client.send(replace(asked, json=await filled(asked.json, read_source)))
            return int((answer.body.get("usage") or {}).get("prompt_tokens") or 0)

        try:
            return list(await asyncio.gather(*(one(row.args) for row in sample.rows)))
        finally:
            await client.close()

    return summed(sample, asyncio.run(ask()))


def request(args: Json) -> Request:
    said = sent_messages(args)
    shown = any(kind != "text" for kind, _ in chats.parts(said))
    model = args["model"] if args["model"] in MODELS else COUNTS_SHOWN if shown else COUNTS
    tools = {"tools": args["tools"]} if args.get("tools") else {}
    return Request(endpoint="tokenizer", json={"model": model, "messages": chats.outgoing(said, CHAT), **tools})


def summed(sample: Sample, counts: list[int]) -> Counted:
    """What the counts mean for the whole. Pure but for the prices' setting."""
    guesses = [input_tokens(row.args) for row in sample.rows]
    known = sum((row.estimate for row in sample.rows), Decimal(0))
    better = known
    for row, guess, counted in zip(sample.rows, guesses, counts, strict=True):
        price = price_of(row.args["model"])
        better += cost_of(price, tokens=Tokens(input=counted)) - cost_of(price, tokens=Tokens(input=guess))
    whole = sample.estimate * better / known if known else sample.estimate
    return Counted(len(counts), sum(guesses), sum(counts), whole)
