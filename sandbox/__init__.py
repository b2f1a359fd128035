"""What stands in for the outside: the API, and Postgres and Valkey without a server. Knows nothing of jobs."""
