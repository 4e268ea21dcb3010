"""Our canonical bytes are RFC 8785's for everything that may enter a document."""

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet.core.canonical import canonical_bytes, domain_hash

keys = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
text = st.text(st.characters(codec="utf-8"), max_size=30)
leaves = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
)


@given(documents)
def test_the_bytes_are_those_of_the_standard(document):
    assert canonical_bytes(document) == rfc8785.dumps(document)


def test_a_domain_separates_equal_documents():
    assert domain_hash("a/v1", {"x": "1"}) != domain_hash("b/v1", {"x": "1"})
