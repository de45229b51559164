"""Checks of what the Dexcom client assumes, against Dexcom's real sandbox."""
