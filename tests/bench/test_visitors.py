from bench.visitors import Line


def test_a_line_serves_so_many_at_once_and_the_others_in_their_order() -> None:
    line, begun = Line(2), list[str]()
    places = {name: line.enter(lambda name=name: begun.append(name)) for name in "abcde"}
    assert begun == ["a", "b"]
    line.leave(places["c"])
    line.leave(places["a"])
    line.leave(places["a"])
    assert begun == ["a", "b", "d"]
    line.leave(places["b"])
    assert begun == ["a", "b", "d", "e"]


def test_a_line_without_slots_makes_nobody_wait() -> None:
    line, begun = Line(), list[int]()
    for number in range(100):
        line.enter(lambda number=number: begun.append(number))
    assert begun == list(range(100))
