"""The shipped rules and the nightly cleaning of each tenant: for a new one at once, for those that were there first at the start."""

from chassis.call import Cause
from chassis.runtime import Runtime
from chassis.tx import Tx
from services.notifications import store, timers
from services.notifications.rules import shipped_rules


async def seed(tx: Tx) -> None:
    """Makes the shipped rules that the tenant never had; a key that is or was there stays as it is."""
    await tx.lock("notice-rules")  # each process does this at its start
    known = await store.rule_keys(tx)
    for rule in shipped_rules.shipped():
        if rule.key not in known:
            store.notice_rules.save(tx, rule)
    await timers.plan_cleaning(tx)


async def seed_all(runtime: Runtime) -> None:
    """For each tenant: a new version may ship new rules, and the service may be younger than the tenant."""
    for tenant in runtime.directory.tenants():
        await runtime.run_system(tenant, Cause("setup"), seed)
