"""Formulas compiled to a list of steps, each one pass over a series.

Equal subexpressions become one step, whichever feature they occur in. Lags are no steps: an operand is read
so many rows earlier. A step knows how many first rows it cannot know (``warm_up``) and how many rows before
the asked ones it must compute (``reach``); so the same program gives all of history or one bar.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.features.pyramids import lowered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from regime.features.expression import Expression

OPERATIONS: Final = (
    "store",
    "add",
    "subtract",
    "multiply",
    "divide",
    "larger",
    "smaller",
    "shift",
    "scale",
    "at_least",
    "at_most",
    "absolute",
    "square_root",
    "log",
    "greater",
    "where",
    "ratio",
    "ratio_above",
    "direction",
    "add_scaled",
    "without_rounding",
    "merge_squares",
    "merge_products",
    "merge_in_time",
    "sum_of_cubes",
    "sum_of_fourths",
    "distances",
    "rank_of_last",
    "age_of_highest",
    "last_swing",
    "streak",
)
"""What an engine can do, in the order of their codes; ``_engine.c`` has the same list."""

OPERANDS_MAX: Final = 6
CONSTANTS_MAX: Final = 3
_RUNS_APART: Final = 3
_WINDOWED: Final = frozenset(
    {"sum_of_cubes", "sum_of_fourths", "distances", "rank_of_last", "age_of_highest", "last_swing", "streak"}
)


@dataclass(frozen=True, slots=True)
class Operand:
    """A value that a step reads: which, how many rows earlier, and how many rows before that as well."""

    node: int
    lag: int
    reach: int


@dataclass(frozen=True, slots=True)
class Node:
    """A value that is computed once a row; ``name`` is that of an input, else empty."""

    operation: str
    operands: tuple[Operand, ...]
    constants: tuple[float, ...]
    name: str
    warm_up: int


@dataclass(frozen=True, slots=True)
class Program:
    """Nodes in an order in which each follows its operands, and what is asked of them.

    ``reach`` gives for each node how many rows before the first asked one are needed of it;
    ``look_back`` is the number of rows of the inputs, today included, that decide one row of the outputs.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    reach: tuple[int, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the fields that are read, in the order of their nodes."""
        return tuple(node.name for node in self.nodes if node.name)

    @property
    def look_back(self) -> int:
        """Rows of the inputs, today included, that decide one row of the outputs."""
        return 1 + max((self.reach[at] for at, node in enumerate(self.nodes) if node.name), default=0)

    def warm_up(self, column: int) -> int:
        """Give the number of first rows on which an output is not known."""
        return self.nodes[self.outputs[column]].warm_up


def compile_program(columns: Sequence[Expression]) -> Program:
    """Compile the expressions of the columns that are asked for.

    >>> from regime.features.expression import field, lag
    >>> program = compile_program([field("close") / lag(field("close"), 5)])
    >>> program.look_back, program.warm_up(0), program.inputs
    (6, 5, ('close',))
    """
    builder = _Builder()
    outputs = tuple(builder.output(column) for column in columns)
    nodes = tuple(builder.nodes)
    return Program(nodes, outputs, _reaches(nodes))


@dataclass(slots=True)
class _Builder:
    """Gives equal expressions one node; a place is a node and how many rows earlier it is read."""

    nodes: list[Node] = field(default_factory=list)
    by_meaning: dict[object, tuple[int, int]] = field(default_factory=dict)
    by_identity: dict[int, tuple[int, int]] = field(default_factory=dict)
    kept: list[Expression] = field(default_factory=list)

    def place(self, expression: Expression) -> tuple[int, int]:
        known = self.by_identity.get(id(expression))
        if known is None:
            known = self._place(expression)
            self.by_identity[id(expression)] = known
            self.kept.append(expression)  # so that no other expression gets its identity
        return known

    def output(self, column: Expression) -> int:
        """Give the node of a column; a value of earlier rows becomes one of its own."""
        node, lag = self.place(column)
        if not lag:
            return node
        moved = Node("scale", (Operand(node, lag, 0),), (1.0,), "", self.nodes[node].warm_up + lag)
        self.nodes.append(moved)
        return len(self.nodes) - 1

    def _place(self, expression: Expression) -> tuple[int, int]:
        places = [self.place(operand) for operand in expression.operands]
        if expression.operation == "lag":
            (node, lag), rows = places[0], int(expression.constants[0])
            return node, lag + rows
        earliest = min((lag for _, lag in places), default=0)
        meaning = (
            expression.operation,
            tuple((node, lag - earliest) for node, lag in places),
            expression.constants,
        )
        node, lag = self._node_of(meaning, expression, earliest)
        return node, lag + earliest

    def _node_of(self, meaning: object, expression: Expression, earliest: int) -> tuple[int, int]:
        """Give the place of an expression read as late as it can be, making it if it is new."""
        known = self.by_meaning.get(meaning)
        if known is None:
            simpler = lowered(expression)
            if simpler is None:
                known = self._add(expression, earliest), 0
            else:
                node, lag = self.place(simpler)
                known = node, lag - earliest
            self.by_meaning[meaning] = known
        return known

    def _add(self, expression: Expression, earliest: int) -> int:
        if expression.operation == "field":
            self.nodes.append(Node("field", (), (), str(expression.constants[0]), 0))
            return len(self.nodes) - 1
        constants = tuple(float(constant) for constant in expression.constants)
        reaches = _reaches_of(expression.operation, constants, len(expression.operands))
        operands = tuple(
            Operand(node, lag - earliest, reach)
            for (node, lag), reach in zip(map(self.place, expression.operands), reaches, strict=True)
        )
        warm_up = max(self.nodes[part.node].warm_up + part.lag + part.reach for part in operands)
        self.nodes.append(Node(expression.operation, operands, constants, "", warm_up))
        return len(self.nodes) - 1


def _reaches_of(operation: str, constants: tuple[float, ...], count: int) -> tuple[int, ...]:
    """Give for each operand how many rows before the current one an operation reads."""
    if operation not in _WINDOWED:
        return (0,) * count
    before = int(constants[0]) - 1
    if operation == "last_swing":
        return (before, before, 0)
    return (before, *(0,) * (count - 1))


def _reaches(nodes: Sequence[Node]) -> tuple[int, ...]:
    reach = [0] * len(nodes)
    for at in reversed(range(len(nodes))):
        for part in nodes[at].operands:
            reach[part.node] = max(reach[part.node], reach[at] + part.lag + part.reach)
    return tuple(reach)


@dataclass(frozen=True, slots=True)
class Code:
    """A program as an engine reads it.

    Values live in slots, which are used again once nobody needs what they hold; the first ones are the
    inputs'. ``steps`` has shape (n_steps, 8 + 2 OPERANDS_MAX): operation, slot written (or column stored),
    warm-up, reach, window, the step's first run and the one after its last, number of operands, then slot
    and lag of each. ``constants`` has shape (n_steps, CONSTANTS_MAX). ``runs``, shape (n_runs, 2), are the
    rows of which one row of the outputs is made, as bars ago, latest and earliest of each run. ``reaches``
    are those of the inputs.
    """

    inputs: tuple[str, ...]
    slots: int
    look_back: int
    steps: NDArray[np.int32]
    constants: NDArray[np.float64]
    runs: NDArray[np.int32]
    reaches: NDArray[np.int64]


def encode(program: Program, columns: Sequence[int] | None = None) -> Code:
    """Give slots to the values of a program, and a step to each node and each output.

    ``columns`` are where the outputs are stored; 0, 1, ... unless given.
    """
    return _Encoder(program, columns or range(len(program.outputs))).code()


class _Encoder:
    def __init__(self, program: Program, columns: Sequence[int]) -> None:
        self._program = program
        self._columns = columns
        self._slot = {at: place for place, at in enumerate(_input_nodes(program))}
        self._slots = len(self._slot)
        self._free: list[int] = []
        self._steps: list[list[int]] = []
        self._constants: list[list[float]] = []
        self._runs: list[tuple[int, int]] = []
        self._needed = _needed_rows(program)

    def code(self) -> Code:
        """Encode nodes in their order; an output is stored as soon as its node is known."""
        outputs: dict[int, list[int]] = {}
        for column, output in zip(self._columns, self._program.outputs, strict=True):
            outputs.setdefault(output, []).append(column)
        last_use = self._last_uses()
        for at, node in enumerate(self._program.nodes):
            if not node.name:
                self._slot[at] = self._new_slot()
                self._compute(at, node)
            for column in outputs.get(at, []):
                self._append([OPERATIONS.index("store"), column, 0, 0, 0, 0, 0], [(at, 0)], ())
            for part in {part.node for part in node.operands} | {at}:
                if last_use[part] == at and not self._program.nodes[part].name:
                    self._free.append(self._slot[part])
        return Code(
            inputs=self._program.inputs,
            slots=self._slots,
            look_back=self._program.look_back,
            steps=np.array(self._steps, dtype=np.int32),
            constants=np.array(self._constants, dtype=np.float64),
            runs=np.array(self._runs, dtype=np.int32).reshape(-1, 2),
            reaches=np.array([self._program.reach[at] for at in _input_nodes(self._program)], dtype=np.int64),
        )

    def _last_uses(self) -> list[int]:
        last = list(range(len(self._program.nodes)))
        for at, node in enumerate(self._program.nodes):
            for part in node.operands:
                last[part.node] = at
        return last

    def _new_slot(self) -> int:
        if self._free:
            return self._free.pop()
        self._slots += 1
        return self._slots - 1

    def _compute(self, at: int, node: Node) -> None:
        window = int(node.constants[0]) if node.operation in _WINDOWED else 0
        first_run = len(self._runs)
        self._runs += _runs_of(self._needed[at])
        head = [
            OPERATIONS.index(node.operation),
            self._slot[at],
            node.warm_up,
            self._program.reach[at],
            window,
            first_run,
            len(self._runs),
        ]
        self._append(head, [(part.node, part.lag) for part in node.operands], node.constants)

    def _append(self, head: list[int], parts: list[tuple[int, int]], constants: tuple[float, ...]) -> None:
        padded = [*parts, *[(-1, 0)] * (OPERANDS_MAX - len(parts))]
        flat = [number for node, lag in padded for number in (self._slot.get(node, -1), lag)]
        self._steps.append([*head, len(parts), *flat])
        self._constants.append([*constants, *[0.0] * (CONSTANTS_MAX - len(constants))])


def _needed_rows(program: Program) -> NDArray[np.bool_]:
    """Tell which rows of each node, in bars ago, decide one row of the outputs."""
    look_back = program.look_back
    needed = np.zeros((len(program.nodes), look_back), dtype=bool)
    needed[list(program.outputs), 0] = True
    for at in reversed(range(len(program.nodes))):
        for part in program.nodes[at].operands:
            rows = needed[at] if not part.reach else _widened(needed[at], part.reach)
            needed[part.node, part.lag :] |= rows[: look_back - part.lag]
    return needed


def _widened(needed: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Add to the rows that are needed the ``reach`` ones before each."""
    counts = np.cumsum(needed)
    before = np.concatenate([np.zeros(reach + 1, dtype=counts.dtype), counts])[: len(counts)]
    return counts > before


def _runs_of(needed: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Give the runs of rows that are needed; those that nearly touch are one, since a run costs some rows."""
    rows = np.flatnonzero(needed).tolist()
    runs = [(rows[0], rows[0])]
    for row in rows[1:]:
        first, last = runs[-1]
        if row - last <= _RUNS_APART:
            runs[-1] = (first, row)
        else:
            runs.append((row, row))
    return runs


def _input_nodes(program: Program) -> list[int]:
    return [at for at, node in enumerate(program.nodes) if node.name]


def describe(program: Program) -> Mapping[str, int]:
    """Give how many nodes of each operation a program has, for those who tune it."""
    counts: dict[str, int] = {}
    for node in program.nodes:
        counts[node.operation] = counts.get(node.operation, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
