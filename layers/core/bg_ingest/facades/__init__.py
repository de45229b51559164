"""Forms in which readings are served."""
