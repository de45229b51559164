"""The local tools: the simulated Dexcom, by its rules and by its addresses."""
