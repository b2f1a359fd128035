"""What must become of a job, told apart from the SQL that does it: the oracle of the state machine's test."""

from dataclasses import dataclass, field
from decimal import Decimal

FREE = Decimal(0)
LOST = {"failed", "cancelled"}
ENDED = {"succeeded", *LOST}


@dataclass
class Call:
    """A request that was made, or was about to be. `charged`: US dollars for certain."""

    charged: Decimal = FREE
    doubtful: bool = False
    #: It gave a task's id, not the result.
    remote: bool = False
    #: Paid for, but its claim was over when the answer came.
    late: bool = False
    #: Answers that had been lost before it was made.
    lost_before: int = 0


@dataclass
class Job:
    """One job as it must be.

    `buys_again`: what policy does after the first lost answer. `keeps_slot`: while its task is waited for.
    """

    kind: str
    price: Decimal
    buys_again: bool
    keeps_slot: bool
    state: str = "queued"
    slot: bool = False
    #: By their numbers, from 1.
    calls: dict[int, Call] = field(default_factory=dict)
    #: The number of the call whose answer is in use.
    paid: int | None = None
    #: Its result was seen, be it that it could not be stored.
    result: bool = False
    output_lost: bool = False
    asked_again: bool = False
    lost: int = 0
    crashes: int = 0
    cancelling: bool = False
    keeps_result: bool = False
    #: Whose claim it is now.
    holder: object = None
    #: Ids of the jobs that it comes after.
    after: tuple[int, ...] = ()
    #: It ended because one of those did.
    given_up: bool = False

    # -- its life --------------------------------------------------------------------------------------

    def go(self, state: str) -> None:
        """A step of whoever has the job."""
        if self.cancelling and (
            state in {"queued", "held"} or (state in {"waiting", "storing"} and not self.keeps_result)
        ):
            state = "cancelled"
        self.result = self.result or state == "storing"
        self.put(state)

    def put(self, state: str) -> None:
        self.slot = self.slot and (state == "dispatched" or (state == "waiting" and self.keeps_slot))
        self.state, self.holder = state, None

    def claimed(self, holder: object) -> int:
        self.state, self.holder = "running", holder
        self.calls[len(self.calls) + 1] = Call(lost_before=self.lost)
        return len(self.calls)

    def answered(self, number: int, *, remote: bool, live: bool) -> None:
        self.calls[number] = Call(self.price, remote=remote, late=not live)
        if live:
            state = "waiting" if remote else "storing"
            self.go(state)
            if self.state == state:
                self.paid = number

    def refused(self, number: int, target: str, *, live: bool) -> None:
        """By the API, or before anything was sent."""
        self.calls[number].doubtful = False
        if live:
            self.go(target)

    def lost_answer(self, number: int, *, live: bool, known: bool = False) -> None:
        """`known`: the API has the request already, and says no more: the one before was accepted, not this one."""
        if known and self.calls[number].lost_before:
            self.refused(number, "held", live=live)
            return
        self.calls[number].doubtful = True
        if live:
            again = self.buys_again and not self.lost and not known
            self.lost += 1
            self.go("queued" if again else "held")

    def killed(self, number: int) -> None:
        """Its worker died with the call under way."""
        self.calls[number].doubtful = True
        again = self.buys_again and not self.lost
        self.lost += 1
        self.crashes += 1
        self.go("failed" if self.crashes == 2 else "queued" if again else "held")

    def adopt(self) -> bool:
        """Use a late answer, if none is in use and no other call is under way; tells whether it did."""
        late = [number for number, call in self.calls.items() if call.late]
        idle = self.state in {"queued", "dispatched", "held"} or (self.state == "failed" and self.paid is None)
        if late and idle and not self.cancelling:
            call = self.calls[late[0]]
            call.late = False
            self.paid = late[0]
            self.result = self.result or not call.remote
            self.put("waiting" if call.remote else "storing")
            return True
        return False

    def task_failed(self, number: int, *, live: bool) -> None:
        """At the provider; whether that is billed nobody knows. What an old poll heard changes nothing."""
        if live:
            self.calls[number] = Call(doubtful=True)
            self.go("failed")

    def url_dead(self) -> None:
        if self.calls[self.paid or 0].remote and not self.asked_again:
            self.asked_again = True
            self.go("waiting")
        else:
            self.output_lost = True
            self.go("failed")

    # -- what an operator does -------------------------------------------------------------------------

    def cancel(self, *, keep: bool) -> None:
        if self.state in ENDED or (keep and self.state in {"waiting", "storing"}):
            return
        self.cancelling, self.keeps_result = True, keep
        if self.state != "running":
            self.put("cancelled")

    def retry(self) -> None:
        if self.state not in LOST:
            return
        call = self.calls.get(self.paid or len(self.calls), Call())
        if not call.charged or (self.output_lost and not call.remote):
            state = "queued"
        else:
            state = "storing" if not self.output_lost and (self.result or not call.remote) else "waiting"
        if state == "queued":
            self.paid, self.result = None, False
        self.crashes, self.cancelling, self.keeps_result, self.asked_again = 0, False, False, False
        self.output_lost = self.given_up = False
        self.put(state)

    def resolve(self, state: str) -> None:
        if self.state == "held" and (state != "waiting" or self.has_task):
            if state == "queued":
                self.paid = None
            self.put(state)

    @property
    def has_task(self) -> bool:
        return self.paid is not None and self.calls[self.paid].remote

    # -- what it costs ---------------------------------------------------------------------------------

    @property
    def cost(self) -> Decimal:
        return sum((call.charged for call in self.calls.values()), FREE)

    @property
    def flagged(self) -> bool:
        return any(call.doubtful for call in self.calls.values())

    @property
    def spent(self) -> Decimal:
        """What budgets count: what is charged, and what may be."""
        return self.cost + sum((self.price for call in self.calls.values() if call.doubtful), FREE)

    @property
    def reserved(self) -> Decimal:
        return self.price if self.state in {"dispatched", "running"} else FREE


class Jobs(dict[int, Job]):
    """All jobs by their ids, and what each means for those that come after it."""

    def waits(self, job: Job) -> bool:
        return job.state == "queued" and any(self[each].state != "succeeded" for each in job.after)

    def give_up(self) -> None:
        """End what waits for what has ended without success."""
        for job in self.values():  # what comes later has a higher id
            lost = [self[each].state for each in job.after if self[each].state in LOST]
            if job.state == "queued" and lost:
                job.put(lost[0])
                job.given_up = True

    def retry(self, job_id: int) -> None:
        if self[job_id].state in LOST:
            for each in self.pool({job_id}):
                self[each].retry()

    def adopt(self) -> None:
        if taken := {job_id for job_id, job in self.items() if job.adopt()}:
            for each in self.pool(taken) - taken:
                self[each].retry()

    def pool(self, chosen: set[int]) -> set[int]:
        """These and what ended for their sake, but for what still comes after one that is lost."""
        below = set(chosen)
        for job_id, job in self.items():
            if below.intersection(job.after):
                below.add(job_id)
        pool = chosen | {each for each in below if self[each].given_up}
        for job_id in sorted(pool):
            if any(self[each].state in LOST and each not in pool for each in self[job_id].after):
                pool.remove(job_id)
        return pool
