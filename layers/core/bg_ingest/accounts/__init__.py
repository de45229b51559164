"""The connection of a user to an account at a provider: its state and its encrypted tokens."""
