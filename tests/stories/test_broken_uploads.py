"""Uploads that break: never two assets, never a lost file, never an endless hammering."""

import time

from immich_sync.sandbox import (
    EarlyAnswer,
    Fault,
    Html,
    LostAnswer,
    Quota,
    ResetRequest,
    ResetResponse,
    Status,
    TooLarge,
)
from tests.stories.scene import Story, photo, sha1, until

SIZE = 8_000_000


def _big(number: int) -> bytes:
    """The `number`-th large photo; all of them are of one length."""
    return photo(f"big {number}", SIZE)


def _sent_so_far(number: int) -> list[str]:
    """The checksums of all large photos up to this one."""
    return sorted(sha1(_big(one)) for one in range(number + 1))


def test_a_broken_upload_is_made_once_more(story: Story) -> None:
    """The server never got it, or not all of it: after one more upload it has the file, once."""
    server = story.server
    daemon = story.start()
    faults: list[Fault] = [
        ResetRequest(after=3_000_000),
        ResetRequest(after=len(_big(0)) + 100),
        Html(),
        Status(500),
        Status(504, read_body=True),
        EarlyAnswer(502),
    ]
    for number, fault in enumerate(faults):
        rule = server.break_uploads(fault, times=1)
        story.put(f"{number}.jpg", _big(number))
        there = _sent_so_far(number)
        until(lambda there=there: server.checksums() == there, f"after {fault} the file is there")  # type: ignore[misc] # a default holds the loop's value
        story.calm(daemon)

        assert server.checksums() == there, fault
        assert rule.fired == 1, fault
        assert server.sandbox.count("POST", "/api/assets", 201) == len(server.everything()), fault
        assert daemon.folder().verified == len(server.everything()), fault
    assert until(lambda: not server.sandbox.stray_files(), "nothing is left over")


def test_an_upload_whose_answer_is_lost_is_not_made_again(story: Story) -> None:
    """The server took the file and the answer broke: its checksum is asked for, nothing is sent."""
    server = story.server
    daemon = story.start()
    faults: list[Fault] = [LostAnswer(), ResetResponse(after=20)]
    for number, fault in enumerate(faults):
        rule = server.break_uploads(fault, times=1)
        story.put(f"{number}.jpg", _big(number))
        there = _sent_so_far(number)
        until(lambda rule=rule: rule.fired, f"{fault} fired")  # type: ignore[misc] # a default holds the loop's value
        story.calm(daemon)

        assert server.checksums() == there, fault
        assert server.sent() == number + 1, fault
        assert daemon.folder().verified == len(server.everything()), fault
        assert daemon.problems("failing") == [], fault


def test_a_file_too_large_for_the_way_is_held_until_a_person_retries(story: Story) -> None:
    """A 413 before the body is read: the file is listed with advice, and goes up on `retry`."""
    server = story.server
    daemon = story.start()
    there: list[str] = []
    faults: list[Fault] = [EarlyAnswer(413), TooLarge(limit=1_000_000)]
    for number, fault in enumerate(faults):
        rule = server.break_uploads(fault)
        path = story.put(f"{number}.jpg", _big(number))
        (problem,) = until(lambda: daemon.problems("too_large"), f"{fault}: it is listed")
        fired = rule.fired
        daemon.order("scan")
        server.sandbox.faults.remove(rule)
        story.calm(daemon)
        held = server.checksums()
        retried = story.typed("retry", path)
        before, there = there, _sent_so_far(number)
        until(lambda there=there: server.checksums() == there, "the file is there")  # type: ignore[misc] # a default holds the loop's value
        until(lambda: not daemon.problems("too_large"), "it is not listed any more")

        assert (fired, held) == (1, before), fault
        assert problem.path == str(path)
        assert "immich-sync retry" in problem.advice
        assert "client_max_body_size" in problem.advice
        assert (retried.returncode, retried.stderr) == (0, "")


def test_uploads_that_always_break_are_not_hammered(story: Story) -> None:
    """While small calls work and uploads never do, a file is tried ever more seldom."""
    server = story.server
    daemon = story.start()
    before: list[str] = []
    faults: list[Fault] = [Status(500), Status(503, retry_after="1"), Html(), Quota()]
    for number, fault in enumerate(faults):
        rule = server.break_uploads(fault)
        path = story.put(f"{number}.jpg", _big(number))
        until(lambda rule=rule: rule.fired == 2, f"{fault}: it was tried twice")  # type: ignore[misc] # a default holds the loop's value
        asked = server.asked()
        time.sleep(1.5)  # in which a probe could go out seven times

        assert rule.fired <= 2 + 2, fault
        assert server.asked() - asked < 20, fault
        assert server.checksums() == before, fault
        until(lambda: daemon.problems("failing") or daemon.problems("server"), "it is listed")
        server.sandbox.faults.remove(rule)
        daemon.order("retry", path)
        before = _sent_so_far(number)
        until(lambda there=before: server.checksums() == there, "it goes up when nothing breaks it")  # type: ignore[misc] # a default holds the loop's value
        until(daemon.is_done, "nothing is due any more")


def test_one_file_that_the_server_chokes_on_keeps_no_other_waiting(story: Story) -> None:
    """A 500 for one file only: the others go up meanwhile, and it is tried again later."""
    server = story.server
    rule = server.break_uploads(Status(500, read_body=True), times=2)
    daemon = story.start()
    story.put("bad.jpg", photo("bad"))
    until(lambda: rule.spent, "it failed twice")
    for number in range(5):
        story.put(f"good {number}.jpg", photo(number))
    until(lambda: len(server.names()) == 5, "the others are there")
    problems = [problem.path for problem in daemon.problems("failing")]
    until(lambda: "bad.jpg" in server.names(), "it went up in the end")
    until(lambda: not daemon.problems("failing"), "it is no problem any more")

    assert problems == [str(story.photos / "bad.jpg")]
    assert [asset.name for asset in server.assets()][-1] == "bad.jpg"
    assert server.sent() == 5 + 3


def test_a_log_in_page_for_everything_closes_the_gate(story: Story) -> None:
    """A captive portal answers 200 to all: one probe at a time, and all is as before after it."""
    server = story.server
    daemon = story.start()
    story.put("first.jpg", photo("first"))
    until(lambda: server.names() == ["first.jpg"], "the first is there")
    portal = server.sandbox.faults.add(Html())
    for number in range(10):
        story.put(f"{number}.jpg", photo(number))
    (problem,) = until(lambda: daemon.problems("server"), "the server is a problem")
    until(lambda: portal.fired >= 5, "it is probed")
    sent = server.sent()
    server.sandbox.faults.remove(portal)
    until(lambda: daemon.folder().verified == 11, "all are there")

    assert sent == 1
    assert "login page" in problem.advice
    assert len(server.names()) == 11
    assert daemon.events("retry_scheduled") == []
