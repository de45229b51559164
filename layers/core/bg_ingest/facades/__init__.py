"""The forms in which readings are served."""
