"""Events out: what changed in the tables, as CloudEvents, delivered at least once."""
