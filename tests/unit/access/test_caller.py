from collections.abc import Callable

import pytest

from bg_ingest.access.caller import Caller, Forbidden, caller_from_claims

Action = Callable[[Caller, str], None]


def test_a_person_may_touch_their_own_data() -> None:
    """No scope is needed for what is one's own."""
    ada = caller_from_claims({"sub": "ada"}, "sub")

    ada.must_read("ada")
    ada.must_write("ada")


@pytest.mark.parametrize("action", [Caller.must_read, Caller.must_write])
def test_a_person_may_not_touch_anyone_elses(action: Action) -> None:
    """Another person's data is forbidden, known or not."""
    with pytest.raises(Forbidden):
        action(caller_from_claims({"sub": "ada"}, "sub"), "bob")


@pytest.mark.parametrize(
    ("scope", "opened", "shut"),
    [("bg/read", Caller.must_read, Caller.must_write), ("bg/write", Caller.must_write, Caller.must_read)],
)
def test_a_service_needs_the_scope_of_what_it_does(scope: str, opened: Action, shut: Action) -> None:
    """The scope to read does not open writing, nor the other way round."""
    service = caller_from_claims({"sub": "reporting", "scope": scope}, "username")

    opened(service, "ada")
    with pytest.raises(Forbidden):
        shut(service, "ada")


@pytest.mark.parametrize("claims", [{}, {"sub": ""}, {"sub": None}, {"sub": 7}, {"scope": ["bg/read"]}])
def test_claims_that_name_nobody_open_nothing(claims: dict[str, object]) -> None:
    """A token without a usable subject or scope is nobody's."""
    caller = caller_from_claims(claims, "sub")

    assert (caller.actor, caller.user_id, caller.scopes) == ("", None, frozenset())
    for user_id in ("", "None", "7", "ada"):
        with pytest.raises(Forbidden):
            caller.must_read(user_id)


@pytest.mark.parametrize(
    "claims", [{"scope": "openid bg/read"}, {"scp": "[openid bg/read]"}, {"scp": "a,bg/read"}]
)
def test_scopes_are_read_as_issuers_send_them(claims: dict[str, str]) -> None:
    """With spaces, or as a list that the gateway turned into text."""
    caller_from_claims(claims, "sub").must_read("ada")


@pytest.mark.parametrize(
    "scope", ["Xbg/read bg/readX", "BG/READ", "bg/*", "bg%2Fread", "bg /read", "(bg/read)"]
)
@pytest.mark.parametrize("claims", [{"scope": "{}"}, {"scp": "{}"}, {"scp": "[{}]"}])
def test_a_scope_that_only_looks_like_ours_opens_nothing(claims: dict[str, str], scope: str) -> None:
    """Scopes are compared whole, letter for letter."""
    with pytest.raises(Forbidden):
        caller_from_claims({name: form.format(scope) for name, form in claims.items()}, "sub").must_read(
            "ada"
        )


@pytest.mark.parametrize("scope", ["bg/read,bg", "[bg/read]"])
def test_one_scope_is_no_list(scope: str) -> None:
    """A comma or a bracket in `scope` is part of a name."""
    with pytest.raises(Forbidden):
        caller_from_claims({"scope": scope}, "sub").must_read("ada")


def test_the_audit_learns_whose_token_it_was() -> None:
    """The subject, also where another claim names the person."""
    caller = caller_from_claims({"sub": "subject-1", "username": "ada"}, "username")

    assert (caller.actor, caller.user_id) == ("subject-1", "ada")


def test_who_is_asking_is_not_shown_by_accident() -> None:
    """A caller in an error message names nobody."""
    assert "ada" not in repr(caller_from_claims({"sub": "ada"}, "sub"))
