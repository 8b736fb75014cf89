"""A secret that is mounted as Kubernetes mounts one: all its files change at once, by one symlink."""

import shutil
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
        """Put other contents into force, as kubelet's AtomicWriter does.

        The version before stays for one rotation more: a slow kubelet, and the best chance to mix it with the new one.
        """
        self._version += 1
        version = self._directory_of(self._version)
        version.mkdir()
        for name, content in files.items():
            (version / name).write_text(content)
        link = self.directory / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self.directory / "..data")
        shutil.rmtree(self._directory_of(self._version - 2), ignore_errors=True)

    def _directory_of(self, version: int) -> Path:
        return self.directory / f"..version_{version}"
