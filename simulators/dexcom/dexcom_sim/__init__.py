"""A simulated Dexcom: its web API as documented and as observed, and people who wear its sensors."""
