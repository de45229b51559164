from collections.abc import Callable

import pytest

from bg_ingest.access.caller import Caller, Forbidden, caller_from_claims

Action = Callable[[Caller, str], None]
SERVICES = frozenset({"reporting"})


def test_a_user_may_access_their_own_data() -> None:
    """A user needs no scope for their own data."""
    ada = caller_from_claims({"sub": "ada"}, "sub")

    ada.must_read("ada")
    ada.must_write("ada")


@pytest.mark.parametrize("action", [Caller.must_read, Caller.must_write])
def test_a_user_may_not_access_another_users_data(action: Action) -> None:
    """Access to another user's data raises Forbidden."""
    with pytest.raises(Forbidden):
        action(caller_from_claims({"sub": "ada"}, "sub"), "bob")


@pytest.mark.parametrize(
    ("scope", "opened", "shut"),
    [("bg/read", Caller.must_read, Caller.must_write), ("bg/write", Caller.must_write, Caller.must_read)],
)
def test_a_service_needs_the_scope_of_its_action(scope: str, opened: Action, shut: Action) -> None:
    """The scope for reading does not allow writing, and the scope for writing does not allow reading."""
    service = caller_from_claims({"sub": "reporting", "scope": scope}, "username", SERVICES)

    opened(service, "ada")
    with pytest.raises(Forbidden):
        shut(service, "ada")


@pytest.mark.parametrize(
    "claims", [{}, {"sub": ""}, {"sub": None}, {"sub": 7}, {"sub": "\ud800"}, {"scope": ["bg/read"]}]
)
def test_a_token_without_a_subject_allows_nothing(claims: dict[str, object]) -> None:
    """A token without a valid subject or scope gives a caller without rights."""
    caller = caller_from_claims(claims, "sub")

    assert (caller.actor, caller.user_id, caller.scopes) == ("", None, frozenset())
    for user_id in ("", "None", "7", "ada"):
        with pytest.raises(Forbidden):
            caller.must_read(user_id)


@pytest.mark.parametrize(
    "claims", [{"scope": "openid bg/read"}, {"scp": "[openid bg/read]"}, {"scp": "a,bg/read"}]
)
def test_scopes_are_read_in_each_issuers_format(claims: dict[str, str]) -> None:
    """Scopes are separated by spaces, or are a list that the gateway turned into text."""
    caller_from_claims({"sub": "reporting", **claims}, "sub", SERVICES).must_read("ada")


@pytest.mark.parametrize(
    "scope", ["Xbg/read bg/readX", "BG/READ", "bg/*", "bg%2Fread", "bg /read", "(bg/read)"]
)
@pytest.mark.parametrize("claims", [{"scope": "{}"}, {"scp": "{}"}, {"scp": "[{}]"}])
def test_a_similar_scope_allows_nothing(claims: dict[str, str], scope: str) -> None:
    """Scopes are compared as whole words and exactly."""
    said = {name: form.format(scope) for name, form in claims.items()}
    with pytest.raises(Forbidden):
        caller_from_claims({"sub": "reporting", **said}, "sub", SERVICES).must_read("ada")


@pytest.mark.parametrize("scope", ["bg/read,bg", "[bg/read]"])
def test_a_scope_claim_is_not_read_as_a_list(scope: str) -> None:
    """A comma or a bracket in `scope` is part of a scope's name."""
    with pytest.raises(Forbidden):
        caller_from_claims({"sub": "reporting", "scope": scope}, "sub", SERVICES).must_read("ada")


def test_the_actor_is_the_subject_of_the_token() -> None:
    """The actor is the subject, even if another claim contains the user id."""
    caller = caller_from_claims({"sub": "subject-1", "username": "ada"}, "username")

    assert (caller.actor, caller.user_id) == ("subject-1", "ada")


def test_the_repr_of_a_caller_contains_no_user_id() -> None:
    """A caller in an error message shows no user id."""
    assert "ada" not in repr(caller_from_claims({"sub": "ada"}, "sub"))


@pytest.mark.parametrize(
    ("claims", "user_id_claim"),
    [
        ({"sub": "ada"}, "sub"),
        ({"sub": "ada", "client_id": "reporting"}, "sub"),
        ({"sub": "subject-1", "username": "ada", "client_id": "reporting"}, "username"),
        ({"sub": "reporting", "username": "ada"}, "username"),
        ({"sub": "another-service"}, "username"),
        ({"username": "ada", "client_id": "reporting"}, "username"),
    ],
)
def test_a_scope_counts_for_named_services_only(claims: dict[str, str], user_id_claim: str) -> None:
    """A person's token with both scopes opens that person's data only, as does one of an unknown client."""
    caller = caller_from_claims(claims | {"scope": "bg/read bg/write"}, user_id_claim, SERVICES)

    assert caller.scopes == frozenset()
    for action in (Caller.must_read, Caller.must_write):
        with pytest.raises(Forbidden):
            action(caller, "bob")
    with pytest.raises(Forbidden):
        caller.must_read_everyone()


def test_a_service_has_no_data_of_its_own() -> None:
    """If a user's id equals a service's id, then the service still needs a scope."""
    service = caller_from_claims({"sub": "reporting"}, "sub", SERVICES)

    assert service.user_id is None
    with pytest.raises(Forbidden):
        service.must_read("reporting")


def test_a_service_without_a_subject_is_known_by_its_client_id() -> None:
    """Some issuers send no `sub` for client credentials."""
    caller = caller_from_claims({"client_id": "reporting", "scope": "bg/read"}, "sub", SERVICES)

    assert caller.actor == "reporting"
    caller.must_read("ada")
