"""Sign-in against the issuer of the local cloud, with every part of its answer changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from bg_ingest.signing_in.id_token import SignInRefused, user_id_of, verified_claims
from bg_ingest.signing_in.issuer import ATTEMPT_LIFE, DISCOVERED_S, IssuerUnavailable, PageClient, SignIn
from bg_ingest.signing_in.sealed_cookie import SealedCookie
from bg_ingest.webhooks.jwks import KeySet
from local.sign_in import CLIENT_ID, LocalIssuer, create_sign_in
from tests.support.fake_kms import fake_sealer
from tests.support.fakes import FakeClock
from tests.support.in_process import AsgiTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

ADDRESS = "http://issuer.test"
CALLBACK = "https://api.test/signin/callback"
KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)


def _access_token(user_id: str) -> str:
    return jwt.encode({"sub": f"subject-of-{user_id}"}, "a key that nothing checks in this test")


@dataclass
class Stage:
    """The page's sign-in and a browser, in front of the local issuer."""

    clock: FakeClock = field(default_factory=FakeClock)
    client: PageClient = field(default_factory=lambda: PageClient(ADDRESS, CLIENT_ID))

    def __post_init__(self) -> None:
        self.issuer = LocalIssuer(ADDRESS, CALLBACK, _access_token, self.clock, KEY)
        http = httpx.Client(transport=AsgiTransport(create_sign_in(self.issuer)), base_url=ADDRESS)
        self.browser = http
        self.sign_in = SignIn(
            client=lambda: self.client,
            attempts=SealedCookie(fake_sealer(self.clock), self.clock, "attempt", ATTEMPT_LIFE),
            http=http,
            clock=self.clock,
            on_key_failure=lambda failure: pytest.fail(str(failure)),
            needs_https=False,
        )

    def begin(self, user_id: str = "ada") -> tuple[str, str, str]:
        """The cookie, the state and the code of a person who has just signed in at the issuer."""
        address, cookie = self.sign_in.begin(CALLBACK, user_id)
        returned = self.browser.get(address)
        query = parse_qs(urlsplit(returned.headers["location"]).query)
        return cookie, query["state"][0], query["code"][0]

    def finish(self, cookie: str | None, state: str | None, code: str | None) -> Mapping[str, Any]:
        """What the callback does."""
        return self.sign_in.finish(CALLBACK, cookie, state, code)


@pytest.fixture
def stage() -> Stage:
    """One sign-in."""
    return Stage()


def test_a_person_signs_in(stage: Stage) -> None:
    """The claims name the person under the claim of the API's tokens, with the pool's subject."""
    claims = stage.finish(*stage.begin("ada"))

    assert user_id_of(claims, "username") == "ada"
    assert claims["sub"] == user_id_of(claims, "sub") == "subject-of-ada"


def test_the_sign_in_page_asks_for_the_user(stage: Stage) -> None:
    """Without a hint a form asks, and sends back what the page asked for."""
    address, cookie = stage.sign_in.begin(CALLBACK)
    page = stage.browser.get(address)
    fields = {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}

    returned = stage.browser.post("/authorize", data=fields | {"user_id": "ada"})
    query = parse_qs(urlsplit(returned.headers["location"]).query)

    assert 'name="user_id"' in page.text
    assert stage.finish(cookie, query["state"][0], query["code"][0])["cognito:username"] == "ada"


def test_a_code_works_once(stage: Stage) -> None:
    """A replayed callback is refused by the issuer."""
    answer = stage.begin()
    stage.finish(*answer)

    with pytest.raises(SignInRefused, match="refused the code"):
        stage.finish(*answer)


def test_an_attempt_of_another_browser_is_refused(stage: Stage) -> None:
    """A code that was made for one browser signs in no other: neither state nor verifier fit."""
    mine, _, _ = stage.begin("ada")
    _, state, code = stage.begin("eve")

    with pytest.raises(SignInRefused, match="another sign-in"):
        stage.finish(mine, state, code)
    my_attempt = stage.sign_in.attempts.opened(mine)
    assert my_attempt is not None
    with pytest.raises(SignInRefused, match="refused the code"):
        stage.finish(mine, my_attempt["state"], code)


@pytest.mark.parametrize(
    ("cookie", "state", "code"),
    [(False, True, True), (True, False, True), (True, True, False)],
)
def test_a_part_that_is_missing_is_refused(stage: Stage, cookie: bool, state: bool, code: bool) -> None:  # noqa: FBT001 - which part is sent.
    """Without cookie, state or code there is no session."""
    answer = stage.begin()
    sent = [part if is_sent else None for part, is_sent in zip(answer, (cookie, state, code), strict=True)]

    with pytest.raises(SignInRefused):
        stage.finish(*sent)


def test_an_attempt_ends_after_ten_minutes(stage: Stage) -> None:
    """A browser that comes back later has to begin again."""
    answer = stage.begin()
    stage.clock.advance(ATTEMPT_LIFE.total_seconds())

    with pytest.raises(SignInRefused, match="no sign-in in progress"):
        stage.finish(*answer)


def test_an_issuer_that_names_another_one_is_refused(stage: Stage) -> None:
    """A discovery document of another issuer is not followed."""
    stage.client = PageClient(f"{ADDRESS}/", CLIENT_ID)

    with pytest.raises(IssuerUnavailable, match="another issuer"):
        stage.sign_in.begin(CALLBACK)


def test_outside_development_every_address_is_https(stage: Stage) -> None:
    """An issuer without TLS is not asked at all."""
    sign_in = replace(stage.sign_in, needs_https=True)

    with pytest.raises(IssuerUnavailable, match="not https"):
        sign_in.begin(CALLBACK)


def test_local_issuer_serves_its_own_client_only(stage: Stage) -> None:
    """A request with another redirect URI gets no code, so no other site can receive one."""
    address, _ = stage.sign_in.begin("https://elsewhere.test/callback", "ada")

    assert stage.browser.get(address).status_code == 400


def _token(stage: Stage, key: rsa.RSAPrivateKey = KEY, **changes: Any) -> str:
    now_s = int(stage.clock.now().timestamp())
    claims = {"iss": ADDRESS, "aud": CLIENT_ID, "sub": "s", "nonce": "n", "iat": now_s, "exp": now_s + 60}
    named = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(named, key, algorithm="RS256", headers={"kid": "local"})


def _verified(stage: Stage, token: object) -> Mapping[str, Any]:
    keys = KeySet(stage.issuer.key_set, stage.clock, lambda _: None)
    now = stage.clock.now()
    return verified_claims(token, keys, issuer=ADDRESS, client_id=CLIENT_ID, nonce="n", now=now)


def test_a_right_token_is_accepted(stage: Stage) -> None:
    """The token of the tests below, unchanged."""
    assert _verified(stage, _token(stage))["sub"] == "s"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "http://other.test"},
        {"aud": "another-client"},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"exp": 1},
        {"exp": None},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(stage: Stage, changes: dict[str, Any]) -> None:
    """Of another issuer, client or sign-in, expired, or without a claim that must be there."""
    with pytest.raises(SignInRefused):
        _verified(stage, _token(stage, **changes))


def test_a_forged_token_is_refused(stage: Stage) -> None:
    """Signed with another key, without signature, signed with the public key as a secret, or not a token."""
    unsigned = jwt.encode({"sub": "s"}, "", algorithm="none", headers={"kid": "local"})
    for forged in (_token(stage, OTHER_KEY), unsigned, "a.b.c", "", None, 5):
        with pytest.raises(SignInRefused):
            _verified(stage, forged)


def test_the_issuer_is_discovered_once_in_five_minutes(stage: Stage) -> None:
    """Visitors who begin a sign-in do not each cause a request to the issuer."""
    first, _ = stage.sign_in.begin(CALLBACK)
    stage.sign_in.http = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(500)))

    assert stage.sign_in.begin(CALLBACK)[0].partition("?")[0] == first.partition("?")[0]
    stage.clock.advance(DISCOVERED_S)
    with pytest.raises(IssuerUnavailable):
        stage.sign_in.begin(CALLBACK)


@pytest.mark.parametrize(
    "claims",
    [{}, {"sub": ""}, {"sub": 5}, {"email": "ada"}, {"sub": "app#breaker"}, {"sub": "a b"}, {"sub": "ada\n"}],
    ids=str,
)
def test_claims_without_a_user_are_refused(claims: dict[str, Any]) -> None:
    """A session always belongs to a person."""
    with pytest.raises(SignInRefused):
        user_id_of(claims, "sub")
