"""The requests of people: the page and the status page."""
