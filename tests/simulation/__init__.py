"""The real engine under a random schedule of faults, reproducible by its seed."""
