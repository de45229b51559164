from collections.abc import Callable

import pytest

from bg_ingest.access.caller import Caller, Forbidden, caller_from_claims

Action = Callable[[Caller, str], None]


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
    service = caller_from_claims({"sub": "reporting", "scope": scope}, "username")

    opened(service, "ada")
    with pytest.raises(Forbidden):
        shut(service, "ada")


@pytest.mark.parametrize("claims", [{}, {"sub": ""}, {"sub": None}, {"sub": 7}, {"scope": ["bg/read"]}])
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
    caller_from_claims(claims, "sub").must_read("ada")


@pytest.mark.parametrize(
    "scope", ["Xbg/read bg/readX", "BG/READ", "bg/*", "bg%2Fread", "bg /read", "(bg/read)"]
)
@pytest.mark.parametrize("claims", [{"scope": "{}"}, {"scp": "{}"}, {"scp": "[{}]"}])
def test_a_similar_scope_allows_nothing(claims: dict[str, str], scope: str) -> None:
    """Scopes are compared as whole words and exactly."""
    with pytest.raises(Forbidden):
        caller_from_claims({name: form.format(scope) for name, form in claims.items()}, "sub").must_read(
            "ada"
        )


@pytest.mark.parametrize("scope", ["bg/read,bg", "[bg/read]"])
def test_a_scope_claim_is_not_read_as_a_list(scope: str) -> None:
    """A comma or a bracket in `scope` is part of a scope's name."""
    with pytest.raises(Forbidden):
        caller_from_claims({"scope": scope}, "sub").must_read("ada")


def test_the_actor_is_the_subject_of_the_token() -> None:
    """The actor is the subject, even if another claim contains the user id."""
    caller = caller_from_claims({"sub": "subject-1", "username": "ada"}, "username")

    assert (caller.actor, caller.user_id) == ("subject-1", "ada")


def test_the_repr_of_a_caller_contains_no_user_id() -> None:
    """A caller in an error message shows no user id."""
    assert "ada" not in repr(caller_from_claims({"sub": "ada"}, "sub"))
