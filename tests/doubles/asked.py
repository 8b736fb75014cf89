"""Which variables something reads."""

from collections.abc import Mapping


class Asked(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.names: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)
