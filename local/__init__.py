"""The local cloud: the deployed template on an emulated AWS, with a simulated Dexcom, on one machine."""
