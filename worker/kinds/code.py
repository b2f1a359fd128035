"""Code completion: the same call as chat at the endpoint for keys of a coding plan.

A plan is paid for as a whole: what is shown as cost is what the tokens would cost without one.
"""

from worker.completion import kind_of

KIND = kind_of("code", default_model="glm-4.7", believed_s=20.0)  # nothing is published
