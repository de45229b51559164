"""What polls leave in the sync item: gaps for the next poll, and records of quiet polls."""
