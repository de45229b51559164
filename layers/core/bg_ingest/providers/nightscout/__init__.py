"""Nightscout: glucose entries from a server that belongs to the user."""
