"""From results to the bodies of answers."""
