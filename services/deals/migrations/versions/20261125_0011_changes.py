"""Make what keeps changes of many deals, what open deals come to, and to whom ended ones are credited.

A trigger keeps `deal_sums` (services/deals/store/board.py): deals are written one by one, in bulk and by re-index, and each way
must count. It adds rows only, so writers never wait for each other; of a hundred statements one puts the rows of its stages
together, as far as nobody else does so at the moment. Names are qualified, because pg_restore empties the search path.
"""

from chassis.db.migrations_env import execute, execute_file

revision = "20261125_0011"
down_revision = "20261125_0010"

_KEYS = "tenant_id, pipeline_id, stage_id, owner_id, department_id, currency, probability"
_COLUMNS = f"{_KEYS}, count, amount, base_amount"
_COME = f"SELECT {_KEYS}, state, delete_time, 1 AS count, amount, base_amount FROM come"
_LESS = "-1 AS count, -amount AS amount, -base_amount AS base_amount"
_GONE = f"SELECT {_KEYS}, state, delete_time, {_LESS} FROM gone"
_TOTALS = "sum(count), sum(amount), sum(base_amount)"
_CHANGED = "sum(count) <> 0 OR sum(amount) <> 0 OR sum(base_amount) <> 0"
_STATE_OPEN = 1


def _add(rows: str) -> str:
    return f"""INSERT INTO public.deal_sums ({_COLUMNS}) SELECT {_KEYS}, {_TOTALS} FROM ({rows}) d
        WHERE state = {_STATE_OPEN} AND delete_time IS NULL GROUP BY {_KEYS} HAVING {_CHANGED};"""


_FOLD = f"""
CREATE FUNCTION public.fold_deal_sums(tenant uuid, pipeline uuid, stage uuid) RETURNS void LANGUAGE sql AS $body$
    WITH old AS (
        DELETE FROM public.deal_sums WHERE tenant_id = tenant AND seq = ANY (ARRAY(
            SELECT seq FROM public.deal_sums WHERE tenant_id = tenant AND pipeline_id = pipeline AND stage_id = stage
            FOR UPDATE SKIP LOCKED
        )) RETURNING *
    )
    INSERT INTO public.deal_sums ({_COLUMNS})
    SELECT {_KEYS}, {_TOTALS} FROM old GROUP BY {_KEYS} HAVING {_CHANGED}
$body$
"""
_SUM = f"""
CREATE FUNCTION public.sum_open_deals() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF TG_OP = 'INSERT' THEN
        {_add(_COME)}
    ELSIF TG_OP = 'UPDATE' THEN
        {_add(f"{_COME} UNION ALL {_GONE}")}
    ELSE
        {_add(_GONE)}
    END IF;
    IF TG_OP <> 'DELETE' AND random() < 0.01 THEN
        PERFORM public.fold_deal_sums(tenant_id, pipeline_id, stage_id)
        FROM (SELECT DISTINCT tenant_id, pipeline_id, stage_id FROM come) stages;
    END IF;
    RETURN NULL;
END
$body$
"""
_TRIGGERS = [
    f"CREATE TRIGGER sum_{event.lower()}ed_deals AFTER {event} ON public.deals REFERENCING {tables}"
    " FOR EACH STATEMENT EXECUTE FUNCTION public.sum_open_deals()"
    for event, tables in (
        ("INSERT", "NEW TABLE AS come"),
        ("UPDATE", "OLD TABLE AS gone NEW TABLE AS come"),
        ("DELETE", "OLD TABLE AS gone"),
    )
]
_FIRST = f"""
INSERT INTO deal_sums ({_COLUMNS})
SELECT {_KEYS}, count(*), sum(amount), sum(base_amount) FROM deals
WHERE state = {_STATE_OPEN} AND delete_time IS NULL GROUP BY {_KEYS}
"""


def upgrade() -> None:
    """New tables, three columns of deals with their view made anew, and the sums of the deals that are there already."""
    execute_file(__file__)
    execute([_FOLD, _SUM, *_TRIGGERS, _FIRST])
