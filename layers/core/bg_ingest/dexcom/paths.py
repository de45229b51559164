"""Dexcom's paths, as its documentation has them; no other file knows any."""

LOGIN = "/v3/oauth2/login"
TOKEN = "/v3/oauth2/token"  # noqa: S105 - a path.
EGVS = "/v3/users/self/egvs"
DATA_RANGE = "/v3/users/self/dataRange"
DEVICES = "/v3/users/self/devices"
