"""Planned answers: the next messages get them in place of 201, and no fault is hidden by one."""

import pytest

from pushlab.errors import BadField, TooManyRequests
from pushlab.pushservice import answers
from pushlab.pushservice.answers import PlannedAnswers


def test_an_answer_is_given_as_planned_and_as_often(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        before = bench.last
        bench.service.answers.plan(
            429, headers={"Retry-After": "1", "X-Reason": "slow down"}, body="later", times=2
        )
        for left in (1, 0):
            response = await sender.send(subscription)
            assert (response.code, response.body) == (429, b"later")
            assert response.headers["Retry-After"] == "1" and response.headers["X-Reason"] == "slow down"
            assert not {"Content-Type", "Cache-Control"} & set(response.headers)
            assert bench.service.answers.pending == left
        answered = [event for event in bench.journal.events(before) if event.what.startswith("429 ")]
        assert [event.detail for event in answered] == [{"planned": True}] * 2
        await agent.hears_nothing()
        assert bench.queue() == 0
        assert (await sender.send(subscription, b"now")).code == 201
        assert agent.read(await agent.notification()) == b"now"

    bench(scenario)


def test_with_a_success_the_message_arrives_and_with_a_redirect_it_does_not(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        for status in (200, 202, 204, 299):
            bench.service.answers.plan(status)
            response = await sender.send(subscription, str(status).encode())
            assert (response.code, response.body) == (status, b"")
            assert agent.read(await agent.notification()) == str(status).encode()
        for status in (304, 404, 599):
            bench.service.answers.plan(status)
            assert (await sender.send(subscription)).code == status
        await agent.hears_nothing()

    bench(scenario)


def test_a_message_that_is_refused_anyway_uses_up_no_plan(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        bench.service.answers.plan(503)
        assert (await bench.sender().send(subscription)).code == 403, "another key"
        request = sender.request(subscription, b"x")
        del request.headers["TTL"]
        assert (await http(request)).code == 400
        assert bench.service.answers.pending == 1
        assert (await sender.send(subscription)).code == 503
        await agent.hears_nothing()

    bench(scenario)


def test_the_plan_for_an_endpoint_comes_before_the_one_for_any(bench):
    async def scenario(bench):
        agent, sender, one = await bench.subscribed()
        other = await agent.subscribe(sender.key, "channel-2")
        plan = bench.service.answers.plan
        plan(500, times=2)
        plan(410, endpoint=one.endpoint)
        plan(413, endpoint=bench.service.endpoint(one.endpoint.rpartition("/")[2], https=True))
        sent = [(await sender.send(to)).code for to in (other, one, one, one, one)]
        assert sent == [500, 410, 413, 500, 201]
        plan(500)
        bench.service.answers.clear()
        assert (await sender.send(other)).code == 201

    bench(scenario)


WRONG = [
    {"status": 199}, {"status": 600}, {"status": "429"}, {"status": True}, {"status": 429.0},
    {"status": 204, "body": "x"}, {"status": 200, "body": 7}, {"status": 200, "times": 0},
    {"status": 200, "times": True}, {"status": 200, "headers": []},
    {"status": 200, "headers": {"": "x"}},
    {"status": 200, "headers": {"X": "a\r\nY: b"}}, {"status": 200, "headers": {"X": 7}},
    {"status": 200, "headers": {"content-length": "7"}}, {"status": 200, "headers": {"X": "ü"}},
    {"status": 200, "headers": {"a b": "x"}},
]  # fmt: skip


def test_what_no_server_can_answer_is_refused(monkeypatch):
    planned = PlannedAnswers()
    for wrong in WRONG:
        with pytest.raises(BadField):
            planned.plan(**wrong)
    assert planned.pending == 0
    monkeypatch.setattr(answers, "MAX_PLANS", 2)
    planned.plan(500)
    planned.plan(500, endpoint="https://localhost/wpush/v2/x")
    with pytest.raises(TooManyRequests):
        planned.plan(500)
