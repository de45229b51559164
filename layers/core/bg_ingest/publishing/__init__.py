"""Events out: what changed in the tables, told to whoever listens, at least once and recognisably."""
