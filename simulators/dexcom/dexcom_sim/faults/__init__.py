"""Misbehaviour on command: what can go wrong at Dexcom, told to go wrong here."""
