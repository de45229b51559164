"""Sign-in to the page by OpenID Connect, and its session."""
