"""A secret that is mounted as Kubernetes mounts one: all its files change at once, by one symlink."""

from collections.abc import Mapping
from pathlib import Path


class MountedSecret:
    """A directory of files that are symlinks into `..data`, itself a symlink to the directory of the version in force.

    Args:
        directory: is made; its files keep their paths for ever.
        files: contents by names, as they are at first.
    """

    def __init__(self, directory: Path, files: Mapping[str, str]) -> None:
        self.directory = directory
        directory.mkdir()
        self._version = 0
        for name in files:
            (directory / name).symlink_to(Path("..data", name))
        self.rotate(files)

    def __truediv__(self, name: str) -> Path:
        """The path of a file, as it is configured."""
        return self.directory / name

    def rotate(self, files: Mapping[str, str]) -> None:
        """Put other contents into force, as kubelet's AtomicWriter does."""
        data, new, old = self.directory / "..data", self.directory / "..data_tmp", self._current()
        self._version += 1
        version = self.directory / f"..version_{self._version}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_text(content)
        new.symlink_to(version.name)
        new.rename(data)
        if old:
            for path in old.iterdir():
                path.unlink()
            old.rmdir()

    def _current(self) -> Path | None:
        data = self.directory / "..data"
        return data.resolve() if data.is_symlink() else None
