"""Fakes and helpers that several test tiers share."""
