"""What hours of trouble do to everybody at once; tests/simulation has what seconds of it do to one."""
