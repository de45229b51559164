"""Ways through the code: the source files that one request of each kind enters."""
