"""A person's connection to their Dexcom account: its state and its encrypted tokens."""
