"""How somebody wants to be told: ways, digests, quiet hours; pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chassis.errors import Violation
from crm.notifications.v1 import notice_preferences_pb2, notice_rule_pb2
from services.notifications import errors, ways

Preferences = notice_preferences_pb2.NoticePreferences
Way = notice_rule_pb2.Way
NoticeRule = notice_rule_pb2.NoticeRule
AT_ONCE, HOURLY = notice_rule_pb2.DIGEST_AT_ONCE, notice_rule_pb2.DIGEST_HOURLY
FEED = notice_rule_pb2.WAY_FEED
DIGEST_TIME = "08:00"


@dataclass(frozen=True, slots=True)
class Wish:
    """How one rule reaches one person."""

    muted: bool
    ways: tuple["Way", ...]
    digest: "notice_rule_pb2.Digest"


def wish(
    preferences: Preferences, rule: NoticeRule, asked: tuple["Way", ...], connected: frozenset[int]
) -> Wish:
    """What the person says, else what the event asks for, else what the rule says; only ways that are connected."""
    own = next((one for one in preferences.rules if one.rule_id == rule.id), None)
    wanted = (own.ways if own is not None else ()) or asked or rule.ways or (FEED,)
    kept = tuple(way for way in dict.fromkeys(wanted) if way in connected)
    said = own.digest if own is not None else notice_rule_pb2.DIGEST_UNSPECIFIED
    digest = said or rule.digest or AT_ONCE
    # What a ladder asks for is told at once, whatever the rule gathers.
    digest = AT_ONCE if asked else digest
    return Wish(own is not None and own.muted, kept or (FEED,), digest)


def check(preferences: Preferences) -> None:
    """PreferencesInvalid for half of quiet hours, ways that are not connected, or a rule named twice."""
    wrong = []
    if bool(preferences.quiet_from) != bool(preferences.quiet_until):
        missing = "quiet_until" if preferences.quiet_from else "quiet_from"
        wrong.append(Violation(missing, "is empty; give both ends of the quiet hours, or neither"))
    elif preferences.quiet_from and preferences.quiet_from == preferences.quiet_until:
        said = f"is {preferences.quiet_until}, as quiet_from; mute rules instead of being quiet all day"
        wrong.append(Violation("quiet_until", said))
    seen = set()
    for index, each in enumerate(preferences.rules):
        if each.rule_id in seen:
            wrong.append(Violation(f"rules[{index}].rule_id", f"{each.rule_id} is named twice"))
        seen.add(each.rule_id)
        wrong += ways.not_connected(f"rules[{index}].ways", each.ways)
    if wrong:
        raise errors.PreferencesInvalid(wrong)


def zone_of(preferences: Preferences, user_zone: str) -> ZoneInfo:
    """The zone of the person's times; UTC where nobody said any."""
    return ZoneInfo(preferences.zone or user_zone or "UTC")


def push_time(preferences: Preferences, zone: ZoneInfo, now: datetime, *, urgent: bool) -> datetime:
    """When a push may go: now, or at the end of the quiet hours that last now."""
    if not preferences.quiet_from or (urgent and preferences.urgent_passes):
        return now
    begin, end = _clock(preferences.quiet_from), _clock(preferences.quiet_until)
    local = now.astimezone(zone)
    at, today = local.time(), local.date()
    if begin < end:
        quiet, day = begin <= at < end, today
    else:
        quiet = at >= begin or at < end
        day = today + timedelta(days=1) if at >= begin else today
    return _moment(day, end, zone) if quiet else now


def digest_time(
    preferences: Preferences, zone: ZoneInfo, now: datetime, digest: "notice_rule_pb2.Digest"
) -> datetime:
    """When what is gathered now is told: with the next full hour, or at the person's own time of the day."""
    if digest == HOURLY:
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    at, today = _clock(preferences.digest_time or DIGEST_TIME), now.astimezone(zone).date()
    found = _moment(today, at, zone)
    return found if found > now else _moment(today + timedelta(days=1), at, zone)


def _clock(text: str) -> time:
    return time.fromisoformat(text)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
