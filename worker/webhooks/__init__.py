"""Webhooks: who is told of what, how a message is signed and sent, and when it is tried again."""

#: Event → when it is told.
EVENTS = {
    "batch.finished": "nothing of a batch is open any more",
    "job.succeeded": "a job's outputs are stored",
    "job.failed": "a job was given up",
    "budget.reached": "a job has to wait because a budget is spent",
    "account.paused": "no more calls are made of any model",
}
