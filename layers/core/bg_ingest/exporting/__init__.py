"""Export: the list of users, and readings as files."""
