"""Glucose readings: their model, how they are merged, and how they are stored by the hour."""
