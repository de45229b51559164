"""What a benchmark says is what it measured."""
