"""Adds to the site what is written elsewhere: the registries, the projects' READMEs, sections of other documents.

mkdocs calls the functions called ``on_...``. A page is made from code and files each time the site is built, so that no
copy in the repository can go stale.
"""

from __future__ import annotations

import inspect
import os
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from docstrings import as_markdown  # the file next to this one
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import reidzoo.registry

ROOT = Path(__file__).parents[1]
PAPERS = {f"papers/{readme.parent.name}.md": readme for readme in sorted(ROOT.glob("projects/*/README.md"))}
RESULTS = {f"papers/{file.parent.name}-results.md": file for file in sorted(ROOT.glob("projects/*/RESULTS.md"))}
INCLUDED = {
    "changelog.md": ROOT / "CHANGELOG.md",
    "model_zoo.md": ROOT / "model_zoo.md",
    "security.md": ROOT / "SECURITY.md",
    **PAPERS,
    **RESULTS,
}
"""Page -> the file that it shows."""
REGISTRIES = {
    f"registries/{name.lower()}.md": registry
    for name in reidzoo.registry.__all__
    if isinstance(registry := getattr(reidzoo.registry, name), reidzoo.registry.Registry)
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
SECTION = re.compile(r"^<!-- section of (\S+): (.+) -->$", re.MULTILINE)
IMAGES = (".jpg", ".png", ".svg")
PAGE = """# {name}

!!! abstract "Contract"

{contract}

`reidzoo registry {name}` prints this list, with `--config-file FILE` the parts of its plug-ins, too.

| type | what it is |
|---|---|
{rows}

{parts}
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages into the navigation."""
    sections = dict(_sections(config.nav or []))
    sections["Registries"] += [{registry.name: page} for page, registry in REGISTRIES.items()]
    pages = sorted(PAPERS | RESULTS, key=lambda page: Path(page).stem)
    sections["Papers"] += [{Path(page).stem.replace("-results", ": results"): page} for page in pages]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and the pictures that they show."""
    module = griffe.load("reidzoo.registry", search_paths=[str(ROOT)])
    for page, registry in REGISTRIES.items():
        contract = module[registry.name].docstring.value
        files.append(File.generated(config, page, content=registry_page(registry, contract)))
    for page, source in INCLUDED.items():
        text = source.read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
        for image in _images(text, source):
            if not image.is_relative_to(config.docs_dir):
                files.append(File.generated(config, _page_of_image(image), abs_src_path=str(image)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in sections of other documents, the lists of registries and papers, and where names are defined."""
    uri = page.file.src_uri
    source = INCLUDED.get(uri, Path(config.docs_dir, uri))
    markdown = markdown.replace("<!-- all registries -->", _table_of_registries())
    markdown = SECTION.sub(lambda found: _section(ROOT / found[1], found[2]), markdown)
    markdown = re.sub(r"^::: (\S+)$", lambda found: f"::: {_defined_as(found[1])}", markdown, flags=re.MULTILINE)
    return _outside_code(markdown, lambda text: _bars(LINK.sub(lambda found: _relink(found, source, uri), text)))


def _sections(entries: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the title and the pages of each section of the navigation, those within sections too."""
    for entry in entries:
        for title, pages in entry.items() if isinstance(entry, dict) else ():
            if isinstance(pages, list):
                yield title, pages
                yield from _sections(pages)


# ---- registries ------------------------------------------------------------------------------------------------------


def registry_page(registry: reidzoo.registry.Registry, contract: str) -> str:
    """Return the page of a registry: its contract, its parts in a table, and what each says of itself."""
    parts = _parts(registry)
    rows = [f"| [`{name}`](#{_path(part)}) | {first_sentence(part)} |" for name, part in parts.items()]
    quoted = "\n".join(f"    {line}" for line in as_markdown(contract).splitlines())
    blocks = "\n\n".join(_block(part) for part in dict.fromkeys(parts.values()))
    return PAGE.format(name=registry.name, contract=quoted, rows="\n".join(rows), parts=blocks)


def _block(part: Any) -> str:
    """Return the directive that shows a part, and of its methods those that no base class describes."""
    if not inspect.isclass(part):
        return f"::: {_path(part)}\n    options: {{heading_level: 2}}"
    known = {name for base in part.__mro__[1:] if base is not object for name in vars(base) if name != "forward"}
    methods = [name for name, value in vars(part).items() if name[0] != "_" and inspect.isroutine(value)]
    shown = ", ".join(name for name in methods if name not in known | {"state_dict", "load_state_dict"})
    return f"::: {_path(part)}\n    options: {{heading_level: 2, members: [{shown}]}}"


def first_sentence(part: Any) -> str:
    """Return the first sentence of a part's docstring, for a table's cell."""
    paragraph = inspect.getdoc(part).partition("\n\n")[0].replace("\n", " ").rstrip(":")
    return re.split(r"(?<=[.:])\s+(?=[A-Z])", paragraph)[0]


def _parts(registry: reidzoo.registry.Registry) -> dict[str, Any]:
    """Return the registered parts of the package, by name; a part may be registered under several."""
    registry.import_from_location()
    return dict(sorted(item for item in registry.module_dict.items() if item[1].__module__.startswith("reidzoo.")))


def _path(part: Any) -> str:
    return f"{part.__module__}.{part.__qualname__}"


def _table_of_registries() -> str:
    rows = [
        f"| [{registry.name}]({Path(page).name}) | {', '.join(f'`{name}`' for name in _parts(registry))} |"
        for page, registry in REGISTRIES.items()
    ]
    return "\n".join(["| registry | parts |", "|---|---|", *rows])


def _defined_as(name: str) -> str:
    """Return the path under which a public name is defined, which may move while the name stays."""
    found = pkgutil.resolve_name(":".join(name.rsplit(".", 1)))  # else a module of the same name goes before it
    return f"{found.__module__}.{found.__qualname__}"


# ---- other documents -------------------------------------------------------------------------------------------------


def _section(source: Path, title: str) -> str:
    """Return what stands under a heading of a document, its sub-headings raised by a level."""
    text = source.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if not found:
        raise PluginError(f"{source} has no section {title!r}")
    return found[1].strip()


def _outside_code(markdown: str, change: Any) -> str:
    """Apply ``change`` to the text between fenced blocks."""
    pieces = re.split(r"(^ *```.*?^ *```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(piece if number % 2 else change(piece) for number, piece in enumerate(pieces))


def _bars(text: str) -> str:
    """Return a text whose code has bare bars: GitHub's tables need them escaped there, Python's do not."""
    return re.sub(r"`[^`\n]+`", lambda code: code[0].replace("\\|", "|"), text)


def _images(text: str, source: Path) -> list[Path]:
    targets = [_target(found[3], source) for found in LINK.finditer(text)]
    return [target for target in targets if target.suffix in IMAGES and target.is_file()]


def _target(link: str, source: Path) -> Path:
    return Path(os.path.normpath(source.parent / link))


def _page_of_image(image: Path) -> str:
    return f"images/{image.relative_to(ROOT).as_posix().replace('/', '-')}"


def _relink(found: re.Match[str], source: Path, page: str) -> str:
    """Return a link between files of the repository as one between pages; of a file without a page, the text alone."""
    mark, text, link, anchor = found[1], found[2], found[3], found[4] or ""
    target = _target(link, source)
    if ":" in link or not target.exists():
        return found[0]
    pages = {path: uri for uri, path in INCLUDED.items()}
    if target.is_relative_to(ROOT / "docs"):
        uri = target.relative_to(ROOT / "docs").as_posix()
    elif target.suffix in IMAGES:
        uri = _page_of_image(target)
    elif target in pages:
        uri = pages[target]
    else:
        return f"`{text.strip('`')}`"
    return f"{mark}[{text}]({os.path.relpath(uri, Path(page).parent)}{anchor})"
