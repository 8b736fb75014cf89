"""A double of the provider: Terraform's plugin protocol 6, the real argument names, and a cloud that says yes.

Run by Terraform, in the virtual environment that `make terraform` sets up. What the cloud would give (ids, URNs) is
unknown in a plan, and made up when it is applied, as with a real provider.
"""

import json
from typing import Any

import msgpack
import tf.provider
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc
from tf.runner import run_provider

from tests.terraform.schema import PROVIDER, RESOURCES, Block

TYPES = {
    "string": "string",
    "number": "number",
    "bool": "bool",
    "map": ["map", "string"],
    "strings": ["set", "string"],
}
UNKNOWN = msgpack.ExtType(0, b"\0")  # go-cty's
NESTING = {"list": pb.Schema.NestedBlock.LIST, "set": pb.Schema.NestedBlock.SET}


def schema(members: dict[str, Any]) -> pb.Schema:
    return pb.Schema(version=0, block=block(members))


def block(members: dict[str, Any]) -> pb.Schema.Block:
    attributes, blocks = [], []
    for name, member in members.items():
        if isinstance(member, Block):
            inner = block(member.attributes)
            counts = {"min_items": member.least, "max_items": member.most}
            nesting = NESTING[member.nesting]
            blocks.append(pb.Schema.NestedBlock(type_name=name, block=inner, nesting=nesting, **counts))
        else:
            kind, *flags = member.split()
            attributes.append(
                pb.Schema.Attribute(name=name, type=json.dumps(TYPES[kind]).encode(), **dict.fromkeys(flags, True))
            )
    return pb.Schema.Block(version=0, attributes=attributes, block_types=blocks)


def read(value: pb.DynamicValue) -> Any:
    return msgpack.unpackb(value.msgpack, strict_map_key=False)


def write(value: Any) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=msgpack.packb(value))


class Provider(rpc.ProviderServicer):  # type: ignore[misc]  # generated code without types
    """Every resource is made as it was asked for."""

    def __init__(self, _: object) -> None:
        pass

    def GetProviderSchema(self, request: Any, context: object) -> Any:
        resources = {name: schema(members) for name, members in RESOURCES.items()}
        return pb.GetProviderSchema.Response(provider=schema(PROVIDER), resource_schemas=resources)

    def ValidateProviderConfig(self, request: Any, context: object) -> Any:
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: object) -> Any:
        return pb.ValidateResourceConfig.Response()

    def ConfigureProvider(self, request: Any, context: object) -> Any:
        return pb.ConfigureProvider.Response()

    def UpgradeResourceState(self, request: Any, context: object) -> Any:
        return pb.UpgradeResourceState.Response(upgraded_state=write(json.loads(request.raw_state.json)))

    def ReadResource(self, request: Any, context: object) -> Any:
        return pb.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request: Any, context: object) -> Any:
        planned = read(request.proposed_new_state)
        if planned is not None:
            for name, member in RESOURCES[request.type_name].items():
                if planned[name] is None and "computed" in str(member):
                    planned[name] = UNKNOWN
        return pb.PlanResourceChange.Response(planned_state=write(planned))

    def ApplyResourceChange(self, request: Any, context: object) -> Any:
        made = read(request.planned_state)
        if made is not None:
            for name, value in made.items():
                if isinstance(value, msgpack.ExtType):
                    made[name] = given(request.type_name, name, made)
        return pb.ApplyResourceChange.Response(new_state=write(made))

    def StopProvider(self, request: Any, context: object) -> Any:
        return pb.StopProvider.Response()


def given(resource: str, attribute: str, made: dict[str, Any]) -> object:
    """What the cloud gives: for each resource of one name always the same."""
    match str(RESOURCES[resource][attribute]).split()[0]:
        case "number":
            return 0
        case "bool":
            return False
        case _:
            names = (made[name] for name in ("name", "group_name", "stream_name", "type", "protocol") if made.get(name))
            return f"{attribute}-of-{next(names, resource)}"


if __name__ == "__main__":
    tf.provider.ProviderServicer = Provider
    run_provider(None, ["provider"])
