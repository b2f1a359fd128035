"""Who gets a free slot: priority first, then the batch with the fewest slots, then the oldest. Pure."""

import heapq
from collections.abc import Sequence

from models.money import Purse
from models.slots import Lane

__all__ = ["EVERY", "Lane", "choose"]

#: Each so-manieth slot goes without a look at priority, so that what is low is slow and never starves.
EVERY = 16


def choose(
    lanes: Sequence[Lane], free: int, *, model: str = "", handed: int = 0, purse: Purse | None = None
) -> list[int]:
    """Pick at most `free` jobs from lanes whose jobs are in order of age.

    Within a priority each slot goes to the batch that has fewest then, so that a batch of
    ten is not kept waiting by one of a million that came before it. Waiting does not raise a
    priority: in a bulk batch every row is old. Instead each slot whose number (`handed` were given
    out before) is a multiple of EVERY is given as if all priorities were equal.

    `purse`: what the budgets have left. A lane whose next job they cannot pay is passed over.
    """
    purse = purse or Purse()
    chosen: list[int] = []
    at = [0] * len(lanes)
    in_flight = [lane.in_flight for lane in lanes]

    def standing(index: int, *, equal: bool = False) -> tuple[int, int, int, int]:
        lane = lanes[index]
        return 0 if equal else -lane.priority, in_flight[index], lane.job_ids[at[index]], index

    open_lanes = set(range(len(lanes)))
    heap = [standing(index) for index in open_lanes]
    heapq.heapify(heap)
    while open_lanes and len(chosen) < free:
        if (handed + len(chosen) + 1) % EVERY == 0:
            index = min(open_lanes, key=lambda each: standing(each, equal=True))
        else:
            while (top := heap[0])[3] not in open_lanes or top != standing(top[3]):
                heapq.heappop(heap)  # moved on since it was put there
            index = top[3]
        lane = lanes[index]
        if not purse.pay(model, lane.batch_id, lane.estimates[at[index]]):
            open_lanes.discard(index)
            continue
        chosen.append(lane.job_ids[at[index]])
        in_flight[index] += 1
        at[index] += 1
        if at[index] < len(lane.job_ids):
            heapq.heappush(heap, standing(index))
        else:
            open_lanes.discard(index)
    return chosen
