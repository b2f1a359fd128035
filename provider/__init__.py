"""The API as it is: endpoints, wire types, URL formats, wrappers, errors. Knows nothing of jobs."""
