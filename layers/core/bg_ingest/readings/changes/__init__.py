"""What changed since a consumer looked last."""
