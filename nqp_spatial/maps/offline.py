"""A folium map that carries everything it needs, so that its file opens with no network."""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from html import escape
from pathlib import Path
from typing import IO, Any, ClassVar

import folium
from branca.element import Element

from nqp_spatial.exceptions import OutputError
from nqp_spatial.shared.files import replacing

VENDOR = Path(__file__).parent / "vendor"


class OfflineMap(folium.Map):
    """A ``folium.Map`` without tiles whose HTML has Leaflet inside, and fetches nothing.

    ``save``, the notebook's display and ``get_root().render()`` all give the same single page.

    Parameters
    ----------
    title : str, optional
        Title of the page, as the browser's tab shows it.
    online : bool
        Whether folium plugins that load scripts from the network may be added. The default
        refuses them when the map is rendered.
    **options
        Options of ``folium.Map`` other than ``tiles``.

    Raises
    ------
    OutputError
        On rendering, if a plugin would load a file from the network and ``online`` is False.
    """

    # folium links every name in these lists from a content network; ours are in the page itself.
    default_js: ClassVar[list[tuple[str, str]]] = []
    default_css: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, *, title: str | None = None, online: bool = False, **options: Any) -> None:
        super().__init__(tiles=None, **options)
        self.online = online
        self.page_title = title

    def render(self, **kwargs: Any) -> None:
        """Put Leaflet into the page's head, then the map and its layers into the body."""
        figure = self.get_root()
        if self.page_title and not figure.title:
            figure.title = escape(self.page_title)
        for name, html in _leaflet().items():
            figure.header.add_child(_Verbatim(html), name=name)
        super().render(**kwargs)
        children = figure.header.to_dict()["children"].values()
        remote = [child["url"] for child in children if "url" in child]
        if remote and not self.online:
            raise OutputError(
                f"The map would load {len(remote)} file(s) from the network, first {remote[0]!r}, "
                "for a folium plugin that was added to it. "
                "Leave the plugin out, or allow it with map.online = True."
            )

    def save(self, outfile: str | Path | IO[bytes], **kwargs: Any) -> None:
        """Write the page, to a file whole or not at all, or to what is open for bytes.

        Raises
        ------
        OutputError
            The folder does not exist, or nothing can be written there.
        """
        if not isinstance(outfile, (str, Path)):
            super().save(outfile, **kwargs)
            return
        with replacing(outfile) as part:
            super().save(str(part), **kwargs)


class _Verbatim(Element):
    """Text that is written as it is, braces included."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def render(self, **kwargs: Any) -> str:
        return self.text


@cache
def _leaflet() -> dict[str, str]:
    """Leaflet's script and style as HTML elements, with its images inside."""
    script = (VENDOR / "leaflet.js").read_text("utf-8")
    script = re.sub(r"//# sourceMappingURL=\S+", "", script).replace("</script", "<\\/script")
    style = re.sub(r"url\((images/[^)]+)\)", _image, (VENDOR / "leaflet.css").read_text("utf-8"))
    return {"leaflet_css": f"<style>{style}</style>", "leaflet": f"<script>{script}</script>"}


def _image(match: re.Match[str]) -> str:
    """An image of the style sheet as a data URI; none for the marker pictures, never used."""
    path = VENDOR / match[1]
    if not path.exists():
        return "none"
    return f"url(data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()})"


def script_json(value: object) -> str:
    """JSON that may stand inside a ``<script>`` element and a template, whatever text it holds."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    # folium runs text as a template twice. A brace that another of these follows is within a text.
    return re.sub(r"\{(?=[{%#])", r"\\u007b", text)
