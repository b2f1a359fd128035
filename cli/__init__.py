"""The `mediajobs` command: thin; what it does is done by `worker`."""
