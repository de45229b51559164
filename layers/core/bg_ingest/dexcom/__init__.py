"""
Everything the service knows about Dexcom; usable on its own, without AWS.

The names in `__all__` are the library. Each is loaded when it is first used: a function that only needs the
errors must not pay for an HTTP client at its cold start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bg_ingest.dexcom.answers import DataRange, Egvs, KnownDevice, Span
    from bg_ingest.dexcom.client import DexcomClient
    from bg_ingest.dexcom.errors import DexcomError, LoginNeeded, PersonNeeded, TokenRejected, TryLater
    from bg_ingest.dexcom.exchange import Exchange
    from bg_ingest.dexcom.http_client import make_turnstile, polite_http
    from bg_ingest.dexcom.metrics import ClientMetrics
    from bg_ingest.dexcom.oauth import Application, OAuth, Tokens
    from bg_ingest.dexcom.pace import PaceRules, ProcessPace
    from bg_ingest.dexcom.policy import Policy, Timeouts
    from bg_ingest.dexcom.records import Rejected
    from bg_ingest.dexcom.subscriptions import Subscription

__all__ = [
    "Application",
    "ClientMetrics",
    "DataRange",
    "DexcomClient",
    "DexcomError",
    "Egvs",
    "Exchange",
    "KnownDevice",
    "LoginNeeded",
    "OAuth",
    "PaceRules",
    "PersonNeeded",
    "Policy",
    "ProcessPace",
    "Rejected",
    "Span",
    "Subscription",
    "Timeouts",
    "TokenRejected",
    "Tokens",
    "TryLater",
    "make_turnstile",
    "polite_http",
]

_NAMES_OF = {
    "answers": ("DataRange", "Egvs", "KnownDevice", "Span"),
    "client": ("DexcomClient",),
    "errors": ("DexcomError", "LoginNeeded", "PersonNeeded", "TokenRejected", "TryLater"),
    "exchange": ("Exchange",),
    "http_client": ("make_turnstile", "polite_http"),
    "metrics": ("ClientMetrics",),
    "oauth": ("Application", "OAuth", "Tokens"),
    "pace": ("PaceRules", "ProcessPace"),
    "policy": ("Policy", "Timeouts"),
    "records": ("Rejected",),
    "subscriptions": ("Subscription",),
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"{__name__} has no {name}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
