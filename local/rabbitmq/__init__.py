"""A RabbitMQ of the tests' own: the machine's program, with a folder, a name and ports of its own."""
