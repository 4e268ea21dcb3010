"""Policy files on disk: read, checked and resolved together with the list files beside them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy import Policy, load_policy
from mcp_wallet.core.policy_warnings import policy_warnings
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import Registry
from mcp_wallet.core.resolve import resolve_policy

FILE_BYTES_MAX: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A policy that loaded, and what it resolves to."""

    policy: Policy
    document: dict[str, Json]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its author hardly means, as `file:line:column: sentence`."""
        return policy_warnings(self.policy, self.document)


def load_policy_file(path: Path, *, registry: Registry, book: AddressBook) -> PolicyFile:
    """Return the policy of a YAML or JSON file, its list files read from the same folder.

    Raises:
        OwnerError: `POLICY_INVALID` with all problems, or when a file cannot be read.
    """
    policy = load_policy(read_text(path), name=path.name, registry=registry, book=book)
    document = resolve_policy(
        policy, registry=registry, book=book, read_list=lambda name: read_text(_beside(path, name))
    )
    return PolicyFile(policy=policy, document=document)


def read_text(path: Path) -> str:
    """Return the text of a file of the operator's.

    Raises:
        OwnerError: `POLICY_INVALID` when it is missing, unreadable, too large or not UTF-8.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise _unusable(path, f"is larger than {FILE_BYTES_MAX} bytes")
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise _unusable(path, "does not exist") from None
    except UnicodeDecodeError:
        raise _unusable(path, "is not UTF-8 text") from None
    except OSError:
        raise _unusable(path, "cannot be read") from None


def _beside(policy: Path, name: str) -> Path:
    """Return the place of a list file; it stays in the policy's folder, so that a policy can be moved as one."""
    found = policy.parent / name
    if not found.resolve().is_relative_to(policy.parent.resolve()):
        raise _unusable(found, "is outside the policy's folder")
    return found


def _unusable(path: Path, problem: str) -> OwnerError:
    sentence = f"The file `{path.name}` {problem}."
    return OwnerError(ReasonCode.POLICY_INVALID, sentence, {"problems": sentence, "count": "1"})
