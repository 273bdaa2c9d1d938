"""The judge of screenshots, on pictures that are drawn here."""

from tests.support.live_lab.picture import Colour, Picture

WIDTH, HEIGHT = 200, 100
BLUE, BLACK, WHITE = (0, 156, 181), (0, 0, 0), (250, 250, 250)


def picture(*rows: list[Colour]) -> Picture:
    """ROWS from the top, then a blue that differs from row to row."""
    below = [[(0, y, 181)] * WIDTH for y in range(HEIGHT - len(rows))]
    cells = [cell for row in [*rows, *below] for colour in row for cell in colour]
    return Picture(width=WIDTH, height=HEIGHT, pixels=bytes(cells))


def written(y: int) -> list[Colour]:
    """A row of a black bar with white words at both ends."""
    words = 20 if 8 < y < 20 else 0
    return [WHITE] * words + [BLACK] * (WIDTH - 2 * words) + [WHITE] * words


def test_a_bar_with_words_is_a_panel() -> None:
    assert picture(*[written(y) for y in range(28)]).panel() == 28


def test_a_bar_without_words_is_none() -> None:
    assert picture(*[[BLACK] * WIDTH for _ in range(28)]).panel() == 0


def test_one_colour_all_over_is_none() -> None:
    assert picture(*[[BLUE] * WIDTH for _ in range(HEIGHT)]).panel() == 0


def test_a_dialog_on_one_colour_is_none() -> None:
    dialog = [BLUE] * 80 + [WHITE] * 40 + [BLUE] * 80
    rows = [dialog if 30 < y < 70 else [BLUE] * WIDTH for y in range(HEIGHT)]
    assert picture(*rows).panel() == 0


def test_a_background_alone_is_none() -> None:
    assert picture().panel() == 0
    assert picture().colours() == HEIGHT
