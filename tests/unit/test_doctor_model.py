"""Messages of this package, which say first what is wrong and then the mend."""

from __future__ import annotations

from otel_distro.doctor.model import parted


def test_a_message_is_parted_at_its_first_semicolon() -> None:
    assert parted("it is wrong; mend it; or not") == ("it is wrong", "mend it; or not")
    assert parted("it is wrong") == ("it is wrong", "")
