"""Every link between documents leads to a file and a heading that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "plugins/*/*.md", "benchmarks/**/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
INLINE = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*:|//)")


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    seen: dict[str, int] = {}
    for heading in HEADING.findall(FENCE.sub("", text)):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = seen.get(slug, -1) + 1
        seen[slug] = count
        if count:
            seen[f"{slug}-{count}"] = 0
    return set(seen)


def broken(document: Path) -> Iterator[str]:
    """The targets in a document that lead nowhere."""
    text = CODE.sub("", FENCE.sub("", document.read_text(encoding="utf-8")))
    for target in [*INLINE.findall(text), *REFERENCE.findall(text)]:
        if ELSEWHERE.match(target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (
            anchor and (path.suffix != ".md" or anchor not in anchors(path.read_text(encoding="utf-8")))
        ):
            yield target


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_docs_links_lead_somewhere(document: Path) -> None:
    assert list(broken(document)) == []


def test_docs_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A heading, twice\n\n# A heading, twice\n", encoding="utf-8")
    document = tmp_path / "page.md"
    document.write_text(
        "[good](other.md) [good](other.md#a-heading-twice-1) [out](https://example.org/x) `[code](code.md)`\n"
        "```\n[fenced](fenced.md)\n```\n"
        "[bad](absent.md) [bad](other.md#absent) [bad](#nowhere)\n\n[ref]: gone.md\n",
        encoding="utf-8",
    )
    assert list(broken(document)) == ["absent.md", "other.md#absent", "#nowhere", "gone.md"]
