"""RFC 9162 section 2.1 for one who verifies: hashes, a growing root, inclusion and consistency."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

TILE: Final = 256
TILE_HEIGHT: Final = 8
EMPTY_ROOT: Final = sha256(b"").digest()
HASH_BYTES: Final = 32


class NotProved(ValueError):
    """A proof does not lead to the root."""


def hash_leaf(leaf: bytes) -> bytes:
    """RFC 9162 section 2.1.1."""
    return sha256(b"\x00" + leaf).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """RFC 9162 section 2.1.1."""
    return sha256(b"\x01" + left + right).digest()


def fold_full(hashes: Sequence[bytes]) -> bytes:
    """The root of a full subtree, of a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(hashes[::2], hashes[1::2], strict=True)
        ]
    return hashes[0]


class Frontier:
    """A tree as it grows from the left: the roots of its full subtrees, each taller than the next.

    `on_node` hears of each subtree of 256**level entries that becomes full: (level, index, hash).
    """

    def __init__(self, on_node: Callable[[int, int, bytes], None] | None = None) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []  # (height, hash)
        self._on_node = on_node

    @classmethod
    def of(cls, parts: Sequence[tuple[int, bytes]]) -> "Frontier":
        """The tree of full subtrees, the tallest first: (height, root)."""
        frontier = cls()
        for height, subtree in parts:
            frontier.add(subtree, height)
        return frontier

    def add(self, subtree: bytes, height: int = 0) -> None:
        """Append a full subtree of 2**height entries; the size must be a multiple of that."""
        if self.size % (1 << height):
            raise ValueError("a subtree stands at a multiple of its size")
        self.size += 1 << height
        while self._peaks and self._peaks[-1][0] == height:
            subtree = hash_children(self._peaks.pop()[1], subtree)
            height += 1
            if self._on_node and not height % TILE_HEIGHT:
                self._on_node(height // TILE_HEIGHT, (self.size >> height) - 1, subtree)
        self._peaks.append((height, subtree))

    def parts(self) -> list[tuple[int, bytes]]:
        """The full subtrees, the tallest first: (height, root)."""
        return list(self._peaks)

    def peaks_with(self, leaves: Sequence[bytes]) -> list[bytes]:
        """The roots of the full subtrees, the tallest first, as if these leaf hashes had been added."""
        longer = Frontier()
        longer.size, longer._peaks = self.size, list(self._peaks)
        for leaf in leaves:
            longer.add(leaf)
        return [found for _, found in longer._peaks]

    def root(self) -> bytes:
        """The root of what was added."""
        return join([found for _, found in self._peaks])


def join(peaks: Sequence[bytes]) -> bytes:
    """The root over full subtrees, the largest first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = hash_children(peak, root)
    return root


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2.

    Raises:
        NotProved: the leaf is not proved to be entry `index` of the `size` entries with this root.
    """
    _require_hashes(leaf_hash, root, *proof)
    if not 0 <= index < size:
        raise NotProved(f"there is no entry {index} among {size}")
    node, last, found = index, size - 1, leaf_hash
    for step in proof:
        if not last:
            raise NotProved("the proof is too long")
        if node & 1 or node == last:
            found = hash_children(step, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = hash_children(found, step)
        node, last = node >> 1, last >> 1
    if last:
        raise NotProved("the proof is too short")
    if found != root:
        raise NotProved("the proof leads to another root")


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """RFC 9162 section 2.1.4.2, for 0 < first <= second.

    Raises:
        NotProved: the tree of `second` entries is not proved to begin with that of `first`.
    """
    if not 0 < first <= second:
        raise NotProved("consistency is proved between two trees that are not empty, the smaller one first")
    if first == second:
        if proof or first_root != second_root:
            raise NotProved("two trees of one size have one root, and need no proof")
        return
    _require_hashes(first_root, second_root, *proof)
    path = list(proof)
    if not first & (first - 1):
        path.insert(0, first_root)
    if not path:
        raise NotProved("the proof is empty")
    _walk_consistency(first, second, first_root, second_root, path)


def _require_hashes(*values: bytes) -> None:
    if any(len(value) != HASH_BYTES for value in values):
        raise NotProved("a hash of the proof is none")


def _walk_consistency(first: int, second: int, old: bytes, new: bytes, path: Sequence[bytes]) -> None:
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    left = right = path[0]
    for step in path[1:]:
        if not last:
            raise NotProved("the proof is too long")
        if node & 1 or node == last:
            left, right = hash_children(step, left), hash_children(step, right)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            right = hash_children(right, step)
        node, last = node >> 1, last >> 1
    if last:
        raise NotProved("the proof is too short")
    if left != old or right != new:
        raise NotProved("the proof leads to another root")
