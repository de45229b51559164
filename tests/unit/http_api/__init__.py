"""Tests of http_api."""
