"""The JSON, NDJSON and CSV of BG Ingest itself."""
