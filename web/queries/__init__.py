"""What the pages read: rows and tallies as plain values, in a time that does not grow with the history."""
