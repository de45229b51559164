"""Which users are due in a minute, and how often each user is polled."""
