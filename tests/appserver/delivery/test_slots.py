"""Who gets the next connection: never too many, each origin in turn, and HTTP/2 shares one."""

import random

from pushlab.appserver.delivery.slots import REMEMBERED, Slots

ONE, TWO, THREE = (f"https://{name}.example" for name in ("one", "two", "three"))


def test_slots_go_to_the_origins_in_turn():
    slots = Slots(total=2, each=2)
    assert [slots.take(ONE, number) for number in range(5)] == [True, True, False, False, False]
    assert not slots.take(TWO, "two") and not slots.take(THREE, "three")
    assert [slots.give_back(ONE) for _ in range(2)] == [[2], ["two"]]
    assert [slots.give_back(TWO), slots.give_back(ONE)] == [["three"], [3]]


def test_one_origin_does_not_have_them_all():
    slots = Slots(total=4, each=2)
    assert [slots.take(ONE, number) for number in range(3)] == [True, True, False]
    assert [slots.take(TWO, number) for number in range(3)] == [True, True, False]
    assert slots.give_back(TWO) == [2], "its own turn: the other one has as many as it may"


def test_an_origin_that_answers_in_http2_needs_one_for_all():
    slots = Slots(total=2, each=1)
    assert [slots.take(ONE, number) for number in range(3)] == [True, False, False]
    assert slots.give_back(ONE, multiplexes=True) == [1, 2]
    assert [slots.take(ONE, number) for number in range(100)] == [True] * 100
    assert slots.take(TWO, "two") and not slots.take(THREE, "three")
    assert [slots.give_back(ONE, multiplexes=True) for _ in range(101)] == [[]] * 101
    assert slots.give_back(ONE, multiplexes=True) == ["three"], "the last one gives the slot back"


def test_what_was_learned_of_an_origin_is_remembered_and_can_be_unlearned():
    slots = Slots(total=4, each=2)
    assert slots.take(ONE, "first") and slots.give_back(ONE, multiplexes=True) == []
    assert [slots.take(ONE, number) for number in range(9)] == [True] * 9
    for _ in range(9):
        slots.give_back(ONE, multiplexes=False)
    assert [slots.take(ONE, number) for number in range(3)] == [True, True, False]
    for number in range(2 * REMEMBERED):
        origin = f"https://{number}.example"
        assert slots.take(origin, "x") and slots.give_back(origin, multiplexes=True) == []
    assert len(slots._multiplexing) == REMEMBERED and list(slots._origins) == [ONE]


def test_no_request_is_lost_and_there_are_never_too_many():
    chance = random.Random(8030)
    for _ in range(200):
        total = chance.randint(1, 6)
        slots = Slots(total, each=max(1, total // 2))
        speaks = {f"https://{n}.example": chance.choice([True, False, None]) for n in range(4)}
        left, waiting, under_way = [(o, n) for n in range(30) for o in speaks], set(), []
        chance.shuffle(left)
        begun_once = []
        while left or waiting or under_way:
            if left and chance.random() < 0.6:
                one = left.pop()
                if slots.take(one[0], one):
                    under_way.append(one)
                    begun_once.append(one)
                else:
                    waiting.add(one)
            elif waiting and chance.random() < 0.1:
                one = waiting.pop()
                slots.withdraw(one[0], one)
            elif under_way:
                ended = under_way.pop(chance.randrange(len(under_way)))
                for one in slots.give_back(ended[0], speaks[ended[0]]):
                    waiting.remove(one)
                    under_way.append(one)
                    begun_once.append(one)
            else:
                assert not waiting, "a slot is free, and somebody waits"
            of_http1 = [one for one in under_way if not speaks[one[0]]]
            assert len(of_http1) <= total
        assert len(begun_once) == len(set(begun_once))
        assert not slots._origins and not slots._turns and slots._held == 0
