"""Erasure of all stored data of a user."""
