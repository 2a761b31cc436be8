"""The short way for numbers that are in E.164 already gives what the library gives."""

import random

import phonenumbers
import pytest

from chassis import phones


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_short_way_agrees_with_the_library(region: str) -> None:
    code = phonenumbers.country_code_for_region(region)
    chance = random.Random(region)
    samples = [f"+{code}{chance.randrange(10 ** (n - 1), 10**n)}" for n in range(5, 13) for _ in range(12)]  # fmt: skip
    example = phonenumbers.example_number(region)
    if example is not None:
        samples.append(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164))

    for sample in samples:
        try:
            number = phonenumbers.parse(sample, None)
        except phonenumbers.NumberParseException:
            assert phones.parse(sample, "") is None, sample
            continue
        if phonenumbers.is_possible_number(number):
            expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            assert phones.parse(sample, "") == phones.Dialled(expected), sample
        else:
            assert phones.parse(sample, "") is None, sample
