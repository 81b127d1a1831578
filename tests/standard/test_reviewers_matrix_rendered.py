"""The reviewer's matrix, rows 29 to 37: pictures, written from the standard's text and not from the code (§8.3.5).

Each test names its row.
"""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from standard_service import Service, path_of

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply

CT = "1.2.840.10008.5.1.4.1.1.2"
STATE = "1.2.840.10008.5.1.4.1.1.11.1"
SIDE = 512
RELATED = 'multipart/related; type="image/jpeg"'


def image(target: Target) -> bytes:
    """512 x 512: four quarters of the values 0, 1000, 2000, 3000."""
    values = np.zeros((SIDE, SIDE), dtype="<u2")
    half = SIDE // 2
    values[:half, half:], values[half:, :half], values[half:, half:] = 1000, 2000, 3000
    said = {"SOPClassUID": CT, "Modality": "CT", "WindowCenter": 1500, "WindowWidth": 3000}
    return instances.make(target, rows=SIDE, columns=SIDE, frames=[values.tobytes()], attributes=said)


@pytest.fixture(scope="module")
def square(service: Service) -> Target:
    target = instances.new_target()
    service.store(image(target))
    return target


@pytest.fixture(scope="module")
def state(service: Service, square: Target) -> Target:
    target = instances.new_target(square.study)
    made, series, reference = Dataset(), Dataset(), Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = STATE, target.instance, "PR"
    made.StudyInstanceUID, made.SeriesInstanceUID = target.study, target.series
    made.PatientName, made.PatientID = "Doe^Jane", "P1"
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CT, square.instance
    series.SeriesInstanceUID, series.ReferencedImageSequence = square.series, [reference]
    made.ReferencedSeriesSequence = [series]
    service.store(instances.write(made, "1.2.840.10008.1.2.1"))
    return target


def ask(service: Service, target: Target, query: str = "", accept: str = "image/png", tail: str = "rendered") -> Reply:
    return service.studies(f"{path_of(target)}/{tail}{query}", accept)


def picture(reply: Reply) -> np.ndarray:
    assert reply.status == 200, reply.body
    return imagecodecs.imread(reply.body)


def refused(service: Service, target: Target, query: str, *tails: str) -> None:
    """400 with a report, of the instance, of its frame, of its series and its study."""
    series = f"/studies/{target.study}/series/{target.series}"
    paths = (path_of(target), f"{path_of(target)}/frames/1", series, f"/studies/{target.study}")
    for path in paths:
        for tail in tails or ("rendered",):
            reply = service.studies(f"{path}/{tail}{query}", "*/*")
            assert reply.status == 400, (path, query)
            assert reply.body, "with a short report"


@pytest.mark.parametrize(
    "window",
    ["40,400", "40,400,gauss", "40", "", "40,,linear", ",400,linear", "a,400,linear", "40,b,linear", "40,400,LINEAR",
     "40,400,linear,1", "40,0,linear", "40,-5,sigmoid", "40,0,linear-exact", "nan,400,linear", "inf,400,linear", "40,400,"],
)  # fmt: skip
def test_row_29_a_window_has_centre_width_and_a_known_function(service: Service, square: Target, window: str) -> None:
    """REN-06."""
    refused(service, square, f"?window={window}")


@pytest.mark.slow
def test_row_29_each_function_is_computed_by_its_formula(service: Service, square: Target) -> None:
    """REN-06: PS3.3 C.11.2.1.2 and C.11.2.1.3, to a step of grey."""
    stored = {(0, 0): 0.0, (0, -1): 1000.0, (-1, 0): 2000.0, (-1, -1): 3000.0}
    centre, width = 1500.0, 2500.0
    formulas = {
        "linear": lambda x: ((x - (centre - 0.5)) / (width - 1) + 0.5) * 255,
        "linear-exact": lambda x: ((x - centre) / width + 0.5) * 255,
        "sigmoid": lambda x: 255 / (1 + np.exp(-4 * (x - centre) / width)),
    }
    for function, formula in formulas.items():
        shown = picture(ask(service, square, f"?window={centre:g},{width:g},{function}"))
        for place, value in stored.items():
            expected = min(max(formula(value), 0.0), 255.0)
            assert abs(float(np.max(shown[place])) - expected) <= 1.0, (function, value)


@pytest.mark.parametrize(
    "viewport",
    ["512", "0,5", "10,10,", "10,0", "-1,5", "5,-1", "a,b", "10", "10,", ",10", "1.5,5", "10,10,0,0,5,", "10,10,,,", "",
     "10,10,0,0,0,5", "10,10,0,0,5,5,5", "10,10,a", "10,10,600,0", "100000,100000"],
)  # fmt: skip
def test_row_30_an_ill_formed_viewport_is_400(service: Service, square: Target, viewport: str) -> None:
    """REN-05."""
    if viewport == "10,10,600,0":  # its grammar is right: nothing of a picture of 512 columns is there
        assert ask(service, square, f"?viewport={viewport}").status == 400
        return
    refused(service, square, f"?viewport={viewport}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("viewport", "shape"),
    [("100,50", (50, 50)), ("50,100", (50, 50)), ("1024,2000", (1024, 1024)), ("1,1", (1, 1)), ("100,50,0,0,512,256", (100, 50)),
     ("100,50,,,256", (25, 50)), ("10,1000,0,0,64,128", (10, 20))],
)  # fmt: skip
def test_row_31_scaled_until_one_side_touches(
    service: Service, square: Target, viewport: str, shape: tuple[int, int]
) -> None:
    """REN-05: the aspect is kept, nothing overflows; smaller pictures grow as well."""
    for path in ("rendered", "frames/1/rendered"):
        shown = picture(ask(service, square, f"?viewport={viewport}", tail=path))
        assert (shown.shape[1], shown.shape[0]) == shape


def test_row_31_the_region_is_cut_out_before_it_is_scaled(service: Service, square: Target) -> None:
    """REN-05: each quarter alone is one value; a negative size mirrors."""
    whole = picture(ask(service, square))
    for x, y in ((0, 0), (256, 0), (0, 256), (256, 256)):
        quarter = picture(ask(service, square, f"?viewport=64,64,{x},{y},256,256"))
        assert quarter.shape[:2] == (64, 64)
        assert np.all(quarter == whole[y + 1, x + 1])
    mirrored = picture(ask(service, square, f"?viewport={SIDE},{SIDE},0,0,-{SIDE},{SIDE}"))
    assert np.array_equal(mirrored, whole[:, ::-1])
    upside_down = picture(ask(service, square, f"?viewport={SIDE},{SIDE},0,0,{SIDE},-{SIDE}"))
    assert np.array_equal(upside_down, whole[::-1])


@pytest.mark.parametrize("quality", ["0", "101", "", "-1", "1.5", "x", "50,50", "1e2", "%2050"])
def test_row_32_quality_is_a_whole_number_from_1_to_100(service: Service, square: Target, quality: str) -> None:
    """REN-04."""
    refused(service, square, f"?quality={quality}")
    for fine in ("1", "100"):
        assert ask(service, square, f"?quality={fine}", "image/jpeg").status == 200


def test_row_33_annotation(service: Service, square: Target) -> None:
    """REN-03: empty, or no keyword, is 400; a keyword that is none of ours is ignored with the standard's warning."""
    for wrong in ("", ",", "patient,", ",patient", "a b", "patient;technique"):
        refused(service, square, f"?annotation={wrong}")
    plain = ask(service, square)
    assert "warning" not in plain.headers
    odd = ask(service, square, "?annotation=foo")
    assert odd.headers["warning"] == (f"299 {service.root}: The following annotation values are not supported: foo")
    assert odd.body == plain.body, "not annotated"
    known = ask(service, square, "?annotation=patient,technique")
    assert "warning" not in known.headers
    assert known.body != plain.body
    mixed = ask(service, square, "?annotation=foo,patient,bar")
    assert mixed.headers["warning"].endswith("not supported: foo,bar")
    assert mixed.body == ask(service, square, "?annotation=patient").body


@pytest.mark.parametrize("profile", ["yes", "srgb", "adobergb", "rommrgb"])
def test_row_34_a_type_without_room_for_a_profile_is_400(service: Service, square: Target, profile: str) -> None:
    """REN-08: gif has none; `no` is always possible; jpeg and png hold it where the standard says."""
    for path in (path_of(square), f"{path_of(square)}/frames/1"):
        for query, accept in (
            (f"iccprofile={profile}&accept=image/gif", "*/*"),
            (f"iccprofile={profile}", "image/gif"),
        ):
            assert service.studies(f"{path}/rendered?{query}", accept).status == 400
        assert service.studies(f"{path}/rendered?iccprofile=no&accept=image/gif", "*/*").status == 200
    is_converted = profile != "yes"  # grey has no colours of its own to tell of
    assert (b"ICC_PROFILE\0" in ask(service, square, f"?iccprofile={profile}", "image/jpeg").body) == is_converted
    assert (b"iCCP" in ask(service, square, f"?iccprofile={profile}").body) == is_converted
    refused(service, square, f"?iccprofile={profile.upper()}")


@pytest.mark.parametrize("query", ["?window=40,400,linear", "?viewport=10,10,1,1,5,5", "?viewport=10,10,,,5"])
def test_row_35_a_presentation_state_has_its_own_window(service: Service, state: Target, query: str) -> None:
    """REN-10, REN-05."""
    for accept in ("*/*", "image/png", RELATED):
        reply = ask(service, state, query, accept)
        assert reply.status == 400, accept
    assert ask(service, state, "?viewport=10,10").status == 200


def test_row_36_a_study_as_one_picture_is_406(service: Service) -> None:
    """MT-17: even though it has one image; so with its series."""
    target = instances.new_target()
    service.store(image(target))
    for path in (f"/studies/{target.study}", f"/studies/{target.study}/series/{target.series}"):
        for accept in ("image/jpeg", "image/png", "text/html", "image/gif"):
            assert service.studies(f"{path}/rendered", accept).status == 406
        assert service.studies(f"{path}/rendered", RELATED).status == 200


@pytest.mark.parametrize("viewport", ["64,64,0,0,1,1", "64,64,0", "64,64,", "64", "0,64", "a,b", ""])
def test_row_37_a_thumbnail_takes_a_size_alone(service: Service, square: Target, viewport: str) -> None:
    """REN-05, THM-02: at every level."""
    refused(service, square, f"?viewport={viewport}", "thumbnail")
    assert picture(ask(service, square, "?viewport=64,48", "image/jpeg", "thumbnail")).shape[:2] == (48, 48)
