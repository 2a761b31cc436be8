"""Find people by the name of their company: `contacts.search` ends with a line that holds it.

A trigger writes that line, because a name is not part of the contact's message, out of which every writer (the resource
kit, intake, re-index) computes the rest of the column. Text search never holds a line feed, so the two parts stay apart.
"""

from chassis.db.migrations_env import execute

revision = "20261123_0002"
down_revision = "20261123_0001"

# FOR SHARE: a rename waits for the contacts that are just being saved with the old name, and they for a rename, so none
# of them is missed by `store.refresh_company_names`. Names are qualified, because pg_restore empties the search path.
_FUNCTION = """
CREATE FUNCTION public.add_company_name() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    company text;
BEGIN
    SELECT name_search INTO company FROM public.companies
    WHERE tenant_id = NEW.tenant_id AND id = NEW.company_id FOR SHARE;
    NEW.search = split_part(NEW.search, E'\\n', 1) || coalesce(E'\\n' || company, '');
    RETURN NEW;
END
$body$
"""
_TRIGGER = """
CREATE TRIGGER add_company_name BEFORE INSERT OR UPDATE OF search, company_id ON public.contacts
FOR EACH ROW WHEN (NEW.company_id IS NOT NULL) EXECUTE FUNCTION public.add_company_name()
"""


def upgrade() -> None:
    """The trigger, and its line for the contacts that are there already."""
    execute(
        [_FUNCTION, _TRIGGER, "UPDATE contacts SET search = search WHERE company_id IS NOT NULL"]
    )
