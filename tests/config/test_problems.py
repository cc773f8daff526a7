"""How problems are written."""

from mainstay.config.problems import Problem, choices, clip, dotted, nearest, render


def test_a_problem_is_file_line_path_what_and_hint() -> None:
    problem = Problem("m.yaml", 3, "server.prot", "unknown field", "did you mean 'port'?")
    assert str(problem) == "m.yaml:3: server.prot: unknown field; did you mean 'port'?"
    assert str(Problem("m.yaml", 0, "", "is not a file")) == "m.yaml: is not a file"


def test_problems_are_one_line_each() -> None:
    assert render([Problem("a", 1, "", "x"), Problem("b", 2, "p", "y")]) == "a:1: x\nb:2: p: y"


def test_places_are_written_with_dots_and_positions() -> None:
    assert dotted(("routes", "a", "targets", 0, "model")) == "routes.a.targets[0].model"
    assert dotted(()) == ""


def test_the_nearest_name_is_found_whatever_its_case() -> None:
    assert nearest("OPENAI", ["openai", "anthropic"]) == "did you mean 'openai'?"
    assert nearest("zzz", ["openai", "anthropic"]) == ""
    assert nearest("x" * 100_000, ["openai"]) == ""


def test_choices_read_as_a_sentence_and_have_an_end() -> None:
    assert choices([]) == ""
    assert choices(["a"]) == "'a'"
    assert choices(["a", "b", "c"]) == "'a', 'b' or 'c'"
    assert choices([str(i) for i in range(30)]).endswith("'11' or one of 18 more")


def test_what_a_message_repeats_is_short_and_printable() -> None:
    assert clip("a\x1b[31m\n") == "a?[31m?"
    assert len(clip("x" * 1000)) == 81
