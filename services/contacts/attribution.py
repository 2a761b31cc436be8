"""Where a request comes from: first and last touch, and the source they point to (S27, S28, U39)."""

from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from chassis.times import to_datetime, to_timestamp
from crm.contacts.v1 import party_pb2

COMPANY_SITE, ONLINE_SHOP, SOCIAL_NETWORK = "company_site", "online_shop", "social_network"
CONTEXTUAL_AD, OTHER_ADVERTISING = "contextual_ad", "other_advertising"

SOURCES = {
    COMPANY_SITE: "Company site",
    ONLINE_SHOP: "Online shop",
    SOCIAL_NETWORK: "Social network",
    CONTEXTUAL_AD: "Contextual advertising",
    OTHER_ADVERTISING: "Other advertising",
}
"""The catalogue of sources that every tenant begins with: key and name."""

_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_CLICK_IDS = frozenset(
    [
        "gclid",
        "gbraid",
        "wbraid",
        "dclid",
        "yclid",
        "msclkid",
        "fbclid",
        "ttclid",
        "twclid",
        "li_fat_id",
        "igshid",
        "rb_clickid",
    ]
)
_SEARCH_AD_CLICKS = frozenset(["gclid", "gbraid", "wbraid", "yclid", "msclkid"])
_SOCIAL_CLICKS = frozenset(["fbclid", "ttclid", "twclid", "li_fat_id", "igshid"])
_SEARCH_AD_MEDIA = frozenset(
    ["cpc", "ppc", "paidsearch", "paid_search", "sem", "context", "contextual"]
)
_SOCIAL_NAMES = frozenset(
    [
        "facebook",
        "instagram",
        "tiktok",
        "twitter",
        "x",
        "linkedin",
        "vk",
        "vkontakte",
        "ok",
        "odnoklassniki",
        "youtube",
        "pinterest",
        "threads",
        "telegram",
        "whatsapp",
        "line",
        "zalo",
    ]
)
_UNPAID_MEDIA = frozenset(["organic", "referral", "email", "newsletter", "none"])


def normalise(
    first: party_pb2.Touch, last: party_pb2.Touch, *, received: datetime
) -> tuple[party_pb2.Touch, party_pb2.Touch]:
    """Both touches completed from their landing pages, in order of time; one alone is both.

    Never raises: what a browser sends may be wrong, and a request must not be lost for it. A time that is missing or in
    the future becomes the other touch's, else `received`.
    """
    first, last = complete(first), complete(last)
    if not _says_something(first):
        first = _copy(last)
    elif not _says_something(last):
        last = _copy(first)
    known = [touch.time for touch in (first, last) if _plausible(touch, received)]
    for touch in (first, last):
        if _says_something(touch) and not _plausible(touch, received):
            touch.time.CopyFrom(known[0] if known else to_timestamp(received))
    if last.time.ToNanoseconds() < first.time.ToNanoseconds():
        first, last = last, first
    return first, last


def complete(touch: party_pb2.Touch) -> party_pb2.Touch:
    """A copy with utm fields, click ids and keyword read from the landing page where they are not given themselves."""
    touch = _copy(touch)
    for name, value in _parameters(touch.landing_page):
        name = name.lower()
        if name in _UTM and not getattr(touch, name):
            setattr(touch, name, value[:300])
        elif name in _CLICK_IDS and name not in touch.click_ids:
            touch.click_ids[name] = value[:500]
    touch.keyword = touch.keyword or touch.utm_term
    return touch


def source_key(touch: party_pb2.Touch) -> str:
    """The key of the source that a touch points to; the company's own site where it points to nothing else."""
    clicks = set(touch.click_ids)
    medium, source = touch.utm_medium.lower(), touch.utm_source.lower()
    if clicks & _SEARCH_AD_CLICKS or (medium in _SEARCH_AD_MEDIA and source not in _SOCIAL_NAMES):
        return CONTEXTUAL_AD
    if (
        clicks & _SOCIAL_CLICKS
        or "social" in medium
        or source in _SOCIAL_NAMES
        or _site_name(touch.referrer) in _SOCIAL_NAMES
    ):
        return SOCIAL_NETWORK
    if clicks or (source and medium not in _UNPAID_MEDIA):
        return OTHER_ADVERTISING
    return COMPANY_SITE


def _parameters(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query, max_num_fields=200)
    except ValueError:
        return []


def _site_name(url: str) -> str:
    """`facebook` of https://m.facebook.com/page; empty if there is none."""
    try:
        labels = (urlsplit(url).hostname or "").split(".")
    except ValueError:
        return ""
    return labels[-2] if len(labels) > 1 else ""


def _says_something(touch: party_pb2.Touch) -> bool:
    return touch.ByteSize() > 0


def _plausible(touch: party_pb2.Touch, received: datetime) -> bool:
    if not touch.HasField("time"):
        return False
    try:
        return to_datetime(touch.time) <= received
    except (ValueError, OverflowError):
        return False


def _copy(touch: party_pb2.Touch) -> party_pb2.Touch:
    copied = party_pb2.Touch()
    copied.CopyFrom(touch)
    return copied
