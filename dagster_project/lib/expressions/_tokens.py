"""The words of an expression of the catalogue, each with its place in the text."""

import re
from dataclasses import dataclass
from typing import Literal

from dagster_project.lib.errors import InputError

MAX_CHARACTERS = 2000
MAX_DEPTH = 50
MAX_OPERATIONS = 100
Kind = Literal["number", "text", "name", "symbol", "end"]
_BLANK = re.compile(r"\s*")
_TOKEN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?(?![\w.]))"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<text>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")"
    r"|(?P<symbol><>|!=|<=|>=|\|\||[-+*/(),.\[\]=<>])"
)
_NUMBER = re.compile(r"0*(\d*)(?:\.(\d*?)0*)?")


class ExpressionError(InputError):
    """An expression cannot be used: what is wrong, and at which character (from 1) of its text."""

    def __init__(self, message: str, position: int) -> None:
        """Keep both."""
        super().__init__(f"{message}, at character {position}")
        self.position = position


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an expression; `text` of a quoted text is what stands between its quotes."""

    kind: Kind
    text: str
    position: int
    quote: str = ""

    def __str__(self) -> str:
        """The word as a message shows it."""
        return "the end" if self.kind == "end" else f"{self.quote}{self.text}{self.quote}"


def tokens(expression: str) -> list[Token]:
    """The words of an expression, the end last. Raises ExpressionError."""
    if len(expression) > MAX_CHARACTERS:
        raise ExpressionError(f"an expression has at most {MAX_CHARACTERS} characters", MAX_CHARACTERS + 1)
    found: list[Token] = []
    place = _skip_blanks(expression, 0)
    while place < len(expression):
        match = _TOKEN.match(expression, place)
        if match is None:
            raise ExpressionError(_unreadable(expression, place), place + 1)
        found.append(_token(match, place + 1))
        place = _skip_blanks(expression, match.end())
    found.append(Token("end", "", len(expression) + 1))
    return found


class Reader:
    """Goes through the words of an expression, one after the other, and counts its operations."""

    def __init__(self, words: list[Token]) -> None:
        """Begin at the first word."""
        self.words = words
        self.place = 0
        self.operations = 0

    @property
    def word(self) -> Token:
        """The word that comes next; at the end, the end."""
        return self.words[self.place]

    def take(self) -> Token:
        """The next word, which is then behind."""
        word = self.word
        self.place += word.kind != "end"
        return word

    def is_symbol(self, *symbols: str) -> bool:
        """Whether one of these symbols comes next."""
        return self.word.kind == "symbol" and self.word.text in symbols

    def is_name(self, *names: str) -> bool:
        """Whether one of these names comes next, in capitals or not."""
        return self.word.kind == "name" and self.word.text.lower() in names

    def expect(self, text: str, after: str) -> Token:
        """Take a symbol or a name that must come next. Raises ExpressionError."""
        if not (self.is_symbol(text) or self.is_name(text)):
            raise ExpressionError(f"{text} expected {after}, not {self.word}", self.word.position)
        return self.take()

    def expect_end(self) -> None:
        """Raise ExpressionError unless this is the end."""
        if self.word.kind != "end":
            raise ExpressionError(f"an operator or the end expected, not {self.word}", self.word.position)

    def count_operation(self, position: int) -> None:
        """One operation more. Raises ExpressionError when it is one too many."""
        self.operations += 1
        if self.operations > MAX_OPERATIONS:
            raise ExpressionError(f"an expression has at most {MAX_OPERATIONS} operations", position)


def _skip_blanks(expression: str, place: int) -> int:
    match = _BLANK.match(expression, place)
    return match.end() if match else place


def _token(match: re.Match[str], position: int) -> Token:
    kind, text = match.lastgroup, match.group()
    if kind == "text":
        quote = text[0]
        return Token("text", text[1:-1].replace(quote * 2, quote), position, quote)
    if kind == "number":
        sized = _NUMBER.fullmatch(text)
        if sized and (len(sized[1]) > 15 or len(sized[2] or "") > 12):
            raise ExpressionError("a number has at most 15 digits before and 12 after the point", position)
        return Token("number", text, position)
    return Token("name" if kind == "name" else "symbol", text, position)


def _unreadable(expression: str, place: int) -> str:
    character = expression[place]
    if character in "'\"":
        return f"the quote {character} is not closed"
    if character.isdigit():
        return 'a number is digits, with a point and decimals or without, such as "1.5"'
    return f"{character} is no part of an expression"
