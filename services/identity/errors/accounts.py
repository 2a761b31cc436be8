"""Why identity refuses; each class has its reason in reasons.proto."""

from collections.abc import Iterable

from chassis import errors
from chassis.errors import Violation


class SetupTokenWrong(errors.PermissionDenied):
    reason = "SETUP_TOKEN_WRONG"

    def __init__(self) -> None:
        super().__init__(
            "this is not the set-up token; open the link that the installation printed when it started"
        )


class SetupDone(errors.FailedPrecondition):
    reason = "SETUP_DONE"

    def __init__(self) -> None:
        super().__init__(
            "this installation already has a company; sign in, or ask its administrator for an invitation"
        )


class SignUpClosed(errors.PermissionDenied):
    reason = "SIGN_UP_CLOSED"

    def __init__(self) -> None:
        super().__init__(
            "this installation does not let companies sign up; its operator allows it by CRM_SIGNUP=1"
        )


class WrongCredentials(errors.Unauthenticated):
    reason = "WRONG_CREDENTIALS"

    def __init__(self) -> None:
        super().__init__("e-mail or password are wrong, or this account may not sign in")


class TooManyAttempts(errors.ResourceExhausted):
    reason = "TOO_MANY_ATTEMPTS"

    def __init__(self, wait_s: float) -> None:
        super().__init__(
            f"too many attempts to sign in; try again in {wait_s:.0f} seconds", retry_after_s=wait_s
        )


class RefreshTokenInvalid(errors.Unauthenticated):
    reason = "REFRESH_TOKEN_INVALID"

    def __init__(self) -> None:
        super().__init__("the session is unknown, has ended or was revoked; sign in again")


class RefreshTokenReused(errors.Unauthenticated):
    reason = "REFRESH_TOKEN_REUSED"

    def __init__(self) -> None:
        super().__init__(
            "this refresh token was used before; the session was ended for safety, sign in again"
        )


class LinkInvalid(errors.FailedPrecondition):
    reason = "LINK_INVALID"

    def __init__(self) -> None:
        super().__init__(
            "this link is unknown, was used or has ended; ask your administrator for a new one"
        )


class PasswordWeak(errors.InvalidArgument):
    reason = "PASSWORD_WEAK"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"the password {why}; choose another", [Violation(field, why)])


class PasswordWrong(errors.FailedPrecondition):
    reason = "PASSWORD_WRONG"

    def __init__(self, field: str = "old_password") -> None:
        named = field.replace("_", " ")
        super().__init__(f"the {named} is wrong", [Violation(field, "is not your password")])


class EmailTaken(errors.AlreadyExists):
    reason = "EMAIL_TAKEN"

    def __init__(self) -> None:
        super().__init__(
            "another user signs in with this e-mail; choose another",
            [Violation("email", "is taken")],
        )


class NameTaken(errors.AlreadyExists):
    reason = "NAME_TAKEN"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"another {kind} has this name; choose another", [Violation("name", "is taken")]
        )


class UserStateWrong(errors.FailedPrecondition):
    reason = "USER_STATE_WRONG"

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__(
            f"the user is {state}; this needs a user who is {wanted}",
            [Violation("state", f"is {state}")],
        )


class LastAdministrator(errors.FailedPrecondition):
    reason = "LAST_ADMINISTRATOR"

    def __init__(self) -> None:
        super().__init__(
            "the company would have no administrator; make somebody else administrator first"
        )


class NotYourself(errors.FailedPrecondition):
    reason = "NOT_YOURSELF"

    def __init__(self, what: str = "can deactivate himself; ask another administrator") -> None:
        super().__init__(f"nobody {what}")


class GrantNotHeld(errors.PermissionDenied):
    reason = "GRANT_NOT_HELD"

    def __init__(self, grants: Iterable[str], field: str) -> None:
        named = ", ".join(grants)
        super().__init__(
            f"you cannot give away rights that you do not have: {named}", [Violation(field, named)]
        )


class ReferenceUnknown(errors.FailedPrecondition):
    reason = "REFERENCE_UNKNOWN"

    def __init__(self, unknown: dict[str, str]) -> None:
        super().__init__(
            "the record names others that do not exist: "
            + ", ".join(f"{f}={id}" for f, id in unknown.items()),
            [Violation(field, f"{id} does not exist") for field, id in unknown.items()],
        )


class DepartmentCycle(errors.FailedPrecondition):
    reason = "DEPARTMENT_CYCLE"

    def __init__(self) -> None:
        super().__init__(
            "a department cannot be below itself; choose another parent",
            [Violation("parent_id", "is this department or one below it")],
        )


class DepartmentTooDeep(errors.FailedPrecondition):
    reason = "DEPARTMENT_TOO_DEEP"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"departments are at most {limit} levels deep; choose a higher parent",
            [Violation("parent_id", f"is at level {limit}")],
        )


class DepartmentInUse(errors.FailedPrecondition):
    reason = "DEPARTMENT_IN_USE"

    def __init__(self, users: int, departments: int) -> None:
        super().__init__(
            f"{users} users and {departments} departments are still in it; move them first"
        )


class RoleBuiltIn(errors.FailedPrecondition):
    reason = "ROLE_BUILT_IN"

    def __init__(self) -> None:
        super().__init__("the administrator role stays as it is; make another role instead")


class RoleInUse(errors.FailedPrecondition):
    reason = "ROLE_IN_USE"

    def __init__(self, users: int) -> None:
        super().__init__(f"{users} users still have this role; give them another first")


class FeatureUnknown(errors.InvalidArgument):
    reason = "FEATURE_UNKNOWN"

    def __init__(self, keys: Iterable[str], known: Iterable[str]) -> None:
        super().__init__(
            f"no such feature: {', '.join(keys)}; there are {', '.join(known)}",
            [Violation("features_off", f"{key} is not a feature") for key in keys],
        )


class FieldFixed(errors.FailedPrecondition):
    reason = "FIELD_FIXED"

    def __init__(self, fields: Iterable[str]) -> None:
        named = list(fields)
        super().__init__(
            f"{', '.join(named)} cannot be changed; make a new one instead",
            [Violation(field, "cannot be changed after creation") for field in named],
        )


class ValueInvalid(errors.InvalidArgument):
    reason = "VALUE_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(f"{v.field} {v.description}" for v in violations), violations)


class OwnerNotActive(errors.FailedPrecondition):
    reason = "OWNER_NOT_ACTIVE"

    def __init__(self) -> None:
        super().__init__(
            "a token works for an active user; choose one",
            [Violation("owner_id", "is not an active user")],
        )


class KeysRotatedRecently(errors.FailedPrecondition):
    reason = "KEYS_ROTATED_RECENTLY"

    def __init__(self, wait_s: float) -> None:
        super().__init__(
            f"the signing key is new; it can be replaced again in {wait_s:.0f} seconds"
        )


class CallerIsToken(errors.PermissionDenied):
    reason = "CALLER_IS_TOKEN"

    def __init__(self) -> None:
        super().__init__("only a signed-in person can do this, not an API token")


class WorkingTimeNever(errors.FailedPrecondition):
    reason = "WORKING_TIME_NEVER"

    def __init__(self, wanted_hours: float) -> None:
        super().__init__(
            f"this user's working hours do not hold {wanted_hours:g} hours within ten years;"
            " look at the hours of the user, the departments above and the company",
            [Violation("id", "works too little, or never")],
        )


class SecondFactorWrong(errors.Unauthenticated):
    reason = "SECOND_FACTOR_WRONG"

    def __init__(self) -> None:
        super().__init__(
            "the code is wrong, was used before or has ended; wait for the next one and send that",
            [Violation("code", "is not good, or not any more")],
        )


class ChallengeInvalid(errors.Unauthenticated):
    reason = "CHALLENGE_INVALID"

    def __init__(self) -> None:
        super().__init__("this sign-in is unknown, was finished or has ended; sign in again")


class SecondFactorAbsent(errors.FailedPrecondition):
    reason = "SECOND_FACTOR_ABSENT"

    def __init__(self) -> None:
        super().__init__("there is no second factor; set one up first")


class SecondFactorPresent(errors.FailedPrecondition):
    reason = "SECOND_FACTOR_PRESENT"

    def __init__(self) -> None:
        super().__init__("there is a second factor already; disable it first, then set up another")


class ProviderSignInInvalid(errors.Unauthenticated):
    reason = "PROVIDER_SIGN_IN_INVALID"

    def __init__(self) -> None:
        super().__init__(
            "this sign-in is unknown, was finished, has ended or began in another browser; begin again"
        )


class ProviderUnusable(errors.FailedPrecondition):
    reason = "PROVIDER_UNUSABLE"

    def __init__(self, why: str) -> None:
        super().__init__(f"signing in through the provider is not possible: {why}")


class ProviderRefused(errors.Unauthenticated):
    reason = "PROVIDER_REFUSED"

    def __init__(self, error: str) -> None:
        super().__init__(f"the identity provider refused the sign-in ({error}); begin again")


class ProviderTokenInvalid(errors.Unauthenticated):
    reason = "PROVIDER_TOKEN_INVALID"

    def __init__(self, why: str) -> None:
        super().__init__(f"what the identity provider says cannot be trusted: {why}")


class EmailNotVerified(errors.PermissionDenied):
    reason = "EMAIL_NOT_VERIFIED"

    def __init__(self) -> None:
        super().__init__(
            "the identity provider does not vouch for your e-mail; have it verified there, then sign in again"
        )


class ProviderUserUnknown(errors.PermissionDenied):
    reason = "PROVIDER_USER_UNKNOWN"

    def __init__(self) -> None:
        super().__init__(
            "nobody who may sign in here has this e-mail; ask your administrator for an invitation"
        )


class ReturnPathInvalid(errors.InvalidArgument):
    reason = "RETURN_PATH_INVALID"

    def __init__(self) -> None:
        super().__init__(
            "return_path must be a path of this installation such as /deals",
            [Violation("return_path", "is not a path that begins with one /")],
        )


class IssuerNotAllowed(errors.InvalidArgument):
    reason = "ISSUER_NOT_ALLOWED"

    def __init__(self, why: str) -> None:
        super().__init__(f"this issuer cannot be used: {why}", [Violation("issuer", why)])


class RightUnknown(errors.InvalidArgument):
    reason = "RIGHT_UNKNOWN"

    def __init__(self, object: str, action: str, actions: Iterable[str]) -> None:
        known = ", ".join(actions)
        field = "action" if known else "object"
        super().__init__(
            f"there is no right {object}.{action}",
            [
                Violation(field, f"{object} has {known}")
                if known
                else Violation(field, f"{object} is no object of any grant")
            ],
        )
