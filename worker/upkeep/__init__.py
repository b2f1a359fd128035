"""Background duties, one a file. Each is a pass that another copy beside it cannot harm."""
