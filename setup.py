"""Puts into the wheel what the package needs of the repository: configurations, projects, own models, the template."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ASSETS = ("configs/**/*.yml", "projects/**/*", "zoo/*", "tools/project_template/**/*")
KINDS = {".yml", ".py", ".md", ".json", ".svg", ".safetensors"}


class BuildWithAssets(build_py):
    """Copies the assets next to the modules, into ``reidzoo/assets``; an editable installation has the checkout."""

    def run(self) -> None:
        """Build the modules, then copy the assets."""
        super().run()
        if self.editable_mode:
            return
        root = Path(__file__).parent
        for file in (path for pattern in ASSETS for path in root.glob(pattern) if path.suffix in KINDS):
            target = Path(self.build_lib, "reidzoo", "assets", file.relative_to(root))
            self.mkpath(str(target.parent))
            self.copy_file(str(file), str(target))


setup(cmdclass={"build_py": BuildWithAssets})
