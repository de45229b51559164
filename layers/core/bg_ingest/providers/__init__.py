"""CGM providers: the interface a sync knows, the errors it handles, and one package per provider."""
