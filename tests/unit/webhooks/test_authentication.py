from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from bg_ingest.webhooks.authentication import SecretUnusable, is_signed, key_of, signature
from tests.support.fakes import NOON
from tests.support.leaks import OLD_WEBHOOK_SECRET, WEBHOOK_SECRET

KEY, OLD_KEY = key_of(WEBHOOK_SECRET), key_of(OLD_WEBHOOK_SECRET)
BODY = b'{"type": "egvs.available"}'
ID = "msg_1"

# The limits of the specification: 192 to 512 bits.
KEY_BYTES_MIN, KEY_BYTES_MAX = 24, 64
MINUTES_5, SECOND = timedelta(minutes=5), timedelta(seconds=1)

keys = st.binary(min_size=KEY_BYTES_MIN, max_size=KEY_BYTES_MAX)
text = st.text(st.characters(), max_size=60)  # Lone surrogates, too, because headers are JSON.
headers = st.fixed_dictionaries({}, optional={"webhook-timestamp": text, "webhook-signature": text})


def signed(body: bytes = BODY, key: bytes = KEY, at: datetime = NOON, webhook_id: str = ID) -> dict[str, str]:
    """The headers of a signed webhook."""
    timestamp = str(int(at.timestamp()))
    return {
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(key, webhook_id, timestamp, body),
    }


def test_the_published_test_vector_is_accepted() -> None:
    """The test vector that implementations of Standard Webhooks share is accepted."""
    # https://github.com/standard-webhooks/standard-webhooks, test_sign_function in
    # libraries/python/tests/test_webhooks.py and the same numbers in the other languages' tests.
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    webhook_id, body, timestamp = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', "1614265330"
    published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    assert signature(key, webhook_id, timestamp, body) == published
    sent = {"webhook-timestamp": timestamp, "webhook-signature": published}
    assert is_signed(sent, webhook_id, body, [key], datetime.fromtimestamp(1614265330, UTC))


@given(body=st.text(max_size=200), key=keys)
def test_a_signature_of_the_reference_is_accepted(body: str, key: bytes) -> None:
    """Any body that the reference library signs with any key is accepted."""
    made = Webhook(key).sign(msg_id=ID, timestamp=NOON, data=body)
    sent = {"webhook-timestamp": str(int(NOON.timestamp())), "webhook-signature": made}

    assert is_signed(sent, ID, body.encode(), [key], NOON)


@given(body=st.text(max_size=200), key=keys)
def test_the_reference_accepts_our_signature(body: str, key: bytes) -> None:
    """The reference library reads the machine's clock, so the signature has the current time."""
    now = datetime.now(UTC)  # noqa: TID251 - as above.
    sent = {"webhook-id": ID, **signed(body.encode(), key, now)}

    Webhook(key).verify(body, sent, json_parse=False)


@given(keys)
@example(bytes(KEY_BYTES_MIN))
@example(bytes(KEY_BYTES_MAX))
@example(bytes(KEY_BYTES_MIN - 1) + b"\x17")  # In base64 its last letter is an X.
def test_a_secret_is_decoded_as_by_the_reference(key: bytes) -> None:
    """A secret is accepted with its prefix, without it, and without its padding."""
    bare = base64.b64encode(key).decode()

    assert {key_of(f"whsec_{bare}"), key_of(bare), key_of(bare.rstrip("=")), key_of(f" {bare}\n")} == {key}


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all, but long enough", "ä" * 40]
    + [base64.b64encode(bytes(length)).decode() for length in (KEY_BYTES_MIN - 1, KEY_BYTES_MAX + 1)]
    # A decoder that ignores invalid characters would use another key than the sender.
    + [WEBHOOK_SECRET[:20] + stray + WEBHOOK_SECRET[20:] for stray in ("-", " ", "=", "!")],
)
def test_an_invalid_secret_is_refused_and_not_shown(secret: str) -> None:
    """A secret is refused if it is too short, too long, or not base64."""
    with pytest.raises(SecretUnusable) as refused:
        key_of(secret)
    assert "not base64" not in str(refused.value)


@pytest.mark.parametrize("apart", [-MINUTES_5, timedelta(0), MINUTES_5])
def test_a_clock_difference_of_five_minutes_is_accepted(apart: timedelta) -> None:
    """A timestamp exactly five minutes before or after the current time is accepted."""
    assert is_signed(signed(), ID, BODY, [KEY], NOON + apart)


@pytest.mark.parametrize("apart", [-MINUTES_5 - SECOND, MINUTES_5 + SECOND, timedelta(days=10_000)])
def test_a_larger_clock_difference_is_rejected(apart: timedelta) -> None:
    """A timestamp more than five minutes before or after the current time is rejected."""
    assert not is_signed(signed(), ID, BODY, [KEY], NOON + apart)


def test_one_valid_signature_of_several_is_sufficient() -> None:
    """While the sender replaces its secret, a webhook has several signatures in any order."""
    sent = signed()
    others = "v1,AAAA v2,x v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzC"
    for given_ in (f"{others} {sent['webhook-signature']}", f"{sent['webhook-signature']} {others}"):
        assert is_signed(sent | {"webhook-signature": given_}, ID, BODY, [KEY], NOON)


def test_both_current_secrets_are_accepted() -> None:
    """While a secret is replaced, both are accepted, and the removed one is rejected afterwards."""
    for key in (KEY, OLD_KEY):
        assert is_signed(signed(key=key), ID, BODY, [KEY, OLD_KEY], NOON)
    assert not is_signed(signed(key=OLD_KEY), ID, BODY, [KEY], NOON)


def test_without_a_secret_every_signature_is_rejected() -> None:
    """A signature with an empty key is rejected, too."""
    assert not is_signed(signed(), ID, BODY, [], NOON)
    assert not is_signed(signed(key=b""), ID, BODY, [], NOON)


@given(st.binary(max_size=100).filter(lambda body: body != BODY))
def test_a_signature_of_another_body_is_rejected(body: bytes) -> None:
    """A signature is valid only for exactly the same bytes."""
    assert not is_signed(signed(), ID, body, [KEY], NOON)


def test_message_id_and_timestamp_are_signed() -> None:
    """A webhook with another message id or timestamp is rejected."""
    assert not is_signed(signed(), "msg_2", BODY, [KEY], NOON)
    assert not is_signed(signed() | {"webhook-timestamp": "1777204801"}, ID, BODY, [KEY], NOON)


@given(headers)
@example({"webhook-signature": "v1,\ud800"})
def test_invalid_signature_headers_raise_no_error(sent: dict[str, str]) -> None:
    """Any text in the headers is rejected without an exception."""
    assert not is_signed(sent, ID, BODY, [KEY], NOON)
    now = str(int(NOON.timestamp()))
    assert not is_signed(sent | {"webhook-timestamp": now}, ID, BODY, [KEY], NOON)
    assert not is_signed({**signed(), **sent} | {"webhook-signature": "v1,"}, ID, BODY, [KEY], NOON)


@pytest.mark.parametrize(
    "timestamp", ["", "-1", "1e9", "nan", "inf", "1777204800.0", " 1777204800", "١٧٧٧٢٠٤٨٠٠"]
)
def test_a_timestamp_must_be_digits(timestamp: str) -> None:
    """Another form is rejected even if it is signed, as the specification requires."""
    sent = {"webhook-timestamp": timestamp, "webhook-signature": signature(KEY, ID, timestamp, BODY)}

    assert not is_signed(sent, ID, BODY, [KEY], NOON)
