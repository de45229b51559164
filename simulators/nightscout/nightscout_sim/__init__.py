"""A simulated Nightscout site: its entries, its access tokens, its three APIs, and faults on command."""
