"""Stored readings in the dialect of Nightscout, which CGM apps, watches and home automations speak."""
