"""Who gets a free slot: priority first, then the batch with the fewest slots, then the oldest."""

import heapq
from collections.abc import Sequence

from models.slots import Lane

__all__ = ["Lane", "choose"]


def choose(lanes: Sequence[Lane], free: int) -> list[int]:
    """Pick at most `free` jobs from lanes whose jobs are in order of age.

    Within a priority each slot goes to the batch that has fewest then, so that a batch of
    ten is not kept waiting by one of a million that came before it.
    """
    chosen: list[int] = []
    # (rank, slots it has, oldest first among equals, position): the heap's order is the rule.
    heap = [(-lane.priority, lane.in_flight, lane.job_ids[0], index, 0) for index, lane in enumerate(lanes)]
    heapq.heapify(heap)
    while heap and len(chosen) < free:
        rank, in_flight, job_id, index, position = heap[0]
        chosen.append(job_id)
        following = lanes[index].job_ids[position + 1 : position + 2]
        if following:
            heapq.heapreplace(heap, (rank, in_flight + 1, following[0], index, position + 1))
        else:
            heapq.heappop(heap)
    return chosen
