"""Redirects followed as a browser does: to the end, within the service's own names, and never for ever."""

import pytest

from nospof.model.answers import Answer
from nospof.procedures.following import MOST_HOPS, betrayed, follow

NAMES = ("shop.example", "www.shop.example")
START = "https://shop.example/"


def answers(pages):
    """Return an `ask` from what each URL answers: a status or where it leads."""

    def ask(url, cookies):
        told = pages(url, cookies) if callable(pages) else pages.get(url, 404)
        if isinstance(told, Answer):
            return told
        return Answer(url, 302, 0.0, location=told) if isinstance(told, str) else Answer(url, told, 0.0)

    return ask


@pytest.mark.parametrize(
    ("pages", "urls", "ends"),
    [
        ({START: 200}, [START], "there"),
        ({START: "/de/", "https://shop.example/de/": 200}, [START, "https://shop.example/de/"], "there"),
        ({START: START}, [START, START], "in a loop"),
        ({START: "https://SHOP.example:443"}, [START, START], "in a loop"),
        (
            {START: "http://shop.example/", "http://shop.example/": START},
            [START, "http://shop.example/", START],
            "in a loop",
        ),
        (
            {START: "https://www.shop.example/", "https://www.shop.example/": START},
            [START, "https://www.shop.example/", START],
            "in a loop",
        ),
        ({START: "https://login.example/"}, [START, "https://login.example/"], "elsewhere"),
        ({START: 503}, [START], "there"),
    ],
)
def test_c66_where_a_client_is_sent_and_how_it_ends(pages, urls, ends):
    trail = follow(answers(pages), START, NAMES)
    assert ([*trail.urls], trail.ends) == ([*urls][: len(trail.urls)], ends)
    assert trail.is_endless is (ends == "in a loop")


def test_c66_a_page_that_always_leads_further_is_given_up():
    trail = follow(answers(lambda url, _: f"{url}a"), START, NAMES)
    assert (len(trail.urls), trail.ends) == (MOST_HOPS, "too far")


def test_who_is_sent_back_with_a_cookie_arrives():
    def pages(url, cookies):
        return 200 if cookies else Answer(url, 302, 0.0, location=url, cookies="seen=1")

    trail = follow(answers(pages), START, NAMES)
    assert (trail.ends, trail.answer.status) == ("there", 200)


def test_a_page_tells_its_own_parts_and_which_of_them_are_linked_over_plain_http():
    body = (
        "<link href=\"/app.css?v=1\"><script src='http://shop.example/app.js'></script>"
        '<img src="https://cdn.example/x.png"><a href="/about">'
    )
    trail = follow(answers({START: Answer(START, 200, 0.0, body)}), START, NAMES)
    assert trail.assets == ("https://shop.example/app.css?v=1", "http://shop.example/app.js")
    assert trail.insecure == ("http://shop.example/app.js",)
    assert trail.answer.body == ""


@pytest.mark.parametrize(
    ("answer", "made_by"),
    [
        (Answer(START, 301, 0.0, headers={"x-redirect-by": "WordPress"}), "WordPress"),
        (Answer(START, 200, 0.0, "<link href='/wp-content/themes/a.css'>"), "WordPress"),
        (Answer(START, 301, 0.0, headers={"x-generator": "Drupal 11 (https://www.drupal.org)"}), "Drupal"),
        (Answer(START, 301, 0.0, headers={"x-drupal-cache": "MISS"}), "Drupal"),
        (Answer(START, 200, 0.0, "<p>hello"), ""),
    ],
)
def test_a_page_betrays_what_made_it(answer, made_by):
    assert betrayed(answer) == made_by
