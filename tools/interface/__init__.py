"""OpenAPI document of the HTTP API, generated from the code, and what is made from it."""
