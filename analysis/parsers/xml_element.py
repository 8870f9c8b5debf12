"""An XML file that says where it is when something is missing."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.errors import (
    IncompleteOutputError,
    MissingOutputError,
    ParseError,
    UnreadableNumberError,
)
from hightc.analysis.parsers.fortran import read_number


def read_xml(path: Path, advice: str) -> XmlElement:
    """Parse an XML file.

    Parameters
    ----------
    path : Path
        The file.
    advice : str
        The next step to print in each error.

    Returns
    -------
    XmlElement
        The root.

    Raises
    ------
    MissingOutputError
        If there is no such file.
    IncompleteOutputError
        If it is not well-formed to its end; the line is where the parser stopped.
    """
    try:
        node = ElementTree.parse(path).getroot()  # noqa: S314  (our own run wrote it)
    except FileNotFoundError:
        raise MissingOutputError(path, None, "a file", "none", advice) from None
    except ElementTree.ParseError as error:
        line = error.position[0]
        raise IncompleteOutputError(path, line, "well-formed XML to the end", str(error), advice) from None
    return XmlElement(path, node, "root", advice)


class XmlElement:
    """An XML element that raises a located error when it lacks something.

    Parameters
    ----------
    path : Path
        The file.
    node : Element
        The element itself.
    name : str
        Its tags from the root, for the messages: XML elements have no line numbers.
    advice : str
        The next step to print in each error.
    """

    def __init__(self, path: Path, node: ElementTree.Element, name: str, advice: str) -> None:
        self.path, self.node, self.name, self.advice = path, node, name, advice

    def fail(self, expected: str, found: str, error: type[ParseError] = ParseError) -> NoReturn:
        """Raise an error located at this element."""
        raise error(self.path, None, f"{expected} in <{self.name}>", found, self.advice)

    def find(self, tag: str) -> XmlElement | None:
        """Return the first element below, or None."""
        node = self.node.find(tag)
        return None if node is None else self._below(node, tag)

    def get(self, tag: str) -> XmlElement:
        """Return the first element below, or fail."""
        element = self.find(tag)
        return element if element is not None else self.fail(f"<{tag}>", "none", MissingOutputError)

    def get_all(self, tag: str) -> list[XmlElement]:
        """Return all elements below."""
        return [self._below(node, tag) for node in self.node.findall(tag)]

    def _below(self, node: ElementTree.Element, tag: str) -> XmlElement:
        return XmlElement(self.path, node, f"{self.name}/{tag}", self.advice)

    def attribute(self, key: str) -> str:
        """Return an attribute, or fail."""
        value = self.node.get(key)
        return value if value is not None else self.fail(f"attribute {key}", "none", MissingOutputError)

    def attribute_number(self, key: str) -> float:
        """Return an attribute that is a finite number, or fail."""
        return self._to_number(self.attribute(key))

    @property
    def text(self) -> str:
        """The text without blanks around it."""
        return (self.node.text or "").strip()

    def flag(self) -> bool:
        """Return whether the text is true, or fail if it is neither true nor false."""
        if self.text not in {"true", "false"}:
            self.fail("true or false", repr(self.text))
        return self.text == "true"

    def numbers(self, count: int) -> NDArray[np.float64]:
        """Return exactly `count` finite numbers, or fail."""
        fields = self.text.split()
        if len(fields) != count:
            self.fail(f"{count} numbers", str(len(fields)))
        return np.array([self._to_number(field) for field in fields])

    def number(self) -> float:
        """Return the one finite number, or fail."""
        return float(self.numbers(1)[0])

    def integer(self) -> int:
        """Return the one integer, or fail."""
        if not self.text.isdigit():
            self.fail("an integer", repr(self.text))
        return int(self.text)

    def _to_number(self, text: str) -> float:
        value = read_number(text)
        return value if value is not None else self.fail("a finite number", repr(text), UnreadableNumberError)
