"""Real Nightscout clients, unchanged, against the deployed local stack."""
