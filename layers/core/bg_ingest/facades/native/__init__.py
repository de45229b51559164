"""BG Ingest's own JSON, NDJSON and CSV."""
