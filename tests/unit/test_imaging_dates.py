from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtray.imaging import dates

NOON = datetime(2019, 3, 14, 12, 13, 14)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019:03:14 12:13:14", NOON),
        ("2019-03-14 12:13:14", NOON),
        ("2019/03/14 12:13:14", NOON),
        ("2019.03.14 12.13.14", NOON),
        ("2019-03-14T12:13:14", NOON),
        ("  2019:03:14 12:13:14 ", NOON),
        ("2019年03月14日 12时13分14秒", NOON),
        ("20190314T121314", NOON),
        ("2019-03-14T12:13:14+02:00", NOON),
        ("2019-03-14T12:13:14Z", NOON),
        ("2019:03:14 12:13:14.567", NOON),
        ("2019-03-14T12:13:14.567-05:00", NOON),
        ("Thu, 14 Mar 2019 12:13:14 GMT", NOON),
        ("2019:3:14 12:13:14", NOON),
        ("2019:03:14 12:13", datetime(2019, 3, 14, 12, 13)),
        ("2019:03:14 12:13:", datetime(2019, 3, 14, 12, 13)),
        ("2019-03-14T12:13+01:00", datetime(2019, 3, 14, 12, 13)),
        ("2019:03:14", datetime(2019, 3, 14)),
        ("2019-03-14", datetime(2019, 3, 14)),
        ("20190314", datetime(2019, 3, 14)),
        ("2019:03:14  9:05:01", datetime(2019, 3, 14, 9, 5, 1)),
        ("2019:03:14 03:05:01 PM", datetime(2019, 3, 14, 15, 5, 1)),
        ("2019:03:14 12:05:01 am", datetime(2019, 3, 14, 0, 5, 1)),
        ("2019-03-14 3:05 p.m.", datetime(2019, 3, 14, 15, 5)),
        ("2015:08:22 24:08:19", datetime(2015, 8, 23, 0, 8, 19)),
        ("2016:12:31 24:00:00", datetime(2017, 1, 1)),
        ("2016:12:31 23:59:60", datetime(2016, 12, 31, 23, 59, 59)),
        ("1970-01-01", datetime(1970, 1, 1)),
        ("1903:05:06 07:08:09", datetime(1903, 5, 6, 7, 8, 9)),
    ],
)
def test_a_moment_is_read_however_it_was_written(text: str, expected: datetime) -> None:
    assert dates.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "    :  :     :  :  ",
        "0000:00:00 00:00:00",
        "0000-00-00",
        "0001:01:01 00:00:00",
        "1970:01:01 00:00:00",
        "1904:01:01 00:00:00",
        "2019:13:01 00:00:00",
        "2019:02:30 10:00:00",
        "2019:03:14 25:00:00",
        "9999:12:31 24:00:00",
        "2019",
        "2019-03",
        "yesterday",
        "14",
    ],
)
def test_a_placeholder_is_no_moment(text: str) -> None:
    assert dates.parse(text) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMG_20190314_121314.jpg", NOON),
        ("IMG_20190314_121314123_HDR.jpg", NOON),
        ("IMG_20190314_121314_1.jpg", NOON),
        ("PXL_20190314_121314567.MP.jpg", NOON),
        ("MVIMG_20190314_121314.jpg", NOON),
        ("20190314_121314.jpg", NOON),
        ("20190314121314.jpg", NOON),
        ("WIN_20190314_12_13_14_Pro.jpg", NOON),
        ("2019-03-14 12.13.14.jpg", NOON),
        ("2019-03-14T12:13:14.jpg", NOON),
        ("Screenshot_2019-03-14-12-13-14.png", NOON),
        ("Screenshot_20190314-121314_Chrome.png", NOON),
        ("Screenshot from 2019-03-14 12-13-14.png", NOON),
        ("Screenshot 2019-03-14 at 12.13.14.png", NOON),
        ("Screenshot 2019-03-14 at 12.13.14\u202fPM.png", NOON),
        ("Screen Shot 2019-03-14 at 1.02.03 PM.png", datetime(2019, 3, 14, 13, 2, 3)),
        ("Screen Shot 2019-03-14 at 12.02.03 AM.png", datetime(2019, 3, 14, 0, 2, 3)),
        ("WhatsApp Image 2019-03-14 at 12.13.14.jpeg", NOON),
        ("signal-2019-03-14-121314.jpg", NOON),
        ("photo_5_2019-03-14_12-13-14.jpg", NOON),
        ("IMG-20190314-WA0001.jpg", datetime(2019, 3, 14)),
        ("1920x1080_20190314.png", datetime(2019, 3, 14)),
        ("Photo 2019.03.14.jpg", datetime(2019, 3, 14)),
    ],
)
def test_a_moment_is_read_from_a_name(name: str, expected: datetime) -> None:
    assert dates.from_name(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "DSC_0001.jpg",
        "12345678.jpg",
        "20191314_101010.jpg",
        "FB_IMG_1552555555555.jpg",
        "received_10154321098765432.jpeg",
        "2019-0314.jpg",
        "18990101_101010.jpg",
        pytest.param(f"IMG_{datetime.now() + timedelta(days=3):%Y%m%d_%H%M%S}.jpg", id="in three days"),
    ],
)
def test_a_number_in_a_name_is_no_moment(name: str) -> None:
    assert dates.from_name(name) is None


@given(st.text(max_size=60))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    assert isinstance(dates.parse(text), datetime | None)
    assert isinstance(dates.from_name(text), datetime | None)


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2026, 1, 1)))
def test_what_cameras_write_is_read_back(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)

    assert dates.parse(f"{moment:%Y:%m:%d %H:%M:%S}") == moment
    assert dates.from_name(f"IMG_{moment:%Y%m%d_%H%M%S}.jpg") == moment
