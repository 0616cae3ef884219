"""Every link in a document leads to a file that is there, and every heading that it names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HIDDEN = {".git", ".state", ".venv", "node_modules"}
DOCUMENTS = [path for path in sorted(ROOT.rglob("*.md")) if not HIDDEN & set(path.relative_to(ROOT).parts)]
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


def headings(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_its_links_lead_somewhere(document: Path) -> None:
    for target, heading in LINK.findall(document.read_text()):
        file = document.parent / target if target else document
        assert file.exists(), f"{target} of {document}"
        assert not heading or heading in headings(file), f"#{heading} of {document}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_files_it_names_are_there(document: Path) -> None:
    """`deploy/up.sh`, `nginx/maps.conf` and the like, as code in the text."""
    known = {path.name for path in ROOT.iterdir() if path.is_dir()} - HIDDEN - {"secrets", "data", "static", "reports"}
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for name in re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.\w+)`", text):
        if name.split("/")[0] in known and document.name != "your-own-consumer.md":
            assert (ROOT / name).exists() or (document.parent / name).exists(), f"{name} of {document}"
