import pytest

from bg_ingest.access.caller import Caller, Forbidden, caller_from_claims


def test_a_person_may_touch_their_own_data() -> None:
    """No scope is needed for what is one's own."""
    ada = caller_from_claims({"sub": "ada"}, "sub")

    ada.must_read("ada")
    ada.must_write("ada")


@pytest.mark.parametrize("action", [Caller.must_read, Caller.must_write])
def test_a_person_may_not_touch_anyone_elses(action: object) -> None:
    """Another person's data is forbidden, known or not."""
    assert callable(action)
    with pytest.raises(Forbidden):
        action(caller_from_claims({"sub": "ada"}, "sub"), "bob")


def test_a_service_needs_the_scope_of_what_it_does() -> None:
    """The scope to read does not open writing."""
    service = caller_from_claims({"sub": "reporting", "scope": "bg/read"}, "username")

    service.must_read("ada")
    with pytest.raises(Forbidden):
        service.must_write("ada")


@pytest.mark.parametrize("claims", [{}, {"sub": ""}, {"sub": None}, {"sub": 7}, {"scope": ["bg/read"]}])
def test_claims_that_name_nobody_open_nothing(claims: dict[str, object]) -> None:
    """A token without a usable subject or scope is nobody's."""
    caller = caller_from_claims(claims, "sub")

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
    "scope", ["bg/reader xbg/read", "bg/read,bg", "[bg/read]", "BG/READ", "bg/*", "bg%2Fread", "bg /read"]
)
def test_a_scope_that_only_looks_like_ours_opens_nothing(scope: str) -> None:
    """Scopes are compared whole, letter for letter."""
    with pytest.raises(Forbidden):
        caller_from_claims({"scope": scope}, "sub").must_read("ada")


def test_who_is_asking_is_not_shown_by_accident() -> None:
    """A caller in an error message names nobody."""
    assert "ada" not in repr(caller_from_claims({"sub": "ada"}, "sub"))
