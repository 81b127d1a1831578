"""The built-in page keeps to itself (T15): its own files, no markup from values; and its arithmetic of pixels is right."""

import json
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

FOLDER = Path(str(resources.files("dicomgate.viewer")))
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix in {".html", ".js", ".css", ".svg"})


def named(files):
    return pytest.mark.parametrize("path", files, ids=lambda path: path.name)


@named(FILES)
def test_nothing_comes_from_elsewhere_T15(path):
    text = path.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"""["'(]\s*(https?:)?//""", text)
    assert "@import" not in text


@named(FILES)
def test_a_strict_content_policy_is_enough_T15(path):
    text = path.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    if path.suffix == ".html":
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text)
    else:
        assert '.setAttribute("style"' not in text


def test_every_file_that_is_named_is_there():
    texts = {path.name: path.read_text("utf-8") for path in FILES}
    named_files = re.findall(r'(?:src|href)="([^"#]+)"', texts["index.html"])
    named_files += [name for text in texts.values() for name in re.findall(r'from "\./([^"]+)"', text)]
    assert set(named_files) <= set(texts)
    assert set(texts) == {*named_files, "index.html"}


def test_every_element_that_a_script_asks_for_is_there():
    page = (FOLDER / "index.html").read_text("utf-8")
    asked = set(re.findall(r'one\("#([a-z]+)', (FOLDER / "page.js").read_text("utf-8")))
    assert asked <= set(re.findall(r'id="([a-z]+)"', page))


RUN = """
globalThis.document = { baseURI: "http://127.0.0.1/" };
const picture = await import("file://FOLDER/picture.js");
const stack = await import("file://FOLDER/stack.js");
const web = await import("file://FOLDER/dicomweb.js");
const value = (...values) => ({ Value: values });
const result = await (async () => { BODY })();
console.log(JSON.stringify(result, (key, item) => (ArrayBuffer.isView(item) ? Array.from(item) : item)));
"""


@pytest.fixture
def script():
    """Runs JavaScript with the page's modules at hand; gives what it returns."""
    if shutil.which("node") is None:
        pytest.skip("node is not here")

    def run(body):
        text = RUN.replace("FOLDER", str(FOLDER)).replace("BODY", body)
        done = subprocess.run(
            ["node", "--input-type=module", "--no-warnings", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_shades_are_rescaled_and_overlay_bits_fall_out(script):
    shades = script("""
        const dataset = { "00280010": value(1), "00280011": value(4), "00280100": value(16), "00280101": value(12),
          "00280103": value(1), "00280004": value("MONOCHROME2"), "00281053": value(2), "00281052": value(-10) };
        const about = await picture.describe(dataset);
        return picture.shades(dataset, 1, about, new Uint16Array([0, 5, 0xfff, 0xf001]).buffer);
    """)
    assert shades == [-10, 0, -12, -8]


def test_windows_are_linear_and_MONOCHROME1_is_the_other_way(script):
    drawn = script("""
        const draw = (kind) => { const target = new Uint8ClampedArray(12);
          picture.drawShades(target, { kind }, [-1000, 41, 1000], { centre: 40.5, width: 401 }); return target; };
        return [draw("MONOCHROME2"), draw("MONOCHROME1")];
    """)
    assert drawn[0] == [0, 0, 0, 255, 128, 128, 128, 255, 255, 255, 255, 255]
    assert drawn[1] == [255, 255, 255, 255, 127, 127, 127, 255, 0, 0, 0, 255]


def test_colour_by_pixel_by_plane_and_in_YBR(script):
    drawn = script("""
        const colour = (about, bytes) => { const target = new Uint8ClampedArray(8);
          picture.drawColour(target, { rows: 1, columns: 2, samples: 3, allocated: 8, ...about }, new Uint8Array(bytes).buffer); return target; };
        return [colour({ kind: "RGB" }, [1, 2, 3, 4, 5, 6]), colour({ kind: "RGB", byPlane: true }, [1, 4, 2, 5, 3, 6]),
          colour({ kind: "YBR_FULL" }, [76, 85, 255, 128, 128, 128]), colour({ kind: "YBR_FULL_422" }, [76, 128, 85, 255])];
    """)
    assert drawn[0] == drawn[1] == [1, 2, 3, 255, 4, 5, 6, 255]
    assert drawn[2] == [254, 0, 0, 255, 128, 128, 128, 255]
    assert drawn[3] == [254, 0, 0, 255, 255, 52, 52, 255]


def test_palettes_of_both_widths(script):
    drawn = script("""
        const table = (count, start, bits, bytes) => [value(count, start, bits), { InlineBinary: btoa(String.fromCharCode(...bytes)) }];
        const palette = async (entries) => { const dataset = { "00280010": value(1), "00280011": value(3), "00280004": value("PALETTE COLOR") };
          ["1", "2", "3"].forEach((channel) => [dataset["0028110" + channel], dataset["0028120" + channel]] = entries);
          const target = new Uint8ClampedArray(12);
          picture.drawColour(target, await picture.describe(dataset), new Uint8Array([0, 10, 99]).buffer); return target; };
        return [await palette(table(2, 9, 16, [0, 20, 0, 30])), await palette(table(2, 9, 8, [20, 30]))];
    """)
    assert drawn[0] == drawn[1] == [20, 20, 20, 255, 30, 30, 30, 255, 30, 30, 30, 255]


def test_single_bits_are_unpacked_from_the_lowest(script):
    bits = script("""
        const about = { rows: 1, columns: 10, allocated: 1, stored: 1, samples: 1 };
        return picture.shades({}, 1, about, new Uint8Array([0b00000101, 0b10]).buffer);
    """)
    assert bits == [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]


def test_what_cannot_be_drawn_is_said(script):
    said = script("""
        const about = { rows: 2, columns: 2, samples: 1, allocated: 16, stored: 16, kind: "MONOCHROME2" };
        return [picture.obstacle(about, new ArrayBuffer(8)), picture.obstacle(about, new ArrayBuffer(7)),
          picture.obstacle({ ...about, kind: "HSV" }, new ArrayBuffer(8)), picture.obstacle({ ...about, kind: "PALETTE COLOR" }, new ArrayBuffer(8)),
          picture.hasPicture({ "7FE00010": {} }, about), picture.hasPicture({}, about), picture.hasPicture({ "7FE00010": {} }, { rows: NaN, columns: 1 })];
    """)
    assert said[0] == ""
    assert all(said[1:4])
    assert said[4:] == [True, False, False]


def test_slices_come_in_space_others_by_number(script):
    order = script("""
        const slice = (name, z, number) => ({ "00080018": value(name), "00200013": value(number),
          ...(z === null ? {} : { "00200037": value(1, 0, 0, 0, 1, 0), "00200032": value(0, 0, z) }) });
        const names = (frames) => frames.map(({ dataset }) => dataset["00080018"].Value[0]);
        return [names(stack.framesOf([slice("b", 5, 1), slice("a", -5, 2)])), names(stack.framesOf([slice("b", 5, 2), slice("a", null, 1)])),
          stack.framesOf([{ "00280008": value("1A") }]).length, stack.framesOf([{ "00280008": value(3) }]).map(({ frame }) => frame),
          stack.framesOf([{ "00280008": value(1e12) }]).length];
    """)
    assert order == [["a", "b"], ["a", "b"], 1, [1, 2, 3], 100_000]


def test_values_of_functional_groups_come_first(script):
    found = script("""
        const group = (centre) => ({ "00289132": value({ "00281050": value(centre) }) });
        const dataset = { "00281050": value(1), "52009229": value(group(2)), "52009230": value(group(3), {}) };
        return [1, 2].map((frame) => web.ofFrame(dataset, frame, "00281050")[0]).concat(web.ofFrame({ "00281050": value(1) }, 1, "00281050"));
    """)
    assert found == [3, 2, 1]


def test_names_and_dates_for_reading(script):
    said = script("""
        return [web.personName({ n: value({ Alphabetic: "Sakura^Hanako", Ideographic: "佐倉^花子" }) }, "n"), web.personName({}, "n"),
          web.date({ d: value("20250114") }, "d"), web.date({ d: value("2025") }, "d")];
    """)
    assert said == ["Sakura Hanako  佐倉 花子", "No name", "2025-01-14", "2025"]
