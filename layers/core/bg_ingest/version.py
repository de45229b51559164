"""Which version this is; a test holds it to the newest heading of CHANGELOG.md."""

VERSION = "0.1.0"
