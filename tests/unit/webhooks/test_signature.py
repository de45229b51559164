from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from bg_ingest.webhooks.signature import SecretUnusable, is_signed, key_of, signature
from tests.support.fakes import NOON
from tests.support.leaks import OLD_WEBHOOK_SECRET, WEBHOOK_SECRET

KEY, OLD_KEY = key_of(WEBHOOK_SECRET), key_of(OLD_WEBHOOK_SECRET)
BODY = b'{"type": "egvs.available"}'
ID = "msg_1"

# The specification's: 192 bits at least, 512 at most.
KEY_BYTES_MIN, KEY_BYTES_MAX = 24, 64
MINUTES_5, SECOND = timedelta(minutes=5), timedelta(seconds=1)

keys = st.binary(min_size=KEY_BYTES_MIN, max_size=KEY_BYTES_MAX)
text = st.text(st.characters(), max_size=60)  # Halves of characters, too: headers come to us as JSON.
headers = st.fixed_dictionaries({}, optional={"webhook-timestamp": text, "webhook-signature": text})


def signed(body: bytes = BODY, key: bytes = KEY, at: datetime = NOON, webhook_id: str = ID) -> dict[str, str]:
    """The headers of a good webhook."""
    timestamp = str(int(at.timestamp()))
    return {
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(key, webhook_id, timestamp, body),
    }


def test_the_published_vector_verifies() -> None:
    """What every implementation of Standard Webhooks is tested with."""
    # https://github.com/standard-webhooks/standard-webhooks, test_sign_function in
    # libraries/python/tests/test_webhooks.py and the same numbers in the other languages' tests.
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    webhook_id, body, timestamp = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', "1614265330"
    published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    assert signature(key, webhook_id, timestamp, body) == published
    told = {"webhook-timestamp": timestamp, "webhook-signature": published}
    assert is_signed(told, webhook_id, body, [key], datetime.fromtimestamp(1614265330, UTC))


@given(body=st.text(max_size=200), key=keys)
def test_what_the_reference_signs_we_accept(body: str, key: bytes) -> None:
    """Any body, any key."""
    made = Webhook(key).sign(msg_id=ID, timestamp=NOON, data=body)
    told = {"webhook-timestamp": str(int(NOON.timestamp())), "webhook-signature": made}

    assert is_signed(told, ID, body.encode(), [key], NOON)


@given(body=st.text(max_size=200), key=keys)
def test_what_we_sign_the_reference_accepts(body: str, key: bytes) -> None:
    """It reads the machine's clock, so this is signed by it as well."""
    now = datetime.now(UTC)  # noqa: TID251 - as above.
    told = {"webhook-id": ID, **signed(body.encode(), key, now)}

    Webhook(key).verify(body, told, json_parse=False)


@given(keys)
@example(bytes(KEY_BYTES_MIN))
@example(bytes(KEY_BYTES_MAX))
@example(bytes(KEY_BYTES_MIN - 1) + b"\x17")  # In base64 its last letter is an X.
def test_a_secret_is_read_as_the_reference_reads_it(key: bytes) -> None:
    """With its prefix, without it, and without its padding."""
    bare = base64.b64encode(key).decode()

    assert {key_of(f"whsec_{bare}"), key_of(bare), key_of(bare.rstrip("=")), key_of(f" {bare}\n")} == {key}


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all, but long enough", "ä" * 40]
    + [base64.b64encode(bytes(length)).decode() for length in (KEY_BYTES_MIN - 1, KEY_BYTES_MAX + 1)]
    # Whoever leaves out what is no base64 reads another key than the sender.
    + [WEBHOOK_SECRET[:20] + stray + WEBHOOK_SECRET[20:] for stray in ("-", " ", "=", "!")],
)
def test_a_secret_that_is_none_is_refused_without_showing_it(secret: str) -> None:
    """Too short, too long, or not base64 from end to end."""
    with pytest.raises(SecretUnusable) as refused:
        key_of(secret)
    assert "not base64" not in str(refused.value)


@pytest.mark.parametrize("apart", [-MINUTES_5, timedelta(0), MINUTES_5])
def test_five_minutes_either_way_are_tolerated(apart: timedelta) -> None:
    """To the second."""
    assert is_signed(signed(), ID, BODY, [KEY], NOON + apart)


@pytest.mark.parametrize("apart", [-MINUTES_5 - SECOND, MINUTES_5 + SECOND, timedelta(days=10_000)])
def test_more_is_not(apart: timedelta) -> None:
    """Neither too old nor too far ahead."""
    assert not is_signed(signed(), ID, BODY, [KEY], NOON + apart)


def test_one_good_signature_of_several_is_enough() -> None:
    """While the sender replaces its secret, whichever of the two we know, and in whatever order."""
    told = signed()
    others = "v1,AAAA v2,x v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzC"
    for given_ in (f"{others} {told['webhook-signature']}", f"{told['webhook-signature']} {others}"):
        assert is_signed(told | {"webhook-signature": given_}, ID, BODY, [KEY], NOON)


def test_both_live_secrets_are_good_and_a_withdrawn_one_is_not() -> None:
    """While we replace ours."""
    for key in (KEY, OLD_KEY):
        assert is_signed(signed(key=key), ID, BODY, [KEY, OLD_KEY], NOON)
    assert not is_signed(signed(key=OLD_KEY), ID, BODY, [KEY], NOON)


def test_without_a_secret_nothing_is_signed() -> None:
    """Not even by an empty key."""
    assert not is_signed(signed(), ID, BODY, [], NOON)
    assert not is_signed(signed(key=b""), ID, BODY, [], NOON)


@given(st.binary(max_size=100).filter(lambda body: body != BODY))
def test_another_body_is_not_signed(body: bytes) -> None:
    """Nor is the same body in other bytes."""
    assert not is_signed(signed(), ID, body, [KEY], NOON)


def test_id_and_time_are_signed_as_well() -> None:
    """Neither can be exchanged for another."""
    assert not is_signed(signed(), "msg_2", BODY, [KEY], NOON)
    assert not is_signed(signed() | {"webhook-timestamp": "1777204801"}, ID, BODY, [KEY], NOON)


@given(headers)
@example({"webhook-signature": "v1,\ud800"})
def test_no_header_makes_it_raise(told: dict[str, str]) -> None:
    """Whatever is in them: it is not signed, and that is all."""
    assert not is_signed(told, ID, BODY, [KEY], NOON)
    now = str(int(NOON.timestamp()))
    assert not is_signed(told | {"webhook-timestamp": now}, ID, BODY, [KEY], NOON)
    assert not is_signed({**signed(), **told} | {"webhook-signature": "v1,"}, ID, BODY, [KEY], NOON)


@pytest.mark.parametrize(
    "timestamp", ["", "-1", "1e9", "nan", "inf", "1777204800.0", " 1777204800", "١٧٧٧٢٠٤٨٠٠"]
)
def test_a_timestamp_is_digits(timestamp: str) -> None:
    """As the specification says; signed all the same, so that only its form can be what is refused."""
    told = {"webhook-timestamp": timestamp, "webhook-signature": signature(KEY, ID, timestamp, BODY)}

    assert not is_signed(told, ID, BODY, [KEY], NOON)
