"""RabbitMQ for tests: the installed program, with a folder, a node name and ports of its own."""
