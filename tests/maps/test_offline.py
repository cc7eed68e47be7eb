"""A map carries everything it needs."""

import hashlib
import re
from html import unescape
from html.parser import HTMLParser
from io import BytesIO

import folium
import pytest
from folium.plugins import MarkerCluster

from nqp_spatial.exceptions import OutputError
from nqp_spatial.maps import OfflineMap, spillovers
from nqp_spatial.maps.offline import VENDOR, script_json

# Published sums of leaflet 1.9.4 (npm).
SUMS = {
    "leaflet.js": "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a",
    "leaflet.css": "a7837102824184820dfa198d1ebcd109ff6d0ff9a2672a074b9a1b4d147d04c6",
    "images/layers.png": "1dbbe9d028e292f36fcba8f8b3a28d5e8932754fc2215b9ac69e4cdecf5107c6",
    "images/layers-2x.png": "066daca850d8ffbef007af00b06eac0015728dee279c51f3cb6c716df7c42edf",
}


class Remote(HTMLParser):
    """What a browser would fetch: sources and links of tags, addresses in styles."""

    def __init__(self):
        super().__init__()
        self.found, self.in_style = [], False

    def handle_starttag(self, tag, attrs):
        self.in_style = tag == "style"
        given = dict(attrs)
        for address in (given.get("src"), given.get("href") if tag == "link" else None):
            if address:
                self.found.append(address)

    def handle_endtag(self, tag):
        self.in_style = False

    def handle_data(self, data):
        if self.in_style:
            self.found += re.findall(r"url\(['\"]?([^)'\"]+)|@import", data)


def fetched(html):
    parser = Remote()
    parser.feed(html)
    return [url for url in parser.found if not url.startswith(("data:", "#"))]


@pytest.mark.parametrize("name", SUMS)
def test_vendored_files_are_the_published_ones(name):
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == SUMS[name]
    assert SUMS[name] in (VENDOR / "README.md").read_text("utf-8")


def test_a_plain_folium_map_would_fetch_so_the_check_can_fail():
    assert len(fetched(folium.Map(tiles=None).get_root().render())) >= 5


def test_every_way_to_html_is_self_contained(tmp_path):
    page = OfflineMap(title="城市 <b>")
    page.save(tmp_path / "map.html")
    frame = re.search(r'srcdoc="([^"]+)"', page._repr_html_())
    for html in (
        (tmp_path / "map.html").read_text("utf-8"),
        page.get_root().render(),
        unescape(frame[1]),
    ):
        assert fetched(html) == []
        assert "Leaflet 1.9.4" in html
        assert "<title>城市 &lt;b&gt;</title>" in html


def test_rendering_twice_gives_the_same_page():
    page = OfflineMap()
    assert page.get_root().render() == page.get_root().render()


def test_folium_itself_is_left_alone():
    OfflineMap().get_root().render()
    assert any("leaflet" in url for _, url in folium.Map.default_js)


def test_a_plugin_that_needs_the_network_is_refused_by_name():
    page = OfflineMap()
    MarkerCluster().add_to(page)
    with pytest.raises(OutputError, match=r"markercluster.*map\.online = True"):
        page.get_root().render()
    page.online = True
    assert fetched(page.get_root().render())


def test_json_cannot_leave_its_script():
    text = script_json({"name": '</script><!-- & "城"\u2028'})
    assert not set("<>&\u2028") & set(text)
    assert "城" in text


def test_a_map_is_written_whole_or_said(lattice, result, tmp_path):
    page = spillovers(result, lattice, "did")
    page.save(tmp_path / "map.html")
    assert (tmp_path / "map.html").read_text("utf-8").rstrip().endswith("</html>")
    with pytest.raises(OutputError, match="folder '.*none' does not exist. Create it"):
        page.save(tmp_path / "none" / "map.html")


def test_a_map_can_be_written_to_what_is_open(tmp_path):
    page, stream = OfflineMap(), BytesIO()
    page.save(tmp_path / "map.html")
    page.save(stream, close_file=False)
    assert stream.getvalue() == (tmp_path / "map.html").read_bytes()
