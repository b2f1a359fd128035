"""Chat completion: text, and for models of vision images, videos and files, to text, JSON or calls of tools."""

from worker.completion import kind_of

KIND = kind_of("chat", default_model="glm-4.6", believed_s=10.0)  # nothing is published
