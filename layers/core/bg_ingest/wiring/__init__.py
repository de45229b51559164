"""The composition root: builds AWS clients and puts stores and use cases together, and does nothing else."""
