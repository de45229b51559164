"""The composition root: the only place that builds AWS clients and puts stores and use cases together."""
