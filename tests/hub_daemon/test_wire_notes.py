"""What the link dropped, as lines of the log: soon, by name, and never so many that a bad cable fills the disk."""

from hub_daemon.wire_notes import WireNotes


def names(notes: WireNotes, damaged: int, refused: int, now_ms: int, closing: bool = False) -> list[str]:
    said = notes.look({"damaged": damaged, "refused": refused, "frames": 9}, now_ms, closing)
    return [f"{refusal.name} {str(refusal).split()[0]}" for refusal in said]


def test_a_clean_wire_says_nothing() -> None:
    notes = WireNotes()
    assert [names(notes, 0, 0, at, closing=True) for at in range(0, 100_000, 1000)] == [[]] * 100


def test_damage_is_gathered_for_a_second_and_then_said_with_its_count() -> None:
    notes = WireNotes()
    assert names(notes, 1, 1, 0) == [] and names(notes, 30, 2, 999) == []
    assert names(notes, 31, 2, 1000) == ["FrameDamaged 31", "FrameRefused 2"]
    assert names(notes, 31, 2, 90_000) == [], "nothing new"


def test_a_wire_that_stays_bad_is_said_once_a_minute_and_every_frame_is_counted() -> None:
    notes = WireNotes()
    said = [one for at in range(0, 600_000, 100) for one in names(notes, at // 100, 0, at)]
    assert len(said) == 10
    assert sum(int(one.split()[1]) for one in said) <= 6000
    assert names(notes, 6000, 0, 600_000, closing=True), "the end of a wire says what is left"
    left = WireNotes()
    assert names(left, 3, 0, 5, closing=True) == ["FrameDamaged 3"]
