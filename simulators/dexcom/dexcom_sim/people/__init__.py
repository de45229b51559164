"""The simulated users: their devices, glucose, sensors and uploads, and the records made of them."""
