"""The Merkle tree of RFC 9162 section 2.1 (SHA-256), as C2SP tlog-tiles cuts it: in tiles of 256 hashes.

A tree is read through one function, `Reader`: the hashes of level L are those of full subtrees of 256**L entries, those
of level 0 the leaf hashes. All of this is what the log says of itself; `audit.verify` judges it with code of its own.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

TILE: Final = 256  # hashes of a full tile
TILE_HEIGHT: Final = 8
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
Reader = Callable[[int, int, int], Sequence[bytes]]  # (level, first index, count) -> that many hashes


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 9162 section 2.1.1: MTH of one entry."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162 section 2.1.1: the hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root of a tree whose lowest hashes are these, at least one."""
    row = list(hashes)
    while len(row) > 1:
        odd = [row[-1]] if len(row) % 2 else []
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)] + odd
    return row[0]


@dataclass(slots=True)
class Edge:
    """The growing right edge of a tree: for each level the hashes of its last, not yet full tile."""

    size: int = 0
    tiles: list[list[bytes]] = field(default_factory=list)

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf hash; the (level, index, hash) of each subtree that it completed."""
        completed = []
        carried = leaf
        for level in range(len(self.tiles) + 1):
            if level == len(self.tiles):
                self.tiles.append([])
            tile = self.tiles[level]
            tile.append(carried)
            if len(tile) < TILE:
                break
            carried = fold(tile)
            tile.clear()
            completed.append((level + 1, self.size // TILE ** (level + 1), carried))
        self.size += 1
        return completed

    def root(self) -> bytes:
        """The tree's root (RFC 9162 section 2.1.1)."""
        if not self.size:
            return EMPTY_ROOT
        peaks = [peak for tile in reversed(self.tiles) for peak in _peaks(tile)]
        return _join(peaks)


def load_edge(size: int, read: Reader) -> Edge:
    """The right edge of a stored tree."""
    edge, level, count = Edge(size), 0, size
    while count:
        width = count % TILE
        edge.tiles.append(list(read(level, count - width, width)) if width else [])
        level, count = level + 1, count // TILE
    return edge


def root_of(size: int, read: Reader) -> bytes:
    """The root of the first `size` entries."""
    return load_edge(size, read).root()


def inclusion_proof(index: int, size: int, read: Reader) -> list[bytes]:
    """RFC 9162 section 2.1.3.1, from the leaf's sibling up.

    Raises:
        ValueError: no such entry in a tree of this size.
    """
    return _path(index, size, _Tiles(size, read))


def consistency_proof(first: int, second: int, read: Reader) -> list[bytes]:
    """RFC 9162 section 2.1.4.1: that the tree of `second` entries begins with the tree of `first`.

    Raises:
        ValueError: not 0 <= first <= second.
    """
    if not 0 <= first <= second:
        raise ValueError("a tree is consistent with smaller ones")
    if first in (0, second):
        return []
    hashes = _Tiles(second, read)
    proof: list[bytes] = []
    start, end, whole = 0, second, True
    while first < end:
        middle = start + _split(end - start)
        if first <= middle:
            proof.append(hashes.of(middle, end))
            end = middle
        else:
            proof.append(hashes.of(start, middle))
            start, whole = middle, False
    return ([] if whole else [hashes.of(start, end)]) + proof[::-1]


class _Tiles:
    """Hashes of ranges of a tree, each tile read once."""

    def __init__(self, size: int, read: Reader) -> None:
        self._size, self._read = size, read
        self._tiles: dict[tuple[int, int], Sequence[bytes]] = {}

    def of(self, start: int, end: int) -> bytes:
        """The hash of entries start to end, a subtree as RFC 9162 cuts them: start is aligned to its size."""
        peaks = []
        while start < end:
            width = 1 << ((end - start).bit_length() - 1)
            peaks.append(self._perfect(start, width))
            start += width
        return _join(peaks)

    def _perfect(self, start: int, width: int) -> bytes:
        level = (width.bit_length() - 1) // TILE_HEIGHT
        unit = TILE**level
        first = start // unit
        tile = self._tile(level, first // TILE)
        return fold(tile[first % TILE : first % TILE + width // unit])

    def _tile(self, level: int, number: int) -> Sequence[bytes]:
        if (level, number) not in self._tiles:
            count = min(TILE, self._size // TILE**level - number * TILE)
            self._tiles[level, number] = self._read(level, number * TILE, count)
        return self._tiles[level, number]


class Subtrees(_Tiles):
    """For many inclusion proofs in one tree: what is read and computed for one serves its neighbours.

    At most `keep` hashes of subtrees are remembered; beyond it all are forgotten, with the tiles.
    """

    def __init__(self, size: int, read: Reader, *, keep: int) -> None:
        super().__init__(size, read)
        self._keep = keep
        self._known: dict[tuple[int, int], bytes] = {}

    def inclusion_proof(self, index: int) -> list[bytes]:
        """As the function of this name.

        Raises:
            ValueError: no such entry in this tree.
        """
        return _path(index, self._size, self)

    def _perfect(self, start: int, width: int) -> bytes:
        known = self._known.get((start, width))
        if known is None:
            if len(self._known) >= self._keep:
                self._known.clear()
                self._tiles.clear()
            known = self._known[start, width] = super()._perfect(start, width)
        return known


def _path(index: int, size: int, hashes: _Tiles) -> list[bytes]:
    if not 0 <= index < size:
        raise ValueError("the entry is not in the tree")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(hashes.of(middle, end))
            end = middle
        else:
            path.append(hashes.of(start, middle))
            start = middle
    return path[::-1]


def _split(count: int) -> int:
    """The largest power of two below count."""
    return 1 << ((count - 1).bit_length() - 1)


def _peaks(tile: Sequence[bytes]) -> list[bytes]:
    """The perfect subtrees that these hashes make, largest first."""
    peaks, at = [], 0
    while at < len(tile):
        width = 1 << ((len(tile) - at).bit_length() - 1)
        peaks.append(fold(tile[at : at + width]))
        at += width
    return peaks


def _join(peaks: Sequence[bytes]) -> bytes:
    """One root over perfect subtrees, largest first."""
    joined = peaks[-1]
    for peak in reversed(peaks[:-1]):
        joined = node_hash(peak, joined)
    return joined
