"""
Client library for Dexcom's web API, usable without AWS.

Each public name is imported at its first use. A function that needs only the errors therefore starts without
the import time of an HTTP client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bg_ingest.providers.dexcom.client import DexcomClient
    from bg_ingest.providers.dexcom.oauth import Application, OAuth
    from bg_ingest.providers.dexcom.regions import base_url
    from bg_ingest.providers.dexcom.responses import DataRange, KnownDevice
    from bg_ingest.providers.dexcom.subscriptions import Subscription
    from bg_ingest.providers.errors import LoginNeeded, PersonNeeded, ProviderError, TokenRejected, TryLater
    from bg_ingest.providers.http.admission import RateLimiter, RateRules
    from bg_ingest.providers.http.client_metrics import ClientMetrics
    from bg_ingest.providers.http.http_client import admission_control, polite_http
    from bg_ingest.providers.http.policy import Policy, Timeouts
    from bg_ingest.providers.http.send import CallRecord
    from bg_ingest.providers.seam import Fetched, Rejected, Span, Tokens

_NAMES = {
    "dexcom.client": ["DexcomClient"],
    "dexcom.oauth": ["Application", "OAuth"],
    "dexcom.regions": ["base_url"],
    "dexcom.responses": ["DataRange", "KnownDevice"],
    "dexcom.subscriptions": ["Subscription"],
    "errors": ["LoginNeeded", "PersonNeeded", "ProviderError", "TokenRejected", "TryLater"],
    "http.admission": ["RateLimiter", "RateRules"],
    "http.client_metrics": ["ClientMetrics"],
    "http.http_client": ["admission_control", "polite_http"],
    "http.policy": ["Policy", "Timeouts"],
    "http.send": ["CallRecord"],
    "seam": ["Fetched", "Rejected", "Span", "Tokens"],
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}
__all__ = [
    "Application",
    "CallRecord",
    "ClientMetrics",
    "DataRange",
    "DexcomClient",
    "Fetched",
    "KnownDevice",
    "LoginNeeded",
    "OAuth",
    "PersonNeeded",
    "Policy",
    "ProviderError",
    "RateLimiter",
    "RateRules",
    "Rejected",
    "Span",
    "Subscription",
    "Timeouts",
    "TokenRejected",
    "Tokens",
    "TryLater",
    "admission_control",
    "base_url",
    "polite_http",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"{__name__} has no {name}")
    return getattr(import_module(f"bg_ingest.providers.{_MODULE_OF[name]}"), name)
