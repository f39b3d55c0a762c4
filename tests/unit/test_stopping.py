"""Ctrl-C while a run is shown."""

import signal

import pytest

from nospof.cli.stopping import stopping_politely


class Said:
    def __init__(self):
        self.told = []

    def say(self, sentence):
        self.told.append(sentence)


def test_the_second_signal_ends_it_also_while_the_first_one_still_asks():
    said, handlers = Said(), []

    def ask():
        handlers.append(signal.getsignal(signal.SIGINT))
        return "asked"

    before = signal.getsignal(signal.SIGINT)
    with stopping_politely(ask, said):
        signal.raise_signal(signal.SIGINT)
    assert (handlers, said.told) == ([signal.SIG_DFL], ["asked"])
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_not_to_be_heard_is_not_heard():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping_politely(lambda: pytest.fail("it was asked"), Said()):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
