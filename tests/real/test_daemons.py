"""Two daemons where one was meant: on one state, and over one folder."""

from tests.real.scene import ends_well, sentence
from tests.stories.scene import Story, photo, until


def test_a_second_one_on_the_same_state_ends_at_once(story: Story) -> None:
    """It says which process holds the state and what to do; the first one hears nothing of it."""
    daemon = story.start()
    said = sentence(story, code=2)
    story.put("a.jpg", photo("a"))

    assert f"pid {daemon.process.pid}" in said
    assert str(story.state) in said
    assert "stop it first" in said
    ends_well(story, daemon, [photo("a")])


def test_two_over_one_folder_make_one_asset_of_each_content(story: Story) -> None:
    """Each with a state of its own, both at once, under one account: nothing is there twice.

    Both prove what is there, whoever brought it, and both put it into the album that is there.
    """
    story.server.api("POST", "/albums", {"albumName": "Trip"})  # each would make it, at once
    home = story.home / "other"
    home.mkdir()
    other = Story(story.server, home, story.photos, home / "config.toml")
    contents = [photo(n, 30_000) for n in range(40)]
    for one in (story, other):
        one.configure({"album": "Trip"}, uploads=4)
    for n, content in enumerate(contents[:20]):
        story.put(f"{n}.jpg", content)
    first, second = story.launch(), other.launch()
    until(lambda: first.is_ready() and second.is_ready(), "both watch")
    for n, content in enumerate(contents[20:]):
        story.put(f"{20 + n}.jpg", content)

    until(lambda: first.folder().verified == second.folder().verified == 40, "both have proved all")
    ends_well(story, first, contents)
    ends_well(other, second, contents)
    assert sorted(story.server.album("Trip")) == sorted(f"{n}.jpg" for n in range(40))
