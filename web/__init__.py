"""The web application: the HTTP API under /api/v1, the dashboard's pages, and who may do what there."""
