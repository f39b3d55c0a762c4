"""Which certificate a balancer ends TLS with: every reason why one will not do, and which is the best."""

import pytest

from nospof.errors import PreconditionFailed
from nospof.model.certificates import Certificate
from nospof.model.requests import PairRequest
from nospof.model.surroundings import NamedAddress, Surroundings
from nospof.planning.certificates import DAY, DAYS_LEFT, covers, names_for, secure_listener

NOW = 1_800_000_000.0
WWW = "www.example.org"


def certificate(number=1, names=(WWW,), **about):
    return Certificate(
        f"arn:aws:acm:eu-central-1:1:certificate/{number}",
        names,
        **{"status": "ISSUED", "key_type": "RSA_2048", "expires_at": NOW + 90 * DAY, **about},
    )


def chosen(*certificates, names=(WWW,), asked="auto", **request):
    return secure_listener(PairRequest("i-1", certificate=asked, **request), names, certificates, NOW)


def refusal(*certificates, **more):
    with pytest.raises(PreconditionFailed) as refused:
        chosen(*certificates, **more)
    assert "Nothing was changed" in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "name", "holds"),
    [
        (WWW, WWW, True),
        ("*.example.org", WWW, True),
        ("*.example.org", "a.www.example.org", False),
        ("*.example.org", "example.org", False),
        ("*.example.org", "*.example.org", True),
        (WWW, "*.example.org", False),
        ("example.org", WWW, False),
    ],
)
def test_a_wildcard_stands_for_one_label(pattern, name, holds):
    assert covers(certificate(names=(pattern,)), name) is holds


@pytest.mark.parametrize("asked", ["auto", certificate().arn])
@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"status": "PENDING_VALIDATION"}, "PENDING_VALIDATION: the records it wants are not in DNS"),
        ({"status": "EXPIRED"}, "is EXPIRED"),
        ({"expires_at": NOW - 1}, "has expired"),
        ({"expires_at": NOW + (DAYS_LEFT - 1) * DAY}, "expires in 13 days"),
        ({"key_type": "RSA_1024"}, "RSA_1024, which no browser takes"),
    ],
)
def test_a_certificate_that_will_not_do_is_refused_with_why(about, said, asked):
    assert said in refusal(certificate(**about), asked=asked)


def test_a_certificate_for_other_names_is_refused_with_both():
    said = refusal(certificate(names=("shop.example.com",)), asked=certificate().arn)
    assert f"is for shop.example.com, not for {WWW}" in said


def test_a_certificate_of_another_region_is_not_listed_here():
    assert "this one is of us-east-1" in refusal(asked="arn:aws:acm:us-east-1:1:certificate/9")
    assert "import-certificate" in refusal(asked="arn:aws:iam::1:server-certificate/old")


def test_without_a_fitting_certificate_the_commands_that_ask_for_one_are_told():
    said = refusal(certificate(names=("shop.example.com",)), names=(WWW, "example.org"))
    assert f"request-certificate --domain-name {WWW} --subject-alternative-names example.org" in said
    assert "DomainValidationOptions" in said


def test_without_a_name_nothing_is_chosen():
    assert "--name www.example.org" in refusal(certificate(), names=())
    assert "--name www.example.org" in refusal(certificate(), names=("*.example.org",))


def test_the_best_is_made_for_these_names_and_lasts_longest():
    wild = certificate(1, ("*.example.org",), expires_at=NOW + 300 * DAY)
    short = certificate(2, expires_at=NOW + 20 * DAY)
    long = certificate(3, expires_at=NOW + 60 * DAY)
    assert chosen(wild).certificate_arn == wild.arn
    assert chosen(wild, short, long).certificate_arn == long.arn
    assert chosen(wild, certificate(4, status="REVOKED"), short).certificate_arn == short.arn


def test_what_was_asked_for_is_what_the_listener_is():
    made = chosen(certificate(), https_port=8443, no_redirect=True)
    assert (made.port, made.names, made.redirects) == (8443, (WWW,), False)
    assert chosen(certificate()).redirects
    assert secure_listener(PairRequest("i-1"), (WWW,), (certificate(),), NOW) is None


def test_names_are_as_said_else_as_route_53_has_them_else_as_the_certificate_has_them():
    around = Surroundings(records=(NamedAddress("Shop.example.org", "Z1", 60),))
    wild = Surroundings(records=(NamedAddress("\\052.example.org", "Z1", 60),))
    one = certificate(names=("*.example.org", "example.org"))
    by_arn, by_name = (
        PairRequest("i-1", certificate=one.arn),
        PairRequest("i-1", names=f"{WWW}, EXAMPLE.org."),
    )
    assert names_for(by_name, around, ()) == (WWW, "example.org")
    assert names_for(by_arn, around, (one,)) == ("shop.example.org",)
    assert names_for(by_arn, wild, (one,)) == ("*.example.org",)
    assert names_for(by_arn, Surroundings(), (one,)) == ("example.org",)
    assert names_for(PairRequest("i-1", certificate="auto"), Surroundings(), (one,)) == ()
