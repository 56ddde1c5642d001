"""Which versions are current in a deployment root, read from its links.

    import deploy_tool

    deploy_tool.current("model", root="/opt/deployments").path          # one component

    release = deploy_tool.open_release("/opt/deployments")              # versions that belong together
    weights = release["model"].path / "weights.safetensors"
    config = release["config"].path / "predict.conf"

Only links are read: no lock is taken, nothing is written, and the program `deploy-tool` is not run. What is returned names
version directories and not links, so a later switch does not change it. It stays readable until a cleanup removes the
version, which never takes one that is current or that a rollback needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["Release", "Version", "current", "open_release"]


class Version(NamedTuple):
    """One version of a component, and its directory."""

    component: str
    version: str
    path: Path


class Release(Mapping[str, Version]):
    """The versions that one release made current together, by component."""

    def __init__(self, number: int, versions: Mapping[str, Version]) -> None:
        self.number = number
        self._versions = dict(versions)

    def __getitem__(self, component: str) -> Version:
        return self._versions[component]

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def __len__(self) -> int:
        return len(self._versions)

    def __repr__(self) -> str:
        versions = " ".join(f"{version.component}@{version.version}" for version in self._versions.values())
        return f"<release {self.number}: {versions}>"


def current(component: str, root: str | os.PathLike[str] = "deployments") -> Version:
    """The version of a component that is current.

    What must agree with another component is asked of one `open_release` instead: between two calls there may be a switch.

    Raises FileNotFoundError where nothing was deployed yet, and KeyError where the component is not deployed.
    """
    return open_release(root)[component]


def open_release(root: str | os.PathLike[str] = "deployments") -> Release:
    """The release that is current, as a whole.

    Raises FileNotFoundError where nothing was deployed yet, and OSError where the root cannot be read.
    """
    releases = Path(os.path.realpath(root)) / "releases"
    number = os.readlink(releases / "current")
    while True:
        try:
            return _read(releases, number)
        except FileNotFoundError:
            # A cleanup may take a release that stopped being current while it was read; then another one is current.
            before, number = number, os.readlink(releases / "current")
            if number == before:
                raise


def _read(releases: Path, number: str) -> Release:
    versions = {}
    for component in sorted(os.listdir(releases / number)):
        link = releases / number / component
        # releases/<n>/<type> -> ../../components/<type>/<version>
        path = Path(os.path.normpath(link.parent / os.readlink(link)))
        versions[component] = Version(component, path.name, path)
    return Release(int(number), versions)
