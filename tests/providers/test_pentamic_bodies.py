"""What Pentamic sends, in JSON that is none and in XML: nothing is left out, no digit changes."""

from __future__ import annotations

import json

import pytest

from connections.providers import registry
from connections.transport.http import parsing

WIRES = registry.all_providers()["pentamic"].wires


def xml(inner, root="ArrayOfCustomer"):
    return parsing.parse(f"<{root}>{inner}</{root}>".encode(), WIRES["xml"]).values


def test_digits_are_kept_and_numbers_that_are_none_are_text():
    body = b'[{"Id": 1.70e1, "TaxCode": 0312, "taxcode": 0312, "Sum": 12345678901234567.89, "n": [-01, 0.50]}]'
    parsed = parsing.parse(body, WIRES["json"])
    assert parsed.document == (
        b'[{"id": 1.70e1, "taxCode": "0312", "taxcode": "0312", "sum": 12345678901234567.89, "n": ["-01", 0.50]}]'
    )
    assert parsing.read(b'{"taxCode" : 5.10, "a": "\\"taxCode\\": 5", "B": null}', WIRES["json"]) == {
        "taxCode": "5.10",
        "a": '"taxCode": 5',
        "b": None,
    }


def test_elements_that_come_again_are_a_list_and_so_are_their_siblings():
    two = "<Id>1</Id><Phone>1</Phone><Phone>2</Phone>"
    one = "<Id>2</Id><Phone>3</Phone>"
    assert xml(f"<Customer>{two}</Customer><Customer>{one}</Customer><Customer><Id>3</Id></Customer>") == [
        {"id": 1, "phone": ["1", "2"]},
        {"id": 2, "phone": ["3"]},
        {"id": 3},
    ]
    assert xml(f"<Customer>{one}</Customer>") == [{"id": 2, "phone": "3"}]


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("<Lines><Line><N>1</N></Line><Line><N>2</N></Line></Lines>", {"lines": [{"n": "1"}, {"n": "2"}]}),
        ("<Lines><Line><N>1</N></Line></Lines>", {"lines": [{"n": "1"}]}),
        ("<Rows><InvoiceRow><N>1</N></InvoiceRow></Rows>", {"rows": [{"n": "1"}]}),
        ("<Entries><Entry>1</Entry></Entries>", {"entries": ["1"]}),
        ("<Address><Street>1</Street></Address>", {"address": {"street": "1"}}),
        ("<Parts><Box>1</Box><Box>2</Box></Parts>", {"parts": ["1", "2"]}),
        ("<Lines><Count>1</Count><Line>1</Line></Lines>", {"lines": {"count": "1", "line": "1"}}),
        ('<Lines count="2"><Line>1</Line><Line>2</Line></Lines>', {"lines": {"line": ["1", "2"], "count": "2"}}),
        (
            '<Tags xmlns:a="http://schemas.microsoft.com/2003/10/Serialization/Arrays"><a:string>x</a:string></Tags>',
            {"tags": ["x"]},
        ),
        ("<ArrayOfLine><Line>1</Line></ArrayOfLine>", {"arrayOfLine": ["1"]}),
        ('<Sum currency="EUR">1.50</Sum>', {"sum": {"currency": "EUR", "text": "1.50"}}),
        ("<P>a<B>b</B>c</P>", {"p": {"b": "b", "text": "a c"}}),
        ('<N xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>', {"n": None}),
        (
            "<N><![CDATA[a &#0; b]]>&#0;&#x1;&#xD800;&#10;&#x1F600;\x0b</N>",
            {"n": "a &#0; b\ufffd\ufffd\ufffd\n😀\ufffd"},
        ),
        ("<Id>17.0</Id>", {"id": 17}),
        ("<Id> 18446744073709551617 </Id>", {"id": 18446744073709551617}),
        ("<Id>A1</Id>", {"id": "A1"}),
    ],
)
def test_nothing_is_left_out(inner, expected):
    document = parsing.parse(
        f"<ArrayOfCustomer><Customer>{inner}</Customer></ArrayOfCustomer>".encode(), WIRES["xml"]
    ).document
    assert json.loads(document) == [expected]


def test_a_list_that_is_empty_here_and_filled_there_is_a_list_in_both():
    filled = "<Customer><Boxes><Item>1</Item><Item>2</Item></Boxes></Customer>"
    assert xml(f"{filled}<Customer><Boxes/></Customer>") == [{"boxes": ["1", "2"]}, {"boxes": []}]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<ArrayOfCustomer/>", []),
        ("<Customers><Customer><Id>1</Id></Customer></Customers>", [{"id": 1}]),
        (
            "<R><Customers><Customer><Id>1</Id></Customer></Customers><Total>1</Total></R>",
            {"customers": [{"id": 1}], "total": "1"},
        ),
        ("<Customers/>", None),
        ("<Customer><Id>1</Id></Customer>", {"id": 1}),
    ],
)
def test_what_stands_around_the_list(body, expected):
    assert parsing.read(body.encode(), WIRES["xml"]) == expected


@pytest.mark.parametrize(
    "inner",
    [
        '<Customer id="1"><Id>2</Id></Customer>',
        '<Customer xmlns:z="http://schemas.microsoft.com/2003/10/Serialization/" z:Ref="i1"/>',
    ],
)
def test_a_page_that_would_lose_something_is_refused(inner):
    with pytest.raises(ValueError, match=r"two values of id|refers to another"):
        xml(inner)


@pytest.mark.parametrize("value", [["a"], {"a": 1}])
def test_a_list_is_not_written_as_the_text_of_one(value):
    with pytest.raises(TypeError):
        WIRES["xml"].encode({"name": "x", "phones": value}, {})
    assert b"<Active>true</Active>" in WIRES["xml"].encode({"active": True}, {})
