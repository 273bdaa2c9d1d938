"""The end of a person's time, on clocks that are moved: what is due, when, and what never is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.dates import Period, counted
from lab.errors import InputError
from lab.settings.expiry import ExpirySettings, Freeze
from provision.expiring import Mark, State, read_mark
from provision.expiry.machine import GRACE, Facts, Next, Step, begun, done, end_of, next_step

END = date(2027, 3, 31)
USUAL = ExpirySettings()


def day(days: int) -> date:
    """So many days after the last one."""
    return END + timedelta(days=days)


@dataclass
class Person:
    """Whom each night's run finds, and serves."""

    until: date | None = END
    settings: ExpirySettings = USUAL
    mark: Mark | None = None
    own_freezes: tuple[Period, ...] = ()
    has_root: bool = True
    has_home: bool = True
    running: bool = True
    started: date | None = None
    leaving: bool = False
    steps: list[tuple[Step, date]] = field(default_factory=list)

    def facts(self, today: date) -> Facts:
        return Facts(
            until=self.until,
            today=today,
            settings=self.settings,
            mark=self.mark,
            own_freezes=self.own_freezes,
            has_root=self.has_root,
            has_home=self.has_home,
            running=self.running,
            started=self.started,
            leaving=self.leaving,
        )

    def night(self, today: date) -> Next:
        """The run of TODAY: one step at most."""
        facts = self.facts(today)
        found = next_step(facts)
        if not found.is_due(today) or found.step is None:
            return found
        self.mark = done(facts, found, backup="b1" if found.step is Step.ARCHIVE else None)
        self.steps.append((found.step, today))
        match found.step:
            case Step.STOP:
                self.running = False
            case Step.REMOVE_ROOT:
                self.has_root = False
            case Step.PURGE:
                self.has_home = False
                self.until = None
        return found

    def renew(self, until: date) -> None:
        self.until, self.mark = until, None
        self.has_root, self.running = True, True

    def nights(self, first: date, count: int) -> list[tuple[Step, date]]:
        before = len(self.steps)
        for number in range(count):
            self.night(first + timedelta(days=number))
        return self.steps[before:]


def test_every_step_comes_on_its_day() -> None:
    person = Person()
    assert person.nights(day(-40), 400) == [
        (Step.WARN, day(-30)),
        (Step.WARN, day(-7)),
        (Step.WARN, day(-1)),
        (Step.STOP, day(1)),
        (Step.ARCHIVE, day(31)),
        (Step.REMOVE_ROOT, day(61)),
        (Step.ANNOUNCE, day(61 + 173)),
        (Step.PURGE, day(61 + 180)),
    ]
    assert not person.has_home


def test_without_a_date_nothing_ever_happens() -> None:
    assert Person(until=None).nights(END, 4000) == []


def test_the_last_day_is_a_whole_one() -> None:
    person = Person()
    person.nights(day(-30), 31)
    assert (person.running, person.night(day(1)).step) == (True, Step.STOP)


@pytest.mark.parametrize("jump", [5, 60, 400, 4000])
def test_a_clock_that_jumps_makes_one_step_due(jump: int) -> None:
    """The server was off, or its clock is wrong: the next night is not the next step at once."""
    person = Person()
    person.nights(day(-40), 20)
    today = day(jump)
    assert person.nights(today, 1) == [(Step.WARN, today)]
    # Not one night later either: whoever was never warned before has some days.
    assert person.nights(today + timedelta(days=1), GRACE - 1) == []
    assert person.nights(today + timedelta(days=GRACE), 1) == [
        (Step.STOP, today + timedelta(days=GRACE))
    ]
    assert person.nights(today + timedelta(days=GRACE + 1), 29) == []
    again = today + timedelta(days=500)
    assert person.nights(again, 1) == [(Step.ARCHIVE, again)]
    assert person.nights(again + timedelta(days=1), 29) == []


def test_a_clock_that_was_ahead_is_counted_again_from_today() -> None:
    person = Person()
    person.nights(day(1000), GRACE + 1)
    assert person.mark is not None
    assert person.mark.state is State.STOPPED
    # Its clock is right again, three years earlier.
    assert person.nights(day(10), 32) == [(Step.RECOUNT, day(10)), (Step.ARCHIVE, day(40))]


def test_a_warning_by_a_clock_that_was_ahead_is_given_again() -> None:
    person = Person()
    person.nights(day(1000), 1)
    assert person.nights(day(-40), 50) == [
        (Step.WARN, day(-30)),
        (Step.WARN, day(-7)),
        (Step.WARN, day(-1)),
        (Step.STOP, day(1)),
    ]


def test_nothing_happens_in_a_freeze_and_its_days_do_not_count() -> None:
    own = Period(day(-10), day(20))
    person = Person(own_freezes=(own,))
    steps = person.nights(day(-40), 200)
    assert steps[:3] == [
        # The end is moved, so the first of them is late, and is two.
        (Step.WARN, day(21)),
        (Step.WARN, day(26)),
        (Step.STOP, day(28)),
    ]
    assert not [step for step in steps if step[1] in own]


def test_days_after_the_stop_rest_in_a_freeze_of_the_lab() -> None:
    summer = Freeze.model_validate({"from": day(5).isoformat(), "to": day(64).isoformat()})
    person = Person(settings=ExpirySettings(freeze=(summer,)))
    assert person.nights(day(-40), 140)[-2:] == [(Step.STOP, day(1)), (Step.ARCHIVE, day(91))]


def test_an_end_in_two_freezes_comes_after_both() -> None:
    frozen = (Period(day(-3), day(5)), Period(day(9), day(30)))
    assert end_of(END, frozen) == day(37)
    assert end_of(END, ()) == END


@pytest.mark.parametrize(
    ("told", "last"),
    [
        ({"archive": "none"}, Step.STOP),
        ({"remove-root": "none"}, Step.ARCHIVE),
        ({"purge": "none"}, Step.REMOVE_ROOT),
    ],
)
def test_a_step_that_the_settings_leave_out_is_the_end(told: dict[str, str], last: Step) -> None:
    person = Person(settings=ExpirySettings.model_validate(told))
    assert person.nights(day(-40), 2000)[-1][0] is last
    assert "none" in next_step(person.facts(day(3000))).why


def test_what_runs_again_is_stopped_again_and_nothing_is_counted_from_there() -> None:
    person = Person()
    person.nights(day(-40), 51)
    person.running = True
    assert person.nights(day(11), 30) == [(Step.STOP, day(11)), (Step.ARCHIVE, day(31))]


def test_what_ran_after_it_was_archived_is_archived_again() -> None:
    person = Person()
    person.nights(day(-40), 75)
    person.running = True
    assert person.nights(day(35), 70) == [
        (Step.STOP, day(35)),
        (Step.ARCHIVE, day(65)),
        (Step.REMOVE_ROOT, day(95)),
    ]


def test_what_ran_by_day_after_it_was_archived_is_archived_again() -> None:
    person = Person()
    person.nights(day(-40), 75)
    person.started = day(35)
    assert "was started on" in person.night(day(36)).why
    assert person.nights(day(36), 70) == [
        (Step.ARCHIVE, day(65)),
        (Step.REMOVE_ROOT, day(95)),
    ]


@pytest.mark.parametrize("started", [day(30), day(900)])
def test_a_start_before_the_archive_or_by_a_clock_ahead_is_none_after_it(started: date) -> None:
    person = Person(started=started)
    assert person.nights(day(-40), 110)[-1] == (Step.REMOVE_ROOT, day(61))


def test_a_stop_of_which_nobody_was_told_is_told_the_next_night() -> None:
    person = Person()
    person.nights(day(-40), 41)
    facts = person.facts(day(1))
    person.mark = begun(facts, next_step(facts))
    person.running = False
    assert person.mark is not None
    assert read_mark(str(person.mark)) == person.mark
    assert person.nights(day(2), 40) == [(Step.STOP, day(2)), (Step.ARCHIVE, day(31))]
    facts = person.facts(day(50))
    assert begun(facts, next_step(facts)) is None


def test_a_date_that_was_changed_by_hand_stops_everything() -> None:
    person = Person()
    person.nights(day(-40), 51)
    person.until = day(500)
    assert "renew" in person.night(day(600)).why
    assert person.nights(day(600), 1000) == []


def test_a_container_or_home_removed_by_hand_is_the_end_of_it() -> None:
    gone = Person(has_root=False)
    assert gone.nights(day(-40), 1000) == []
    stopped = Person()
    stopped.nights(day(-40), 51)
    stopped.has_root = False
    assert stopped.nights(day(11), 1000) == []
    archived = Person()
    archived.nights(day(-40), 75)
    archived.has_root = False
    assert archived.nights(day(35), 1000) == []
    archived.leaving = True
    assert archived.nights(day(35), 1) == [(Step.REMOVE_ROOT, day(35))]
    homeless = Person(has_home=False)
    assert homeless.nights(day(-40), 1000)[-1][0] is Step.STOP


def test_a_mark_is_read_as_it_is_written() -> None:
    person = Person()
    person.nights(day(-40), 240)
    assert person.mark is not None
    assert read_mark(str(person.mark)) == person.mark
    assert (read_mark(""), read_mark(None)) == (None, None)
    for text in ("{}", "[]", "x", '{"until":"soon"}', str(person.mark).replace("home-kept", "x")):
        with pytest.raises(InputError, match=r"cannot be read"):
            read_mark(text)


HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from([*["night"] * 3, "jump", "back", "renew", "freeze", "start", "use"]),
        st.integers(1, 120),
    ),
    max_size=60,
)
SETTINGS = st.builds(
    lambda warn, archive, root, purge, frozen: ExpirySettings(
        warn=tuple(sorted(warn, reverse=True)),
        archive=archive,
        remove_root=root,
        purge=purge,
        freeze=tuple(
            Freeze.model_validate({"from": day(at).isoformat(), "to": day(at + length).isoformat()})
            for at, length in frozen
        ),
    ),
    st.sets(st.integers(1, 60), min_size=1, max_size=4),
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 200),
    st.lists(st.tuples(st.integers(-100, 900), st.integers(0, 90)), max_size=3),
)


def _insist(person: Person, before: Mark | None, step: Step, today: date) -> None:
    """What is due today may be done, by what was noted before."""
    frozen = person.settings.frozen(person.own_freezes)
    assert not any(today in period for period in frozen)
    if step in {Step.WARN, Step.RECOUNT}:
        return
    assert before is not None
    assert before.warned
    since = counted(before.since, today, frozen)
    if step is Step.STOP and before.state is State.WARNED:
        assert person.until is not None
        assert today > person.until
        last = max(before.warned.values())
        assert counted(last, today, frozen) >= min(GRACE, *person.settings.warn)
    if step is Step.ARCHIVE:
        assert before.state in {State.STOPPED, State.ARCHIVED}
        assert since >= (person.settings.archive or 0)
        if before.state is State.ARCHIVED:
            assert person.started is not None
            assert before.since <= person.started <= today
    if step is Step.REMOVE_ROOT:
        assert person.started is None or not before.since <= person.started <= today
        assert (before.state, before.backup) == (State.ARCHIVED, "b1")
        assert since >= (person.settings.remove_root or 0)
    if step is Step.PURGE:
        assert (before.state, before.backup) == (State.HOME_KEPT, "b1")
        assert since >= (person.settings.purge or 0)
        assert before.announced is not None
        assert counted(before.announced, today, frozen) >= min(GRACE, person.settings.purge or 0)


@settings(max_examples=400, deadline=None)
@given(HAPPENINGS, SETTINGS)
def test_nothing_is_removed_that_was_not_warned_and_archived(
    happenings: list[tuple[str, int]], chosen: ExpirySettings
) -> None:
    person, today = Person(settings=chosen), day(-70)
    for what, days in happenings:
        match what:
            case "night":
                today += timedelta(days=1)
            case "jump":
                today += timedelta(days=days)
            case "back":
                today -= timedelta(days=days)
            case "renew" if person.has_home:
                person.renew(today + timedelta(days=days))
            case "freeze":
                person.own_freezes = (Period(today, today + timedelta(days=days)),)
            case "start" if person.has_root:
                person.running = True
            case "use" if person.has_root:
                person.started = today
        before, had = person.mark, len(person.steps)
        found = person.night(today)
        if len(person.steps) > had and found.step is not None:
            _insist(person, before, found.step, today)
            again = person.night(today)
            assert not again.is_due(today) or found.step is Step.RECOUNT, again


@settings(max_examples=200, deadline=None)
@given(SETTINGS)
def test_whoever_is_left_alone_gets_to_the_purge(chosen: ExpirySettings) -> None:
    """And the day that is told for the next step is the day on which it is done."""
    person, today = Person(settings=chosen), day(-70)
    told: Next | None = None
    for _ in range(2000):
        found = person.night(today)
        if told is not None and told.day is not None and told.day <= today:
            assert (told.step, told.day) == (found.step, today)
        told = None if found.is_due(today) else found
        if not person.has_home:
            break
        today += timedelta(days=1)
    assert [step for step, _ in person.steps if step is not Step.WARN] == [
        Step.STOP,
        Step.ARCHIVE,
        Step.REMOVE_ROOT,
        Step.ANNOUNCE,
        Step.PURGE,
    ]


def test_a_mark_of_the_machine_is_not_made_without_a_warning() -> None:
    facts = Person().facts(day(1))
    assert done(facts, Next(step=Step.STOP, day=day(1), why="")) is None
    nobody = replace(facts, until=None)
    assert done(nobody, Next(step=Step.WARN, day=day(1), why="")) is None
