"""Charts of the console: what stands below a bar is when that bar begins."""

from datetime import UTC, datetime, timedelta

import pytest

from audit.validation import rfc3339
from secure_auth.web.console import charts

BEGIN = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 24, 25, 30, 61, 169])
def test_each_label_stands_where_its_bar_is_drawn(count: int) -> None:
    results = [{"start": rfc3339(BEGIN + timedelta(hours=number)), "counts": []} for number in range(count)]
    chart = charts.draw({"results": results, "bucket": "hour", "since": "", "until": ""}, lambda _: True)
    assert 1 <= len(chart.labels) <= charts.LABELS
    for label in chart.labels:
        (bar,) = (one for one in chart.bars if one.start == label.moment)
        assert label.percent == pytest.approx(100 * bar.x / charts.WIDTH, abs=0.01)
        assert bar.x <= charts.WIDTH * charts.LAST_LABEL
