"""Tell deals for which no rate is known from those that are worth nothing, find sales facts by whose they are, and money of which nobody
knows what it is by its currency.

The trigger of 20261125_0011 counts them from here on; a deal without a base amount adds nothing to the sums in the company's currency.
Names are qualified, because pg_restore empties the search path.
"""

from chassis.db.migrations_env import execute, execute_file

revision = "20261126_0014"
down_revision = "20261126_0013"

_KEYS = "tenant_id, pipeline_id, stage_id, owner_id, department_id, currency, probability"
_COLUMNS = f"{_KEYS}, count, amount, base_amount, unconverted"
_WORTH, _LACKS = "coalesce(base_amount, 0)", "(base_amount IS NULL)::integer"
_MORE = f"1 AS count, amount, {_WORTH} AS base_amount, {_LACKS} AS unconverted"
_LESS = f"-1 AS count, -amount AS amount, -{_WORTH} AS base_amount, -{_LACKS} AS unconverted"
_COME = f"SELECT {_KEYS}, state, delete_time, {_MORE} FROM come"
_GONE = f"SELECT {_KEYS}, state, delete_time, {_LESS} FROM gone"
_TOTALS = "sum(count), sum(amount), sum(base_amount), sum(unconverted)"
_CHANGED = "sum(count) <> 0 OR sum(amount) <> 0 OR sum(base_amount) <> 0 OR sum(unconverted) <> 0"
_STATE_OPEN = 1


def _add(rows: str) -> str:
    return f"""INSERT INTO public.deal_sums ({_COLUMNS}) SELECT {_KEYS}, {_TOTALS} FROM ({rows}) d
        WHERE state = {_STATE_OPEN} AND delete_time IS NULL GROUP BY {_KEYS} HAVING {_CHANGED};"""


_FOLD = f"""
CREATE OR REPLACE FUNCTION public.fold_deal_sums(tenant uuid, pipeline uuid, stage uuid) RETURNS void LANGUAGE sql AS $body$
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
CREATE OR REPLACE FUNCTION public.sum_open_deals() RETURNS trigger LANGUAGE plpgsql AS $body$
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
_FIRST = """
UPDATE deals SET base_amount = NULL WHERE base_amount = 0 AND amount > 0 AND json::jsonb ->> 'baseAmount' IS NULL
"""


def upgrade() -> None:
    """A column that may be empty, one that counts, and what is empty already counted."""
    execute_file(__file__)
    execute([_FOLD, _SUM, _FIRST])
