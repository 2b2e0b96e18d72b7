from pathlib import Path

from nodeagent.places import Places, places_of


def test_root_has_the_system_places() -> None:
    assert places_of(0, Path("/root"), {"XDG_RUNTIME_DIR": "/run/user/0"}) == Places(
        Path("/run/ssi"), Path("/var/lib/ssi")
    )


def test_user_lives_below_home_and_the_session_directory() -> None:
    places = places_of(1000, Path("/home/ada"), {"XDG_RUNTIME_DIR": "/run/user/1000"})
    assert places == Places(Path("/run/user/1000/ssi"), Path("/home/ada/.local/state/ssi"))
    bare = places_of(1000, Path("/home/ada"), {})
    assert bare.runtime == Path("/home/ada/.local/state/ssi/run")


def test_environment_overrides_both_places() -> None:
    environment = {"SSI_RUNTIME_DIR": "/a", "SSI_STATE_DIR": "/b"}
    assert places_of(0, Path("/root"), environment) == Places(Path("/a"), Path("/b"))
