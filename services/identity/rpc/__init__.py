"""identity's RPCs, by what they are about."""

from chassis.kit.shared_rpcs import OperationRpcs
from services.identity.rpc.joining import Joining
from services.identity.rpc.organisation import Departments, Roles, Tenants
from services.identity.rpc.own import Own
from services.identity.rpc.signing_in import SigningIn
from services.identity.rpc.tokens import Tokens
from services.identity.rpc.users import Users


class Identity(SigningIn, Joining, Own, Tenants, Users, Departments, Roles, Tokens, OperationRpcs):
    """Every RPC of the contract."""

    service = "crm.identity.v1.IdentityService"
