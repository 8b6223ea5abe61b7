"""What a judge says of a bad log: one line, with the first bad entry where there is one."""


class Bad(Exception):
    """The log, an export or a proof is not what it should be. `index` is -1 where no entry is to blame."""

    def __init__(self, what: str, *, index: int = -1, event: str = "") -> None:
        self.what, self.index, self.event = what, index, event
        super().__init__(what)

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self.what, self.index, self.event)

    def __str__(self) -> str:
        if self.index < 0:
            return self.what
        return f"entry {self.index} ({printable(self.event) or 'no event'}): {self.what}"


def _restore(what: str, index: int, event: str) -> Bad:
    return Bad(what, index=index, event=event)


def printable(text: str) -> str:
    """Text of a suspect database for a terminal: one line, nothing that moves a cursor, at most 80 characters."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in str(text)[:80])
