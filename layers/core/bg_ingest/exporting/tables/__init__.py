"""The contents of an exported file: its rows, and the formats they are written in."""
