"""The HTTP interface, described from the code: an OpenAPI document, a page, a table for docs/api.md."""
