"""What a service's database and its roles are called."""


def database_of(service: str) -> str:
    """The service's database."""
    return f"crm_{service}"


def roles_of(service: str) -> tuple[str, str, str]:
    """(owner, service, background) roles of the service's database."""
    name = database_of(service)
    return f"{name}_owner", name, f"{name}_background"
