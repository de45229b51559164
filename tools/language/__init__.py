"""The language linter: finds banned words and openings, and sentences that are too long, in all prose."""
