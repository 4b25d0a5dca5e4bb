"""One case, end to end: from names and options to a record."""
