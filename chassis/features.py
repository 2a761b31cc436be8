"""Feature switches: what a tenant has switched off refuses, and keeps its data."""

from typing import TYPE_CHECKING

from chassis import errors

if TYPE_CHECKING:
    from chassis.directory import Directory


class FeatureOff(errors.FailedPrecondition):
    """The tenant has switched the feature off."""

    reason = "FEATURE_OFF"

    def __init__(self, feature: str) -> None:
        super().__init__(
            f"the feature {feature} is switched off; an administrator can switch it on in the settings",
            metadata={"feature": feature},
        )


def check_feature(directory: "Directory", tenant: str | None, feature: str) -> None:
    """Raises FeatureOff if the tenant has switched it off; an empty name is never off."""
    if feature and tenant and feature in directory.of(tenant).features_off():
        raise FeatureOff(feature)
