"""A person's connection and its secrets."""
