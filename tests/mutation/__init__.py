"""Mutation testing: the pure core is broken in every small way, and the tests have to notice each."""
