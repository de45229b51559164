"""From a request to checked arguments: parameters and bodies."""
