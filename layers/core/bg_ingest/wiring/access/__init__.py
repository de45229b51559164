"""Parts around rights: sessions, grants, audit entries, seals and secrets."""
