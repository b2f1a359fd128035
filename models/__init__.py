"""What is stored: one file per table, the states and their legal moves, and the SQL that makes them."""
