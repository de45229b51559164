"""What travels through the queues: orders to sync a user, and the records that a webhook delivered."""
