"""The HTTP side of the simulator: Dexcom's endpoints, the login page and the control API."""
